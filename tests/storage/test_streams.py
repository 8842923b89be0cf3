"""Output is visible only when complete; remote objects are read at any offset."""

from __future__ import annotations

import io
import os
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from tidemill.errors import ResourceError
from tidemill.storage.stores import Store
from tidemill.storage.streams import (
    DOWNLOAD_BYTES,
    UPLOAD_BYTES,
    drop_staged,
    drop_unfinished,
    local_output,
)


@pytest.mark.parametrize("size", [10, UPLOAD_BYTES * 3 + 17])
def test_output_is_visible_only_when_complete(store, size):
    data = np.random.default_rng(1).bytes(size)
    with store.open_output("out/file") as file:
        for start in range(0, size, 1_000_003):
            file.write(memoryview(data)[start : start + 1_000_003])
        assert not [entry for entry in store.list() if not entry.path.startswith("out/.")]
    assert store.read("out/file") == data
    assert [entry.path for entry in store.list()] == ["out/file"]


@pytest.mark.parametrize("size", [10, UPLOAD_BYTES * 3])
def test_an_error_leaves_no_output(store, size):
    store.write("out/file", b"old")

    def fail() -> None:
        with store.open_output("out/file") as file:
            file.write(bytes(size))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert store.read("out/file") == b"old"
    assert [entry.path for entry in store.list()] == ["out/file"]


def test_aborted_uploads_leave_nothing_behind(s3_options, s3_server):
    import boto3

    store = Store.open("s3://matrices/aborted", s3_options)

    def fail() -> None:
        with store.open_output("x") as file:
            file.write(bytes(UPLOAD_BYTES * 2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    client = boto3.client(
        "s3",
        endpoint_url=s3_server[0],
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="not-a-secret",  # noqa: S106
    )
    assert not client.list_multipart_uploads(Bucket="matrices").get("Uploads")
    client.close()


def test_an_upload_that_fails_says_so(s3_options):
    store = Store.open("s3://no-such-bucket/x", s3_options)
    for size in (10, UPLOAD_BYTES * 4):
        with pytest.raises(FileNotFoundError, match="bucket"), store.open_output("x") as file:
            file.write(bytes(size))
    with pytest.raises(FileNotFoundError, match="bucket"):
        store.list()


def test_random_access(store):
    table = pa.table({"id": np.arange(50_000), "x": np.random.default_rng(2).normal(size=50_000)})
    with store.open_output("t.parquet") as file:
        pq.write_table(table, file, row_group_size=10_000)
    with store.open_input("t.parquet") as file:
        assert pq.read_table(file).equals(table)
    with store.open_input("t.parquet") as file:
        assert pq.ParquetFile(file).read_row_group(3, ["id"])["id"][0].as_py() == 30_000
    with store.open_input("t.parquet", memory_map=True) as file:
        size = file.size()
        file.seek(size - 4)
        assert file.read() == b"PAR1"
        assert file.read_at(4, 0) == b"PAR1"
    store.write("t.csv", b"a,b\n1,2\n3,4\n")
    with store.open_input("t.csv") as file:
        assert pacsv.read_csv(file).to_pydict() == {"a": [1, 3], "b": [2, 4]}


def test_a_written_file_and_its_folder_are_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_mode))
    with Store.open(tmp_path).open_output("x") as file:
        file.write(b"1")
    assert len(synced) == 2  # the file, then its folder


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_device(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.open", lambda *_: open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
    output = Store.open(tmp_path).open_output("x")
    with pytest.raises(ResourceError, match="no space left"), output as file:
        file.write(bytes(100))


def test_output_passes_the_users_errors(store):
    def fail() -> None:
        with store.open_output("x") as file:
            file.write(io.BytesIO(b"1").getbuffer())
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()
    assert not store.exists("x")


def test_reads_of_remote_objects_seek_as_files_do(store, tmp_path):
    data = bytes(range(200))
    store.write("x", data)
    (tmp_path / "x").write_bytes(data)
    with store.open_input("x") as remote, (tmp_path / "x").open("rb") as local:
        assert remote.size() == 200
        for offset, whence in ((10, os.SEEK_SET), (-3, os.SEEK_END), (0, os.SEEK_SET)):
            remote.seek(offset, whence)
            local.seek(offset, whence)
            assert remote.tell() == local.tell()
            assert remote.read(5) == local.read(5)
        remote.seek(7)
        assert remote.read() == data[7:]
        assert remote.read() == b""
        remote.seek(500)
        assert remote.read(1) == b""


def test_two_writers_of_a_file_do_not_mix(tmp_path):
    path = tmp_path / "x"
    with local_output(path) as first, local_output(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first"  # the last to end
    assert list(tmp_path.iterdir()) == [path]


def test_the_leftovers_of_killed_writers_are_dropped_and_nothing_else(tmp_path):
    unfinished = [f".part-1.parquet.{uuid.UUID(int=n).hex[:12]}" for n in (0, 2**100)]
    others = ["part-1.parquet", ".part-1.parquet.swp", ".note.0123456789ab", ".part-1.parquet"]
    for name in (*unfinished, *others):
        (tmp_path / name).write_bytes(b"")
    drop_unfinished(tmp_path, "part-*.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_a_name_of_any_length_that_the_disk_takes_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    with local_output(path) as file:
        file.write(b"1")
    assert path.read_bytes() == b"1"


def test_what_killed_writers_staged_goes_once_it_is_old(tmp_path):
    (tmp_path / "keys").mkdir()
    old, young, named = (tmp_path / "keys" / name for name in ("a.json#1", "b.json#12", "c#d.json"))
    for path in (old, young, named):
        path.write_bytes(b"")
    for path in (old, named):
        os.utime(path, (1e9, 1e9))
    drop_staged(tmp_path)
    assert [path.exists() for path in (old, young, named)] == [False, True, True]


def test_a_large_read_takes_several_requests(s3_options):
    store = Store.open(f"s3://matrices/{uuid.uuid4().hex}", s3_options)
    data = np.random.default_rng(3).bytes(DOWNLOAD_BYTES * 2 + 5)
    store.write("x", data)
    with store.open_input("x") as file:
        file.seek(1)
        assert file.read() == data[1:]
