"""Windows: which row groups and rows are in them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.errors import DataError, SourceError
from tidemill.model.source import ColumnRoles, Reading, Window
from tidemill.sources.files.window_rows import (
    covers,
    inside,
    make_window,
    time_spans,
    touches,
    with_time,
)

COLUMNS = ColumnRoles("id", "time", None, ("x",))


def schema(type_):
    return pa.schema({"id": pa.int64(), "time": type_, "x": pa.float64()})


@pytest.mark.parametrize(
    ("unit", "first", "stop"), [("ns", 1, 2_000_000_001), ("us", 1, 2_000_001), ("s", 1, 3)]
)
def test_bounds_are_rounded_up_to_the_unit(unit, first, stop):
    window = make_window(schema(pa.timestamp(unit)), COLUMNS, 1, 2_000_000_001)
    assert window == Window(first, stop, unit)


def test_windows_need_timestamps():
    with pytest.raises(SourceError, match="column 'time' has type int64, but intervals need"):
        make_window(schema(pa.int64()), COLUMNS, 0, 1)
    with pytest.raises(SourceError, match="--time-unit"):
        make_window(schema(pa.int64()), COLUMNS, 0, 1)
    with pytest.raises(SourceError, match="--time-format"):
        make_window(schema(pa.string()), COLUMNS, 0, 1)


def metadata_of(tmp_path, times, type_, **options):
    table = pa.table({"time": pa.array(times, type_)})
    pq.write_table(table, tmp_path / "a.parquet", **options)
    return pq.read_metadata(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("first", "stop", "expected"),
    [(0, 10, True), (2, 6, True), (3, 9, None), (0, 5, None), (6, 9, False), (0, 2, False)],
)
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_row_groups_are_judged_by_their_statistics(tmp_path, first, stop, expected, zone):
    metadata = metadata_of(tmp_path, [2, 5], pa.timestamp("us", zone))
    window = Window(first, stop, "us")
    assert covers(window, metadata.row_group(0), "time", Reading()) is expected
    spans = time_spans(COLUMNS, Reading(), metadata)
    assert touches(window, spans) is (expected is not False)


def test_nothing_is_known_without_statistics_or_with_nulls(tmp_path):
    window = Window(100, 200, "us")
    blind = metadata_of(tmp_path, [2, 5], pa.timestamp("us"), write_statistics=False)
    assert covers(window, blind.row_group(0), "time", Reading()) is None
    assert time_spans(COLUMNS, Reading(), blind) == (None,)
    nulls = metadata_of(tmp_path, [2, None], pa.timestamp("us"))
    assert covers(window, nulls.row_group(0), "time", Reading()) is None


def test_nanoseconds_near_a_bound_are_left_to_the_rows(tmp_path):
    metadata = metadata_of(tmp_path, [5_000, 9_500], pa.timestamp("ns"))
    assert covers(Window(5_000, 20_000, "ns"), metadata.row_group(0), "time", Reading()) is None
    assert covers(Window(0, 20_000, "ns"), metadata.row_group(0), "time", Reading()) is True
    assert covers(Window(20_000, 30_000, "ns"), metadata.row_group(0), "time", Reading()) is False


def batch(times, unit="us"):
    return pa.record_batch({"x": [0.0, 1.0, 2.0], "time": pa.array(times, pa.timestamp(unit))})


def rows(times, first, stop):
    found = inside(Window(first, stop, "us"), iter([batch(times)]), ["x"], COLUMNS)
    return [one.to_pydict() for one in found]


def test_rows_are_those_from_first_up_to_stop():
    assert rows([1, 2, 3], 2, 3) == [{"x": [1.0]}]
    assert rows([1, 2, 3], 0, 9) == [{"x": [0.0, 1.0, 2.0]}]
    assert rows([1, 2, 3], 4, 9) == []


def test_null_times_are_refused():
    with pytest.raises(DataError, match="column 'time' is null in 1 row"):
        rows([1, None, 3], 0, 9)


def test_the_sort_column_is_read_once():
    assert with_time(["x"], COLUMNS) == ["x", "time"]
    assert with_time(["time", "x"], COLUMNS) == ["time", "x"]
