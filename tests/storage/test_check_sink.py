"""Single files are replaced at once; what cannot be a sink is refused."""

from __future__ import annotations

import datetime as dt
import os

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.errors import LeaseLostError, SinkError
from tidemill.storage.layout import SinkLayout
from tidemill.storage.publish import (
    check_sink,
    drop_parts,
    last_published,
    publish,
    read_matrix,
)

KEY = "a" * 64
COLUMNS = ["value__cwt_coefficients__coeff_0__w_2__widths_(2, 5)", 'x__agg__attr_"max"']


def go(layout, key, markers, schema, **options):
    return publish(layout, key, markers, schema, run_id="r", digest="d", **options)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_is_written_in_order_and_its_parts_can_be_dropped(place, write_parts, suffix):
    layout = SinkLayout.of(f"{place[0]}/matrix{suffix}", place[1])
    key = layout.key(KEY)
    markers, schema = write_parts(key, range(10), COLUMNS)
    with pytest.raises(SinkError, match="nothing is published"):
        read_matrix(layout.url, storage_options=place[1])
    published = go(layout, key, markers[::-1], schema)
    assert published.rows == 10
    frame = read_matrix(layout.url, storage_options=place[1])
    assert list(frame.index) == list(range(10))
    assert list(frame.columns) == COLUMNS
    assert np.array_equal(frame.to_numpy(), np.random.default_rng(7).normal(size=(10, 2)))
    assert len(key.data.list()) == len(markers)  # they stay until the run is recorded
    drop_parts(layout, key)
    assert key.data.list() == []
    assert [entry.path for entry in layout.home.folder()[0]] == [layout.name]
    assert last_published(layout) == published
    layout.home.write(layout.name, b"something else")
    assert last_published(layout) is None


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize(
    ("ids", "id_type"),
    [
        (["007", "1e3", "NA", "", 'a,"b"', "é"], pa.string()),
        (range(5), pa.int16()),
        ([dt.date(2030, 1, day) for day in (1, 2)], pa.date32()),
        ([dt.datetime(2030, 1, 1, 0, 0, 0, us) for us in (1, 2)], pa.timestamp("us")),  # noqa: DTZ001
        ([dt.datetime(2030, 1, day) for day in (1, 2)], pa.timestamp("us", "UTC")),  # noqa: DTZ001
        ([False, True], pa.bool_()),
        ([0.1, 1e300], pa.float64()),
    ],
)
def test_ids_keep_their_type(tmp_path, write_parts, suffix, ids, id_type):
    layout = SinkLayout.of(tmp_path / f"matrix{suffix}")
    key = layout.key(KEY)
    markers, schema = write_parts(key, ids, COLUMNS, id_type=id_type, n_parts=1)
    go(layout, key, markers, schema)
    index = read_matrix(layout.url).index
    expected = pa.array(ids, id_type).to_pandas()
    assert str(index.dtype) == str(expected.dtype)
    assert sorted(index) == sorted(expected)


def test_ordinary_readers_read_the_files(tmp_path, write_parts):
    for suffix, read in ((".parquet", pd.read_parquet), (".csv", pd.read_csv)):
        layout = SinkLayout.of(tmp_path / f"matrix{suffix}")
        key = layout.key(KEY)
        markers, schema = write_parts(key, range(10), COLUMNS)
        go(layout, key, markers, schema)
        frame = read(tmp_path / f"matrix{suffix}")
        assert list(frame.columns) == ["id", *COLUMNS]
        assert list(frame["id"]) == list(range(10))
    assert pl.read_parquet(tmp_path / "matrix.parquet").columns == ["id", *COLUMNS]
    assert pq.read_schema(tmp_path / "matrix.parquet") == schema


def test_nan_survives_csv(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    key = layout.key(KEY)
    go(layout, key, *write_parts(key, range(3), COLUMNS, value=float("nan")))
    assert read_matrix(layout.url).isna().to_numpy().all()
    assert pd.read_csv(layout.url)[COLUMNS].isna().to_numpy().all()


def test_a_failure_leaves_the_old_file(place, write_parts):
    layout = SinkLayout.of(f"{place[0]}/matrix.parquet", place[1])
    key = layout.key(KEY)
    go(layout, key, *write_parts(key, range(4), COLUMNS))
    old = layout.home.read(layout.name)
    markers, schema = write_parts(key, range(9), COLUMNS)

    def lost() -> None:
        raise LeaseLostError("gone")

    with pytest.raises(LeaseLostError):
        go(layout, key, markers, schema, check=lost)
    key.data.delete(markers[-1].path)
    with pytest.raises(FileNotFoundError):
        go(layout, key, markers, schema)
    assert layout.home.read(layout.name) == old
    assert [entry.path for entry in layout.home.folder()[0]] == [layout.name]


def test_a_file_cannot_hold_intervals(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    with pytest.raises(ValueError, match="intervals"):
        go(layout, layout.key(KEY), [], pa.schema([("id", pa.int64())]), interval="2030-01")


def test_new_and_own_sinks_are_fine(place, write_parts):
    for name in ("matrix", "matrix.parquet"):
        layout = SinkLayout.of(f"{place[0]}/{name}", place[1])
        key = layout.key(KEY)
        check_sink(layout)
        key.state.write(key.plan, b"{}")  # a run died before it published
        check_sink(layout)
        go(layout, key, *write_parts(key, range(3), COLUMNS))
        check_sink(layout)


def test_checking_a_folder_writes_nothing(tmp_path):
    check_sink(SinkLayout.of(tmp_path / "a/b/matrix"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").write_text("")
    check_sink(SinkLayout.of(tmp_path / "empty"))


def test_a_folder_with_something_else_is_refused(place):
    layout = SinkLayout.of(f"{place[0]}/matrix", place[1])
    for number in range(12):
        layout.home.write(f"file{number:02d}.txt", b"mine")
    layout.home.write("data/x", b"mine")
    with pytest.raises(SinkError) as caught:
        check_sink(layout)
    for words in ("something else", "file00.txt", "(13 in all)", "choose an empty or a new folder"):
        assert words in str(caught.value)
    assert len(layout.home.list()) == 13


def test_files_and_folders_are_not_taken_for_one_another(place):
    top = SinkLayout.of(f"{place[0]}/x", place[1]).home
    top.write("taken", b"a file")
    top.write("folder.parquet/x", b"a file below")
    refused = {"taken": "is a file", "folder.parquet": "is a folder"}
    if top.is_local:
        refused |= {"taken/below": "is a file", "taken/below.csv": "is a file"}
    for name, words in refused.items():
        with pytest.raises(SinkError, match=words):
            check_sink(SinkLayout.of(top.url_of(name), place[1]))


def test_a_sink_in_the_input_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "input")
    cases = [
        ("input", "input", "is the input itself"),
        ("link", tmp_path / "input", "is the input itself"),
        ("input/matrix", "input", "lies inside the input"),
        ("link/m.parquet", tmp_path / "input", "lies inside the input"),
        ("input/x.parquet", "input/x.parquet", "is the input itself"),
        ("matrix", "matrix/data.parquet", "lies inside the sink"),
        ("s3://b/x", "s3://b/x/", "is the input itself"),
        ("s3://b/x/y", "s3://b/x", "lies inside the input"),
    ]
    for sink, source, words in cases:
        with pytest.raises(SinkError, match=words):
            check_sink(SinkLayout.of(sink), [source])
    check_sink(SinkLayout.of("input2"), ["input", "input/x.parquet"])


def test_a_sink_that_cannot_be_written_is_refused(tmp_path, monkeypatch, s3_options):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SinkError, match="no right to write"):
        check_sink(SinkLayout.of(tmp_path / "matrix"))
    with pytest.raises(SinkError, match="bucket"):
        check_sink(SinkLayout.of("s3://no-such-bucket/matrix.csv", s3_options))
    with pytest.raises(SinkError, match="bucket"):
        check_sink(SinkLayout.of("s3://no-such-bucket/matrix", s3_options))
