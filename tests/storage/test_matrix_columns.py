"""Columns of a published matrix, some at a time: the values that the whole matrix has."""

from __future__ import annotations

import tracemalloc
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from tidemill.errors import ArgumentError, DamagedFileError, SinkError
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.storage.layout import SinkLayout
from tidemill.storage.matrix_columns import MatrixColumns, parse_intervals
from tidemill.storage.read_matrix import read_matrix

from .publishing import go

JANUARY, FEBRUARY = "20300101T000000Z", "20300201T000000Z"


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"plant": np.repeat(list("ba"), 80), "pump": np.repeat(range(20), 8)})
    frame["x"] = rng.normal(size=160)
    frame["time"] = np.tile(range(8), 20)
    path = tmp_path_factory.mktemp("series") / "in.parquet"
    frame.to_parquet(path)
    return path


@pytest.fixture(params=["matrix", "matrix.parquet", "matrix.csv"])
def sink(request, tmp_path):
    return tmp_path / request.param


@pytest.mark.parametrize("column_id", ["pump", ["plant", "pump"]], ids=["one id", "two"])
def test_columns_and_rows_are_those_of_the_matrix(series, sink, column_id):
    wanted = {"column_id": column_id, "column_sort": "time", "column_value": "x"}
    extract_here(make_request(series, sink, settings="minimal", **wanted))
    columns, matrix = MatrixColumns.open(SinkLayout.of(sink)), read_matrix(sink)
    assert columns.names == tuple(matrix.columns)
    assert columns.ids.schema.names == list(matrix.index.names)
    assert len(columns) == 20
    rows = np.array([7, 0, 19])
    ids = [tuple(row.values()) for row in columns.ids.take(rows).to_pylist()]
    ids = ids if isinstance(column_id, list) else [one for (one,) in ids]
    names = columns.names[4:6]
    np.testing.assert_array_equal(columns.read(names, rows), matrix.loc[ids, list(names)].T)


def test_columns_of_a_foreign_file_are_numbers(tmp_path):
    layout = SinkLayout.of(tmp_path / "foreign.parquet")
    numbers = {
        "half": pa.array([0.5, None], pa.float16()),
        "whole": pa.array([None, 3], pa.int64()),
        "switch": [True, None],
        "exact": [Decimal("0.25"), None],
        "few": pa.array([7, None]).dictionary_encode(),
        "nothing": pa.nulls(2),
    }
    pq.write_table(pa.table({"id": ["a", "b"], **numbers}), tmp_path / "foreign.parquet")
    columns = MatrixColumns.open(layout)
    found = columns.read(columns.names, np.arange(2))
    nan = np.nan
    wanted = [[0.5, nan], [nan, 3], [1, nan], [0.25, nan], [7, nan], [nan, nan]]
    np.testing.assert_array_equal(found, wanted)
    others = {"site": ["a", "b"], "day": pa.array([1, 2], pa.date32()), "x": [[1], [2]]}
    pq.write_table(pa.table({"id": [1, 2], **numbers, **others}), tmp_path / "foreign.parquet")
    sentence = (
        r"columns that are no numbers: 'site' \(string\), 'day' .*, 'x' .*; drop them, or enc"
    )
    with pytest.raises(ArgumentError, match=sentence):
        MatrixColumns.open(layout)


def test_columns_of_a_foreign_table_are_numbers(tmp_path):
    write_deltalake(tmp_path / "foreign", pa.table({"id": [1], "site": ["a"]}))
    with pytest.raises(ArgumentError, match=r"foreign has columns that are no numbers: 'site'"):
        MatrixColumns.open(SinkLayout.of(tmp_path / "foreign"))


def table(layout, write_parts):
    months = [(JANUARY, range(3), ["x__a", "x__b"]), (FEBRUARY, range(1, 5), ["x__c", "x__b"])]
    for letter, (interval, ids, names) in zip("ab", months, strict=True):
        key = layout.key(letter * 64)
        go(layout, key, *write_parts(key, ids, names), interval=interval)
    return layout


def test_intervals_stand_one_after_the_other_and_lack_what_they_lack(tmp_path, write_parts):
    layout = table(SinkLayout.of(tmp_path / "matrix"), write_parts)
    columns, matrix = MatrixColumns.open(layout), read_matrix(layout.url)
    assert columns.names == tuple(matrix.columns) == ("x__c", "x__b", "x__a")
    assert columns.row_intervals() == [JANUARY] * 3 + [FEBRUARY] * 4
    assert columns.ids["id"].to_pylist() == [0, 1, 2, 1, 2, 3, 4]
    np.testing.assert_array_equal(columns.read(columns.names, np.arange(7)), matrix.to_numpy().T)


def test_the_rows_of_one_interval_are_a_part(tmp_path, write_parts):
    layout = table(SinkLayout.of(tmp_path / "matrix"), write_parts)
    columns = MatrixColumns.open(layout)
    first, part = columns.of_interval(FEBRUARY)
    assert (first, len(part), part.intervals) == (3, 4, (FEBRUARY,))
    assert part.ids["id"].to_pylist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(
        part.read(columns.names, np.arange(4)), columns.read(columns.names, np.arange(3, 7))
    )
    assert columns.of_interval(JANUARY)[0] == 0


@pytest.mark.parametrize("names", [["x__b", "x__c"], []])
def test_a_frame_is_that_of_the_matrix(tmp_path, write_parts, names):
    layout = table(SinkLayout.of(tmp_path / "matrix"), write_parts)
    found = MatrixColumns.open(layout).frame(names)
    pd.testing.assert_frame_equal(
        found, read_matrix(layout.url)[names], check_exact=True, check_column_type=False
    )


@pytest.mark.parametrize("column_id", ["pump", ["plant", "pump"]], ids=["one id", "two"])
def test_a_frame_of_any_sink_is_that_of_the_matrix(series, sink, column_id):
    wanted = {"column_id": column_id, "column_sort": "time", "column_value": "x"}
    extract_here(make_request(series, sink, settings="minimal", **wanted))
    columns, matrix = MatrixColumns.open(SinkLayout.of(sink)), read_matrix(sink)
    pd.testing.assert_frame_equal(
        columns.frame(columns.names), matrix, check_exact=True, check_index_type=False
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2030-02-01", [FEBRUARY]),
        (JANUARY, [JANUARY]),
        ("2030-01-01/2030-02-01", [JANUARY]),
        ("2030-01-15 / ", [FEBRUARY]),
        ("/2030-02-15", [JANUARY, FEBRUARY]),
        (None, [JANUARY, FEBRUARY]),
    ],
)
def test_a_text_chooses_intervals(tmp_path, write_parts, text, found):
    layout = table(SinkLayout.of(tmp_path / "matrix"), write_parts)
    columns = MatrixColumns.open(layout, parse_intervals(text))
    assert list(columns.intervals) == found


def test_what_is_not_there_is_refused(tmp_path, write_parts):
    with pytest.raises(SinkError, match="nothing is published at"):
        MatrixColumns.open(SinkLayout.of(tmp_path / "none"))
    with pytest.raises(SinkError, match="nothing is published at"):
        MatrixColumns.open(SinkLayout.of(tmp_path / "none.parquet"))
    layout = SinkLayout.of(tmp_path / "matrix")
    key = layout.key("a" * 64)
    go(layout, key, *write_parts(key, range(3), ["x__a"]))
    with pytest.raises(SinkError, match="is not divided into intervals; leave interval out"):
        MatrixColumns.open(layout, "2030-01-01")
    pq.write_table(pa.table({"id": [1], "x__a": [1.0]}), tmp_path / "one.parquet")
    with pytest.raises(ArgumentError, match="is one file, without intervals"):
        MatrixColumns.open(SinkLayout.of(tmp_path / "one.parquet"), "2030-01-01")


def test_a_file_that_is_replaced_or_damaged_meanwhile_is_noticed(tmp_path, write_parts):
    path = tmp_path / "one.parquet"
    pq.write_table(pa.table({"id": [1, 2], "x__a": [1.0, 2.0]}), path)
    columns = MatrixColumns.open(SinkLayout.of(path))
    pq.write_table(pa.table({"id": [1, 2, 3], "x__a": [1.0, 2.0, 3.0]}), path)
    with pytest.raises(SinkError, match="was replaced while it was read; run again"):
        columns.read(["x__a"], np.arange(2))
    layout = SinkLayout.of(tmp_path / "matrix")
    key = layout.key("a" * 64)
    go(layout, key, *write_parts(key, range(3), ["x__a"]))
    columns = MatrixColumns.open(layout)
    part = next((tmp_path / "matrix").glob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(DamagedFileError, match="tidemill verify"):
        columns.read(["x__a"], np.arange(3))


def test_memory_is_that_of_the_columns_that_are_read(tmp_path):
    """Of 200 MB, 8 MB at a time."""
    names = [f"x__quantile__q_{place}" for place in range(200)]
    rng = np.random.default_rng(3)
    path = tmp_path / "matrix.parquet"
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in names)])
    with pq.ParquetWriter(path, schema, use_dictionary=False) as writer:
        for first in range(0, 125_000, 25_000):
            ids = np.arange(first, first + 25_000)
            columns = dict(zip(names, rng.normal(size=(len(names), len(ids))), strict=True))
            writer.write_table(pa.table({"id": ids, **columns}, schema=schema))
    columns, rows = MatrixColumns.open(SinkLayout.of(path)), np.arange(125_000)
    pool = pa.system_memory_pool()
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        for first in range(0, 200, 8):
            assert np.isfinite(columns.read(names[first : first + 8], rows)).all()
        peak = tracemalloc.get_traced_memory()[1] + pool.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    assert path.stat().st_size > 190e6
    assert peak < 30e6


@pytest.mark.parametrize("text", ["", "/", "soon", "2030-01-01/soon", "1d"])
def test_a_text_that_names_no_interval_is_refused(text):
    with pytest.raises(ArgumentError, match=r"interval=.* is not allowed; give a date or time"):
        parse_intervals(text)
