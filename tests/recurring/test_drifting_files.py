"""A table of intervals over files as they come: types drift, columns come and go, files break."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.errors import ArgumentError, DataError, SourceError
from tidemill.execution.in_process import extract_here
from tidemill.planning.doors import EXTRACT_INTERVAL
from tidemill.planning.request import make_request
from tidemill.recurring import examine as recurring
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import examine
from tidemill.recurring.intervals import find_interval
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support.daily import DAYS, known, look, rows, run

BAD_FILES = {"on_bad_file": "quarantine"}
FIRST = dt.date(2026, 9, 1)


def answer(frame: pd.DataFrame) -> pd.DataFrame:
    return tidemill.extract_features(frame, "minimal", column_id="id", column_sort="time", n_jobs=1)


def published(table: Path, day: object) -> pd.DataFrame:
    name = f"{str(day).replace('-', '')}T000000Z"
    return tidemill.read_matrix(table, name)


def agree(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_names=False, check_index_type=False)


# What a day's file may look like: every form of the same rows.

VALUES = (
    lambda x: pa.array(x, pa.int64()),
    lambda x: pa.array(x, pa.float64()),
    lambda x: pa.array(x.astype(np.int8)),
    lambda x: pa.array(x, pa.float32()),
    lambda x: pa.array([Decimal(int(one)) for one in x], pa.decimal128(9, 2)),
    lambda x: pa.array(x, pa.int64()).dictionary_encode(),
)
TIMES = (
    lambda t: pa.array(t, pa.timestamp("us")),
    lambda t: pa.array(t, pa.timestamp("ns")),
    lambda t: pa.array(t, pa.timestamp("s")),
    lambda t: pa.array([str(one) for one in t]),
    lambda t: pa.array([one.isoformat() + ".000" for one in t]),
)
IDS = (pa.int64(), pa.int32(), pa.uint8())


def write_day(folder: Path, number: int, steps: int = 4) -> pd.DataFrame:
    """One day in one of ninety forms; its rows."""
    day = FIRST + dt.timedelta(days=number)
    times = pd.date_range(str(day), periods=steps, freq="6h")
    rng = np.random.default_rng(number)
    x = rng.integers(0, 50, 2 * steps)
    frame = pd.DataFrame({"id": np.repeat([1, 2], steps), "time": [*times, *times], "x": x})
    table = pa.table(
        {
            "id": pa.array(frame["id"], IDS[number % len(IDS)]),
            "time": TIMES[number % len(TIMES)](frame["time"].tolist()),
            "x": VALUES[number % len(VALUES)](x),
        }
    )
    pq.write_table(table, folder / f"{day}.parquet")
    return frame.astype({"x": float})


def test_every_day_of_a_lake_whose_types_drift(tmp_path, table):
    folder = tmp_path / "in"
    folder.mkdir()
    frames = [write_day(folder, number) for number in range(30)]
    for number in (0, 1, 2, 7, 13, 29):
        day = FIRST + dt.timedelta(days=number)
        run(folder, table, str(day))
        agree(published(table, day), answer(frames[number]))
    week = str(FIRST + dt.timedelta(days=29))
    windowed = run(folder, tmp_path / "weeks", week, Calendar("1d", window="7d"))
    assert windowed.rows == 2
    agree(published(tmp_path / "weeks", week), answer(pd.concat(frames[23:30])))


def test_a_file_of_another_day_changes_nothing(source, table, monkeypatch):
    run(source, table, DAYS[1])
    other = rows("2026-11-20").assign(y=1.5, x=lambda one: one["x"].astype("float32"))
    other["time"] = other["time"].astype("datetime64[ms]")
    other.to_parquet(source / "2026-11-20.parquet", index=False)
    monkeypatch.setattr(recurring, "read_window", pytest.fail)
    assert look(source, table, DAYS[1]).state == "unchanged"


def test_a_new_column_begins_with_its_interval(source, table):
    run(source, table, DAYS[0])
    day = rows(DAYS[1]).assign(y=lambda one: one["x"] + 1)
    day.to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    run(source, table, DAYS[1])
    first = published(table, DAYS[0])
    agree(first.filter(like="x__"), answer(rows(DAYS[0])))
    assert first.filter(like="y__").isna().all(axis=None)
    agree(published(table, DAYS[1]), answer(day))
    assert look(source, table, DAYS[0]).state == "unchanged"
    both = tidemill.read_matrix(table)
    assert both["y__mean"].isna().sum() == 5
    assert len(both) == 10


def test_a_table_of_narrow_ids_takes_wider_ones_that_fit(source, table):
    narrow = rows(DAYS[0]).astype({"id": "int32"})
    narrow.to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    run(source, table, DAYS[0])
    rows(DAYS[1]).astype({"id": "float64"}).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    for day in DAYS[1:]:
        run(source, table, day)
    assert tidemill.read_matrix(table).index.levels[1].dtype == "int32"
    wide = rows(DAYS[2]).assign(id=lambda one: one["id"] + 2**40)
    wide.to_parquet(source / f"{DAYS[2]}.parquet", index=False)
    with pytest.raises(DataError, match="column 'id' is read as int32"):
        run(source, table, DAYS[2])


# Bad files


def test_a_bad_file_is_left_out_named_and_read_again_when_it_changes(source, table):
    good = source / f"{DAYS[1]}.parquet"
    broken = source / f"{DAYS[1]}-late.parquet"
    whole = rows(DAYS[1]).assign(id=lambda one: one["id"] + 100)
    whole.to_parquet(broken, index=False)
    data = broken.read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"-late\.parquet cannot be read"):
        run(source, table, DAYS[1])
    summary = run(source, table, DAYS[1], **BAD_FILES)
    assert [one["path"] for one in summary.bad_files] == [broken.name]
    agree(published(table, DAYS[1]), answer(rows(DAYS[1])))
    (record,) = history(SinkLayout.of(table), 1)
    assert "damaged or incomplete" in record.bad_files[0]["reason"]
    found = look(source, table, DAYS[1], **BAD_FILES)
    assert found.state == "unchanged"
    assert [path for path, _ in found.bad_files] == [broken.name]
    broken.write_bytes(data)
    assert look(source, table, DAYS[1], **BAD_FILES).state == "changed"
    run(source, table, DAYS[1], **BAD_FILES)
    agree(published(table, DAYS[1]), answer(pd.concat([rows(DAYS[1]), whole])))
    assert known(table)[f"{DAYS[1].replace('-', '')}T000000Z"].bad_files == ()
    assert good.exists()


def test_damage_behind_a_sound_footer_is_found_before_anything_is_calculated(source, table):
    path = source / f"{DAYS[1]}-b.parquet"
    rows(DAYS[1]).assign(id=7).drop_duplicates("time").to_parquet(path, index=False)
    data = bytearray(path.read_bytes())
    data[4:60] = bytes(56)
    path.write_bytes(data)
    summary = run(source, table, DAYS[1], **BAD_FILES)
    assert [one["path"] for one in summary.bad_files] == [path.name]
    agree(published(table, DAYS[1]), answer(rows(DAYS[1])))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,time,x\n1,2026-11-18,oops\n"])
def test_files_that_tell_nothing_are_left_out_of_every_interval(source, table, content):
    (source / "zz.parquet").write_bytes(content)
    for day in DAYS[:2]:
        assert len(run(source, table, day, **BAD_FILES).bad_files) == 1
        assert look(source, table, day, **BAD_FILES).state == "unchanged"


# Whose clock


def in_berlin(source: Path, table: Path, **options):
    """A request for a local day."""
    given = {"column_id": "id", "column_time": "time", "settings": "minimal", **options}
    made = make_request(source, table, door=EXTRACT_INTERVAL, timezone="Europe/Berlin", **given)
    interval = find_interval(Calendar("1d", "Europe/Berlin"), DAYS[1])
    return replace(made, interval=interval)


def test_naive_times_need_a_zone_where_days_are_not_those_of_utc(source, table):
    message = r"input_timezone='UTC'.*input_timezone='Europe/Berlin'"
    with pytest.raises(ArgumentError, match=message):
        examine(in_berlin(source, table), None, recalculate=False)
    local = in_berlin(source, table, input_timezone="Europe/Berlin")
    extract_here(local, threads=1)
    agree(tidemill.read_matrix(table, local.interval.name), answer(rows(DAYS[1])))
    in_utc = in_berlin(source, tmp := table.with_name("utc"), input_timezone="UTC")
    extract_here(in_utc, threads=1)
    both = pd.concat([rows(DAYS[0]), rows(DAYS[1])])
    hours = both["time"] + pd.Timedelta("1h")
    day = both[(hours >= DAYS[1]) & (hours < DAYS[2])]
    agree(tidemill.read_matrix(tmp, in_utc.interval.name), answer(day))


@pytest.mark.parametrize(
    ("write", "options"),
    [
        (lambda times: times.dt.date, {}),
        (lambda times: times.dt.strftime("%Y-%m-%d %H:%M"), {}),
        (lambda times: times.dt.strftime("%d.%m.%Y %H:%M"), {"time_format": "%d.%m.%Y %H:%M"}),
        (lambda times: times.astype("datetime64[s]").astype("int64"), {"time_unit": "s"}),
        (lambda times: times.astype("datetime64[ms]").astype("int64"), {"time_unit": "ms"}),
    ],
)
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_days_by_dates_text_and_integers(tmp_path, table, write, options, suffix):
    folder = tmp_path / "in"
    folder.mkdir()
    for day in DAYS:
        frame = rows(day).drop_duplicates("id")
        frame = frame.assign(time=write(frame["time"]))
        if suffix == "csv":
            frame.to_csv(folder / f"{day}.csv", index=False)
        else:
            frame.to_parquet(folder / f"{day}.parquet", index=False)
    run(folder, table, DAYS[1], **options)
    agree(published(table, DAYS[1]), answer(rows(DAYS[1]).drop_duplicates("id")))
