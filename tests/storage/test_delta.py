"""Readers of a table see whole matrices only, and nothing of tidemill's state."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tidemill.errors import LeaseLostError, SinkError
from tidemill.storage.delta import open_table, table_files
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import commit_part, committed
from tidemill.storage.options import resolve_options
from tidemill.storage.publish import last_published
from tidemill.storage.read_matrix import read_matrix

from .publishing import go

KEYS = ("a" * 64, "b" * 64)
ODD = [
    "value__cwt_coefficients__coeff_0__w_2__widths_(2, 5, 10, 20)",
    'value__agg_linear_trend__attr_"slope"__chunk_len_5__f_agg_"max"',
    "temp {°C}; a=b__mean",
    "value__mean",
]


def versions(layout) -> int:
    table = open_table(layout)
    assert table is not None
    return table.version()


def test_the_first_commit_makes_table_and_files_at_once(layout, write_parts):
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(10), ["x__mean", "x__max"])
    with pytest.raises(SinkError, match="nothing is published"):
        read_matrix(layout.url, storage_options=layout.home.storage_options)
    published = go(layout, key, markers, schema)
    assert (published.version, published.rows, published.is_new) == ("0", 10, True)
    assert last_published(layout) == published
    frame = read_matrix(layout.url, storage_options=layout.home.storage_options)
    assert frame.index.name == "id"
    assert list(frame.index) == list(range(10))
    assert list(frame.columns) == ["x__mean", "x__max"]
    # DeltaTable.history() would hold the interpreter's lock, and the S3 server needs it.
    log = layout.home.read("_delta_log/00000000000000000000.json").splitlines()
    commit = json.loads(log[0])["commitInfo"]
    assert (commit["tidemill.result_key"], commit["tidemill.run_id"]) == (KEYS[0], "r")


def test_no_file_is_copied_and_nothing_is_left(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix")
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(10), ["x__mean"])
    before = {path.name: path.stat().st_ino for path in (tmp_path / "matrix").glob("*.parquet")}
    go(layout, key, markers, schema)
    after = {path.name: path.stat().st_ino for path in (tmp_path / "matrix").glob("*.parquet")}
    assert before == after
    assert {path.name for path in (tmp_path / "matrix").iterdir()} == {
        *before,
        "_delta_log",
        "_tidemill",
    }


def test_the_same_files_are_not_committed_twice(layout, write_parts):
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(10), ["x__mean"])
    go(layout, key, markers, schema)
    again = go(layout, key, markers, schema)
    assert (again.is_new, again.version) == (False, "0")
    assert versions(layout) == 0


def test_a_recalculated_part_is_exchanged(layout, write_parts):
    """Some files stay: a path must not be added and removed in one commit."""
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(9), ["x__mean"])
    go(layout, key, markers, schema)
    new, _ = write_parts(key, range(9), ["x__mean"])
    wanted = [markers[0], new[1], markers[2]]
    assert go(layout, key, wanted, schema).version == "1"
    table = open_table(layout)
    assert table is not None
    assert table_files(table) == {marker.path: marker.bytes for marker in wanted}
    log = layout.home.read("_delta_log/00000000000000000001.json").decode()
    actions = [json.loads(line) for line in log.splitlines()]
    assert [one["add"]["path"] for one in actions if "add" in one] == [new[1].path]
    assert [one["remove"]["path"] for one in actions if "remove" in one] == [markers[1].path]
    assert len(read_matrix(layout.url, storage_options=layout.home.storage_options)) == 9


def test_other_columns_replace_the_schema_in_the_same_commit(layout, write_parts):
    options = layout.home.storage_options
    for number, columns in enumerate((["x__mean", "x__max"], ["x__mean"], ["x__min", "x__max"])):
        key = layout.key(f"{number}" * 64)
        markers, schema = write_parts(key, range(5), columns)
        assert go(layout, key, markers, schema).version == str(number)
        assert list(read_matrix(layout.url, storage_options=options).columns) == columns


@pytest.mark.parametrize("order", [1, -1])
def test_other_ids_replace_the_schema_too(tmp_path, write_parts, order):
    """A naive timestamp needs a newer protocol of the table, which the same commit declares."""
    start = dt.datetime(2030, 1, 1)  # noqa: DTZ001
    moments = [start + dt.timedelta(days=day) for day in range(5)]
    layout = SinkLayout.of(tmp_path / "matrix")
    kinds = [
        (range(5), pa.int64()),
        (moments, pa.timestamp("us")),
        (list("abcde"), pa.string()),
        ([one.date() for one in moments], pa.date32()),
        (moments, pa.timestamp("us", "UTC")),
        (range(5), pa.int8()),
    ][::order]
    for number, (ids, id_type) in enumerate(kinds):
        key = layout.key(f"{number}" * 64)
        markers, schema = write_parts(key, ids, ["x__mean"], id_type=id_type)
        assert go(layout, key, markers, schema).version == str(number)
        table = DeltaTable(layout.url)
        assert table.to_pyarrow_table().schema.field("id").type == id_type
        assert len(read_matrix(layout.url)) == 5
        assert pl.read_delta(layout.url).height == 5


@pytest.mark.parametrize(
    ("ids", "id_type", "dtype"),
    [
        (range(7), pa.int8(), "int8"),
        (range(7), pa.int64(), "int64"),
        (list("abcdefg"), pa.string(), "str"),
        ([0.5, 1.5, 2.5], pa.float64(), "float64"),
        ([False, True], pa.bool_(), "bool"),
        (
            [dt.datetime(2030, 1, 1, 0, 0, 0, us) for us in range(4)],  # noqa: DTZ001
            pa.timestamp("us"),
            "datetime64[us]",
        ),
        (
            [dt.datetime(2030, 1, 1, 0, 0, 0, us) for us in range(4)],  # noqa: DTZ001
            pa.timestamp("us", "UTC"),
            "datetime64[us, UTC]",
        ),
        ([dt.date(2030, 1, day) for day in range(1, 5)], pa.date32(), "object"),
    ],
)
def test_ids_keep_their_type_and_order(tmp_path, write_parts, ids, id_type, dtype):
    layout = SinkLayout.of(tmp_path / "matrix")
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, ids, ["x__mean"], id_type=id_type)
    go(layout, key, markers[::-1], schema)
    frame = read_matrix(layout.url)
    assert frame.index.is_monotonic_increasing
    assert str(frame.index.dtype) == dtype
    assert pa.array(frame.index).cast(id_type).to_pylist() == pa.array(ids, id_type).to_pylist()
    first = pa.array(ids, id_type)[0].as_py()
    scanned = pl.scan_delta(layout.url).filter(pl.col("id") == first).collect()
    assert scanned.height == 1  # readers that skip files by statistics find it


def test_readers_take_columns_with_odd_names(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix")
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(8), ODD, value=2.0)
    go(layout, key, markers, schema)
    table = DeltaTable(layout.url)
    assert table.to_pyarrow_table().schema.names == ["id", *ODD]
    frame = pl.scan_delta(layout.url).filter(pl.col("id") >= 6).select("id", *ODD).collect()
    assert frame.columns == ["id", *ODD]
    assert frame.height == 2
    dataset = table.to_pyarrow_dataset()  # duckdb finds the variable by its name
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in ODD)
    rows = duckdb.sql(f"SELECT {names} FROM dataset WHERE id > 3").fetchall()  # noqa: S608
    assert rows == [(2.0,) * 4] * 4
    assert dataset.count_rows() == 8
    assert list(read_matrix(layout.url).columns) == ODD


def test_statistics_hold_rows_and_the_ids_range_only(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix")
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(9), ["x__mean"])
    go(layout, key, markers, schema)
    found = pa.table(DeltaTable(layout.url).get_add_actions(flatten=True)).to_pydict()
    assert sorted(found["num_records"]) == [3, 3, 3]
    assert sorted(found["min.id"]) == [0, 3, 6]
    assert sorted(found["max.id"]) == [2, 5, 8]


def test_parts_without_rows_and_tables_without_rows(layout, write_parts):
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, [], ["x__mean"])
    assert go(layout, key, markers, schema).rows == 0
    frame = read_matrix(layout.url, storage_options=layout.home.storage_options)
    assert frame.shape == (0, 1)
    more, _ = write_parts(key, range(3), ["x__mean"], n_parts=1)
    go(layout, key, more, schema)
    assert len(read_matrix(layout.url, storage_options=layout.home.storage_options)) == 3


def test_state_is_invisible_and_survives_vacuum(layout, write_parts):
    options = resolve_options(layout.home.storage_options)
    key, other = (layout.key(result_key) for result_key in KEYS)
    old, schema = write_parts(key, range(6), ["x__mean"])
    for marker in old:
        commit_part(key, marker)
    go(layout, key, old, schema)
    markers, _ = write_parts(other, range(6), ["x__mean"])
    for marker in markers:
        commit_part(other, marker)
    go(layout, other, markers, schema)
    state = [entry.path for entry in layout.state.list()]
    table = DeltaTable(layout.url, storage_options=options)
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert [entry.path for entry in layout.state.list()] == state
    assert set(committed(other)) == {0, 1, 2}
    assert committed(key) == {}  # their files are gone: they count as missing
    assert len(read_matrix(layout.url, storage_options=layout.home.storage_options)) == 6
    # Polars refuses unknown files in a folder; a Delta reader looks into the log only.
    assert pl.read_delta(layout.url, storage_options=options).height == 6


JANUARY, FEBRUARY = "20300101T000000Z", "20300201T000000Z"


def test_intervals_are_replaced_one_by_one(layout, write_parts):
    options = layout.home.storage_options
    for number, (interval, ids) in enumerate(
        [(JANUARY, range(4)), (FEBRUARY, range(6)), (JANUARY, range(2))]
    ):
        key = layout.key(f"{number}" * 64)
        markers, schema = write_parts(key, ids, ["x__mean"], n_parts=2)
        assert go(layout, key, markers, schema, interval=interval).version == str(number)
        assert not go(layout, key, markers, schema, interval=interval).is_new
    assert len(read_matrix(layout.url, "2030-01-01", options)) == 2
    second = read_matrix(layout.url, "2030-02-01", options)
    assert (second.shape, second.index.name) == ((6, 1), "id")
    whole = read_matrix(layout.url, storage_options=options)
    assert whole.index.names == ["interval", "id"]
    first, second = (pd.Timestamp(month, tz="UTC") for month in ("2030-01", "2030-02"))
    assert list(whole.index[:3]) == [(first, 0), (first, 1), (second, 0)]
    with pytest.raises(SinkError, match=r"'2030-03-01' is not published.*2030-01-01 .*2030-02-01"):
        read_matrix(layout.url, "2030-03-01", options)


def test_a_table_without_intervals_has_none(layout, write_parts):
    key = layout.key(KEYS[0])
    go(layout, key, *write_parts(key, range(4), ["x__mean"]))
    with pytest.raises(SinkError, match="not divided into intervals"):
        read_matrix(layout.url, "2030-01", layout.home.storage_options)


def test_a_commit_in_between_is_a_conflict(layout, write_parts):
    first, second = (layout.key(result_key) for result_key in KEYS)
    markers, schema = write_parts(first, range(4), ["x__mean"])
    go(layout, first, markers, schema)
    others, _ = write_parts(second, range(4), ["x__mean"], value=1.0)

    def somebody_else() -> None:
        more, _ = write_parts(first, range(3), ["x__mean"])
        go(layout, first, more, schema)

    with pytest.raises(SinkError, match=r"was not changed.*run again: finished parts are kept"):
        go(layout, second, others, schema, check=somebody_else)
    assert versions(layout) == 1
    assert len(read_matrix(layout.url, storage_options=layout.home.storage_options)) == 3
    assert go(layout, second, others, schema).version == "2"


def test_two_first_commits_conflict(layout, write_parts):
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(4), ["x__mean"])
    more, _ = write_parts(key, range(3), ["x__mean"])
    with pytest.raises(SinkError, match="was not changed"):
        go(layout, key, markers, schema, check=lambda: go(layout, key, more, schema) and None)
    assert len(read_matrix(layout.url, storage_options=layout.home.storage_options)) == 3


def test_a_commit_whose_answer_was_lost_counts(layout, write_parts):
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(4), ["x__mean"])
    twin = go(layout, key, markers, schema, check=lambda: go(layout, key, markers, schema) and None)
    assert (twin.version, versions(layout)) == ("0", 0)


def test_a_lost_lease_prevents_the_commit(layout, write_parts):
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(4), ["x__mean"])

    def lost() -> None:
        raise LeaseLostError("gone")

    with pytest.raises(LeaseLostError):
        go(layout, key, markers, schema, check=lost)
    assert open_table(layout) is None


READ = """
import sys, time
from deltalake import DeltaTable
from tidemill.storage.read_matrix import read_matrix
print("ready", flush=True)
last = None
while True:
    frame = read_matrix(sys.argv[1])
    values = set(frame.to_numpy().ravel().tolist())
    assert len(values) == 1, values
    value = values.pop()
    assert len(frame) == 30 + value and frame.shape[1] == 2 + value % 3, frame.shape
    if value != last:
        print(int(value), flush=True)
        last = value
    if value == 20:
        break
"""


def test_a_reader_sees_whole_matrices_only(tmp_path, write_parts):
    """A process reads in a loop while the table, its rows and columns, is replaced 20 times."""
    layout = SinkLayout.of(tmp_path / "matrix")

    def write(number: int) -> None:
        key = layout.key(f"{number:064x}"[::-1])
        columns = [f"x__f{n}" for n in range(2 + number % 3)]
        go(layout, key, *write_parts(key, range(30 + number), columns, value=float(number)))

    write(0)
    reader = subprocess.Popen(
        [sys.executable, "-c", READ, layout.url], stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    seen = [-1]
    for number in range(1, 21):
        write(number)
        while number % 5 == 0 and seen[-1] < number:  # it is not left behind for ever
            seen.append(int(reader.stdout.readline()))
    with reader.stdout:
        assert reader.wait(timeout=60) == 0
    assert seen == sorted(set(seen))
    assert {5, 10, 15, 20} <= set(seen)


def test_values_come_back_bit_for_bit(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix")
    key = layout.key(KEYS[0])
    markers, schema = write_parts(key, range(100), ["x__a", "x__b"], n_parts=4)
    go(layout, key, markers, schema)
    expected = np.random.default_rng(7).normal(size=(100, 2))
    assert np.array_equal(read_matrix(layout.url).to_numpy(), expected)
    assert Path(layout.url, "_delta_log").is_dir()
