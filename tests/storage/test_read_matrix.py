"""Matrices come back with the index, types and columns they were published with."""

from __future__ import annotations

import json
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tidemill.errors import ArgumentError, DamagedFileError, SinkError
from tidemill.model.ids import mark_ids
from tidemill.model.interval import Interval
from tidemill.model.source import ColumnRoles
from tidemill.storage import tables
from tidemill.storage.intervals import IntervalRecord, write_interval
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.read_matrix import read_matrix, read_rows
from tidemill.storage.sealed import seal

from .publishing import go

KEYS = tuple(letter * 64 for letter in "abc")
JANUARY, FEBRUARY = "20300101T000000Z", "20300201T000000Z"
MARCH, APRIL = "20300301T000000Z", "20300401T000000Z"


@pytest.fixture
def two_months(tmp_path, write_parts) -> SinkLayout:
    """A table whose second interval lacks one column and has another one."""
    layout = SinkLayout.of(tmp_path / "matrix")
    months = [(JANUARY, range(3), ["x__a", "x__b"]), (FEBRUARY, range(1, 5), ["x__c", "x__b"])]
    for result_key, (interval, ids, columns) in zip(KEYS, months, strict=False):
        key = layout.key(result_key)
        go(layout, key, *write_parts(key, ids, columns), interval=interval)
    return layout


def test_columns_stand_in_the_order_of_the_newest_interval(two_months):
    frame = read_matrix(two_months.url)
    assert list(frame.columns) == ["x__c", "x__b", "x__a"]
    assert frame.index.names == ["interval", "id"]
    assert frame.index.is_monotonic_increasing
    assert frame.loc["2030-01-01", "x__c"].isna().all()
    assert frame.loc["2030-02-01", "x__a"].isna().all()
    assert frame["x__b"].notna().all()


def test_one_interval_has_the_index_of_its_ids(two_months):
    frame = read_matrix(two_months.url, JANUARY)
    assert (frame.index.name, list(frame.index)) == ("id", [0, 1, 2])
    assert list(frame.columns)[:2] == ["x__a", "x__b"]
    assert frame["x__c"].isna().all()
    assert frame.dtypes.eq(np.float64).all()


def test_rows_have_the_columns_they_were_made_with(two_months):
    assert list(read_rows(two_months, JANUARY).columns) == ["x__a", "x__b"]
    rows = read_rows(two_months, FEBRUARY)
    assert list(rows.columns) == ["x__c", "x__b"]
    assert sorted(rows.index) == [1, 2, 3, 4]


def test_what_is_not_published_is_named(two_months, tmp_path):
    known = "2030-01-01 00:00, 2030-02-01 00:00"
    with pytest.raises(SinkError, match=f"interval='x' is not published .* has {known}"):
        read_matrix(two_months.url, "x")
    with pytest.raises(SinkError, match="interval x is not published"):
        read_rows(two_months, "x")
    for name in ("nothing", "nothing.parquet", "nothing.csv"):
        with pytest.raises(
            SinkError, match=r"nothing is published at .*; run tidemill extract"
        ) as caught:
            read_matrix(tmp_path / name)
        assert "has started" not in str(caught.value)
    with pytest.raises(SinkError, match="nothing is published"):
        read_rows(SinkLayout.of(tmp_path / "nothing"), "x")


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet"])
def test_a_run_that_has_not_finished_is_mentioned(tmp_path, name):
    layout = SinkLayout.of(tmp_path / name)
    key = layout.key(KEYS[0])
    key.state.write(key.plan, b"{}")
    with pytest.raises(SinkError, match="a run has started there but has not finished"):
        read_matrix(layout.url)


def composite(layout: SinkLayout) -> tuple[list[Marker], pa.Schema]:
    """A part with ids of two columns, not in the order of the ids."""
    ids = [pa.field("plant", pa.string()), pa.field("sensor", pa.int16())]
    schema = pa.schema([*mark_ids(ids), pa.field("x__mean", pa.float64())])
    rows = pa.table({"plant": ["b", "007"], "sensor": [1, 2], "x__mean": [0.5, 1.5]})
    key = layout.key(KEYS[0])
    path = key.part(0)
    with key.data.open_output(path) as file:
        pq.write_table(rows.cast(schema.remove_metadata()).cast(schema), file)
    size = key.data.info(path).size
    return [Marker(0, path, rows=2, bytes=size, checksum="", seconds=0.1)], schema


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet", "matrix.csv"])
def test_composite_ids_are_levels_of_the_index(tmp_path, name):
    layout = SinkLayout.of(tmp_path / name)
    published = go(layout, layout.key(KEYS[0]), *composite(layout))
    assert published.id_type == ["string", "int16"]
    frame = read_matrix(layout.url)
    assert frame.index.names == ["plant", "sensor"]
    assert frame.index.tolist() == [("007", 2), ("b", 1)]
    assert frame.index.dtypes["sensor"] == np.int16
    assert frame["x__mean"].tolist() == [1.5, 0.5]


def test_a_csv_without_its_pointer_is_read_as_it_looks(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    key = layout.key(KEYS[0])
    go(layout, key, *write_parts(key, ["007", "1"], ["x__mean"], id_type=pa.string(), n_parts=1))
    assert read_matrix(layout.url).index.tolist() == ["007", "1"]
    layout.state.delete(layout.published)
    assert read_matrix(layout.url).index.tolist() == [1, 7]


@pytest.mark.parametrize("pointer", [None, json.dumps({"id_type": "string"}).encode()])
def test_the_pointer_gives_the_types_of_a_csv_file(tmp_path, pointer):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    layout.home.write(layout.name, b"id,x__mean\n01,1\n02,\n")
    if pointer:
        layout.state.write(layout.published, pointer)
    frame = read_matrix(layout.url)
    assert frame.index.tolist() == (["01", "02"] if pointer else [1, 2])
    pd.testing.assert_series_equal(
        frame["x__mean"], pd.Series([1.0, np.nan], frame.index, name="x__mean")
    )


@pytest.mark.parametrize(
    "pointer", [b"", b"{}", seal({"id_type": "string"}).replace(b"string", b"binary")]
)
def test_types_of_ids_are_not_guessed_if_the_pointer_is_damaged(tmp_path, pointer):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    layout.home.write(layout.name, b"id,x__mean\n01,1\n02,\n")
    layout.state.write(layout.published, pointer)
    with pytest.raises(SinkError, match=r"published\.json is damaged"):
        read_matrix(layout.url)


HOUR = 3_600 * 10**9
ROLES = ColumnRoles("id", "time", None, ("x",))


def publish_hours(layout: SinkLayout, write_parts, starts, hours: int, timezone: str) -> list[str]:
    """Publish intervals that start at these times (UTC), with records; their names."""
    names = []
    for number, start in enumerate(starts):
        at = pd.Timestamp(start, tz="UTC").value
        about = Interval(at, at + hours * HOUR, at, timezone, f"{hours}h")
        key = layout.key(f"{number:064x}")
        go(layout, key, *write_parts(key, range(3), ["x__a"]), interval=about.name)
        made = "run", "2030-01-01T00:00:00Z", "key", "digest", (), "rows", {}, {}, ROLES
        span = about.name, about.start, about.end, about.start
        write_interval(layout, IntervalRecord(*span, *made, timezone=timezone, every=about.every))
        names.append(about.name)
    return names


@pytest.fixture
def berlin_days(tmp_path, write_parts) -> str:
    layout = SinkLayout.of(tmp_path / "days")
    starts = [f"2030-01-{day:02d} 23:00" for day in range(1, 5)]  # local days: 2nd to 5th
    publish_hours(layout, write_parts, starts, 24, "Europe/Berlin")
    return layout.url


def test_intervals_are_times_of_the_zone_of_the_table(berlin_days):
    level = read_matrix(berlin_days).index.levels[0]
    assert list(level) == list(pd.date_range("2030-01-02", periods=4, tz="Europe/Berlin"))
    assert str(level.tz) == "Europe/Berlin"


@pytest.mark.parametrize(
    "choice",
    [
        "2030-01-03", "2030-01-03 00:00", "2030-01-03T00:00+01:00", "20300102T230000Z",
        date(2030, 1, 3), datetime(2030, 1, 3), pd.Timestamp("2030-01-03"),  # noqa: DTZ001
        pd.Timestamp("2030-01-02 23:00", tz="UTC"),
    ],
)  # fmt: skip
def test_one_day_is_chosen_in_any_way_of_writing_it(berlin_days, choice):
    expected = read_matrix(berlin_days).loc[pd.Timestamp("2030-01-03", tz="Europe/Berlin")]
    pd.testing.assert_frame_equal(read_matrix(berlin_days, choice), expected)


@pytest.mark.parametrize(
    ("span", "days"),
    [
        (slice("2030-01-03", "2030-01-05"), [3, 4]),
        (slice(None, date(2030, 1, 4)), [2, 3]),
        (slice("20300103T230000Z", None), [4, 5]),
        (slice(None), [2, 3, 4, 5]),
        (slice("2030-01-03 00:01", "2030-01-04 12:00"), [4]),
    ],
)
def test_a_slice_is_a_half_open_span_of_starts(berlin_days, span, days):
    level = read_matrix(berlin_days, span).index.unique("interval")
    assert [one.day for one in level] == days


@pytest.mark.parametrize(
    ("choice", "error", "said"),
    [
        ("2030-01-09", SinkError, r"'2030-01-09' is not pub.* has 2030-01-02, 2030-01-03, 2030-01"),
        (date(2030, 1, 9), SinkError, "interval='2030-01-09' is not published"),
        ("2030-01-03 07:00", SinkError, "interval='2030-01-03 07:00' is not published"),
        (slice("2031-01-01", None), SinkError, r"slice\('2031-01-01', None\) is not published"),
        (slice("soon", None), ArgumentError, "is not a span.* None for an open end"),
        (slice("2030-01-01", None, 2), ArgumentError, "has a step"),
        (7, ArgumentError, "7 is a int; give a date or time"),
    ],
)
def test_what_is_no_interval_of_the_table_is_refused(berlin_days, choice, error, said):
    with pytest.raises(error, match=said):
        read_matrix(berlin_days, choice)


def test_an_hour_that_the_clock_shows_twice_needs_its_offset(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "hours")
    starts = ["2030-10-27 00:00", "2030-10-27 01:00", "2030-10-27 02:00"]  # 2:00, 2:00, 3:00
    publish_hours(layout, write_parts, starts, 1, "Europe/Berlin")
    both = r"2030-10-27 02:00\+02:00, 2030-10-27 02:00\+01:00"
    with pytest.raises(SinkError, match=f"several intervals .*: {both}; give the time of one"):
        read_matrix(layout.url, "2030-10-27 02:00")
    with pytest.raises(SinkError, match=f"'2030-10-27' stands for several .*{both}, 2030-10-27 03"):
        read_matrix(layout.url, "2030-10-27")
    assert len(read_matrix(layout.url, "2030-10-27 02:00+01:00")) == 3
    assert len(read_matrix(layout.url, "2030-10-27 03:00")) == 3


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet"])
def test_a_damaged_file_is_named_and_no_other_value_is_shown(name, tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / name)
    key = layout.key(KEYS[0])
    go(layout, key, *write_parts(key, range(5), ["x__a", "x__b"]))
    path = next(tmp_path.glob("matrix/*.parquet")) if name == "matrix" else tmp_path / name
    good, expected = path.read_bytes(), matrix_or_error(layout.url)
    flipped = [
        good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :]
        for place in range(0, len(good), 10)
    ]
    seen = []
    for bad in (good[: len(good) // 2], b"", bytes(len(good)), *flipped):
        path.write_bytes(bad)
        seen.append(matrix_or_error(layout.url))
    refusals = {one for one in seen if isinstance(one, str)}
    assert len(refusals) > 5
    for refusal in refusals:
        assert refusal.startswith(f"{path} is damaged (")
        assert "tidemill verify" in refusal
        assert "\n" not in refusal
    for one in seen:
        if not isinstance(one, str):
            np.testing.assert_array_equal(one, expected)


def matrix_or_error(url):
    """The values with their ids, or what is said about a damaged file."""
    try:
        return read_matrix(url).reset_index().to_numpy()
    except DamagedFileError as error:
        return str(error)


def test_a_damaged_csv_file_is_named(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix.csv")
    key = layout.key(KEYS[0])
    go(layout, key, *write_parts(key, range(5), ["x__a"]))
    path = tmp_path / "matrix.csv"
    path.write_bytes(path.read_bytes().replace(b".", b"!"))
    with pytest.raises(DamagedFileError, match=r"matrix\.csv is damaged \(.*tidemill verify"):
        read_matrix(layout.url)


def test_the_log_is_looked_at_once_for_all_intervals(two_months, monkeypatch):
    looks, pools = [], []
    look, pool = DeltaTable.get_add_actions, tables.ThreadPoolExecutor
    monkeypatch.setattr(
        DeltaTable, "get_add_actions", lambda self, **how: looks.append(0) or look(self, **how)
    )
    monkeypatch.setattr(tables, "ThreadPoolExecutor", lambda *how: pools.append(0) or pool(*how))
    frame = read_matrix(two_months.url)
    assert (len(frame), len(looks), len(pools)) == (7, 1, 1)


def test_neighbours_with_the_same_columns_keep_their_intervals(tmp_path, write_parts):
    layout = SinkLayout.of(tmp_path / "matrix")
    columns = {JANUARY: ["x__a"], FEBRUARY: ["x__a"], MARCH: ["x__b"], APRIL: ["x__a"]}
    for number, (interval, names) in enumerate(columns.items()):
        key = layout.key(f"{number:064d}")
        ids = range(number, number + 3)
        go(layout, key, *write_parts(key, ids, names, n_parts=2), interval=interval)
    frame = read_matrix(layout.url)
    assert list(frame.columns) == ["x__a", "x__b"]
    assert frame.index.is_unique
    for number, (interval, names) in enumerate(columns.items()):
        own = read_matrix(layout.url, interval)
        assert list(own.index) == list(range(number, number + 3))
        start = pd.to_datetime(interval)
        pd.testing.assert_frame_equal(frame.loc[start][names], own[names], check_index_type=False)
        assert frame.loc[start].notna().any().sum() == 1
