"""Folders and object stores behave alike."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError

from tidemill.errors import ArgumentError, LeaseLostError, ResourceError
from tidemill.storage import transient as faults
from tidemill.storage.stores import Store, is_transient
from tidemill.storage.streams import UPLOAD_BYTES
from tidemill.storage.transient import disk_full, translated

NAMES = ["a.json", "deep/er/b c.json", "ü%20#x (1, 2).json", '_x/quote"d".json', ".hidden"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_and_listed(store, name):
    store.write(name, b"one")
    store.write(name, b"three")
    assert store.read(name) == b"three"
    assert store.exists(name)
    assert [(entry.path, entry.size) for entry in store.list()] == [(name, 5)]
    store.delete(name)
    store.delete(name)
    assert not store.exists(name)
    assert store.list() == []


def test_missing_files(store):
    assert store.list() == []
    assert store.list("nowhere") == []
    assert store.folder() == ((), ())
    assert not store.exists("nothing")
    for read in (store.read, store.info, store.open_input):
        with pytest.raises(FileNotFoundError):
            read("nothing")
    store.write("folder/file", b"")
    assert not store.exists("folder")
    with pytest.raises(FileNotFoundError):
        store.read("nothing")
    with pytest.raises(FileNotFoundError):
        store.child("folder").read("nothing")


def test_folder_and_child(store):
    for name in ("x/1", "x/y/2", "x/y/3", "4"):
        store.write(name, b"abc")
    files, folders = store.folder()
    assert ([entry.path for entry in files], folders) == (["4"], ("x",))
    child = store.child("x")
    assert [entry.path for entry in child.list()] == ["1", "y/2", "y/3"]
    assert child.folder()[1] == ("y",)
    assert [entry.path for entry in store.list("x/y")] == ["x/y/2", "x/y/3"]
    store.delete_all("x")
    assert [entry.path for entry in store.list()] == ["4"]
    store.delete_all("x")
    store.delete_all()
    assert store.list() == []


def test_versions_change_with_the_content(store):
    store.write("a", b"1")
    first = store.info("a")
    assert store.list()[0] == first
    store.write("a", b"22")
    assert store.info("a").version != first.version


def test_one_thread_creates(store):
    wins: list[int] = []
    barrier = threading.Barrier(8)

    def create(number: int) -> None:
        barrier.wait()
        if store.create("race", b"%d" % number):
            wins.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert store.read("race") == b"%d" % wins[0]


CREATE = """
import sys
from tidemill.storage.stores import Store
url, options, me = sys.argv[1], eval(sys.argv[2]), sys.argv[3]
store = Store.open(url, options)
store.write("ready/" + me, b"")
while len(store.list("ready")) < 2:
    pass
print(sum(store.create(f"race/{n}", me.encode()) for n in range(30)))
"""


def test_one_process_creates(store):
    command = [sys.executable, "-c", CREATE, store.url, repr(store.storage_options)]
    processes = [
        subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    wins = [int(process.communicate(timeout=120)[0]) for process in processes]
    assert sum(wins) == 30
    owners = [store.read(f"race/{n}") for n in range(30)]
    assert [owners.count(b"a"), owners.count(b"b")] == wins


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


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/x", "s3://"),
        ("s3:///x", "s3://"),
        ("s3://key:secret@bucket/x", "credentials"),
    ],
)
def test_urls_that_are_refused(url, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value).replace("secrets", "")


def test_local_locations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Store.open("a/../b/").url == str(tmp_path / "b")
    assert Store.open(tmp_path).local_path("x") == tmp_path / "x"
    assert Store.open(f"file://{tmp_path}/a%20b").url == str(tmp_path / "a b")
    assert Store.open("s3://bucket/x").local_path("y") is None
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        Store.open("file").write("x", b"")


def test_a_written_file_and_its_folder_are_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_mode))
    with Store.open(tmp_path).open_output("x") as file:
        file.write(b"1")
    assert len(synced) == 2  # the file, then its folder


def test_no_network_is_transient_and_short(monkeypatch):
    values = {"K": "k", "S": "s", "R": "r", "E": "http://127.0.0.1:9", "H": "true"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    backend = obstore.store.S3Store(
        "b",
        config={"aws_endpoint_url": values["E"], "aws_region": "r", "skip_signature": True},
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    with pytest.raises(ConnectionError) as caught, translated("s3://b/x"):
        obstore.get(backend, "x")
    assert is_transient(caught.value)
    assert "\n" not in str(caught.value)


S3 = "Generic S3 error: Error performing PUT http://h/b in 1s - "


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (OSError(errno.ESTALE, ""), True),
        (OSError(errno.EIO, ""), True),
        (OSError(errno.ETIMEDOUT, ""), True),
        (OSError(errno.ENOSPC, ""), False),
        (OSError(errno.EROFS, ""), False),
        (FileNotFoundError(errno.ENOENT, ""), False),
        (FileNotFoundError("error sending request: 503"), False),
        (PermissionError(), False),
        (PermissionDeniedError("timed out"), False),
        (GenericError(f"{S3}Server returned non-2xx status code: 503: SlowDown"), True),
        (GenericError(f"{S3}Server returned non-2xx status code: 429: x"), True),
        (GenericError(f"{S3}Server returned non-2xx status code: 400: InvalidRequest"), False),
        (GenericError(f"{S3}HTTP error: error sending request"), True),
        (GenericError("Generic LocalFileSystem error: x: Stale file handle (os error 116)"), True),
        (GenericError("Generic LocalFileSystem error: x: No space (os error 28)"), False),
        (LeaseLostError("connection timed out"), False),
        (ResourceError("connection timed out"), False),
        (ValueError("timed out"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_is_transient(error, transient):
    assert is_transient(error) is transient


def test_missing_credentials_are_said_to_be_missing():
    """The store looks for them on the machine itself, and its error speaks of that."""
    asked = "Error performing PUT http://169.254.169.254/latest/api/token in 2ms"
    text = f"Generic S3 error: {asked} - Server returned non-2xx status code: 403 Forbidden"
    with (
        pytest.raises(PermissionError, match="No credentials were found; set") as caught,
        translated("s3://b/x"),
    ):
        raise BaseError(text)
    assert not is_transient(caught.value)


def test_a_full_disk_names_folder_need_and_remedy(tmp_path):
    for error in (OSError(errno.ENOSPC, "x"), GenericError("y: No space left (os error 28)")):
        with pytest.raises(ResourceError) as caught, translated(str(tmp_path / "a/b"), 1_234_567):
            raise error
        for words in (str(tmp_path), "1,234,567 bytes", "are free", "make room"):
            assert words in str(caught.value)
    assert "file was being written" in str(disk_full(str(tmp_path), None))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_device(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.open", lambda *_: open("/dev/full", "wb", buffering=0))  # noqa: PTH123, SIM115
    output = Store.open(tmp_path).open_output("x")
    with pytest.raises(ResourceError, match="no space left"), output as file:
        file.write(bytes(100))


def test_os_errors_of_the_backend_are_ordinary(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        Store.open(tmp_path).write("file/below", b"")
    with pytest.raises(PermissionError), faults.translated("u"):
        raise PermissionDeniedError("no")
    with pytest.raises(OSError, match="strange"), faults.translated("u"):
        raise GenericError("strange")


def test_output_passes_the_users_errors(store):
    def fail() -> None:
        with store.open_output("x") as file:
            file.write(io.BytesIO(b"1").getbuffer())
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()
    assert not store.exists("x")
