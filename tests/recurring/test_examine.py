"""Intervals: only the rows of their windows count, and only what changed is calculated again."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.calculators import calculator
from tidemill.errors import (
    CalculationError,
    CheckError,
    LeaseLostError,
    NoRowsError,
    SettingsError,
    SinkError,
    SourceError,
)
from tidemill.execution import acceptance, job
from tidemill.execution.drift import Figures
from tidemill.execution.in_process import extract_here
from tidemill.execution.ordered_pool import Turn, in_turns
from tidemill.model.policies import Policies
from tidemill.planning import prepare as preparation
from tidemill.planning.check_limits import parse_checks
from tidemill.planning.request import make_request
from tidemill.planning.settings_change import settings_change
from tidemill.recurring import examine as recurring
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import examine, update_file_list
from tidemill.recurring.intervals import candidates, find_interval
from tidemill.recurring.table_checks import check_findings, check_table
from tidemill.reports.markdown import interval_page
from tidemill.storage import intervals
from tidemill.storage.intervals import interval_names, read_figures, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

DAILY = Calendar("1d")
DAYS = ("2026-11-17", "2026-11-18", "2026-11-19")


def rows(day: str, ids: int = 5, steps: int = 24) -> pd.DataFrame:
    """One row per hour and id, in time order."""
    times = pd.date_range(day, periods=steps, freq="1h")
    rng = np.random.default_rng(int(day[-2:]))
    frame = pd.DataFrame({"id": np.tile(np.arange(ids), steps), "time": times.repeat(ids)})
    return frame.assign(x=rng.normal(size=len(frame)).round(3))


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for day in DAYS:
        rows(day).to_parquet(folder / f"{day}.parquet", index=False)
    return folder


@pytest.fixture
def table(tmp_path) -> Path:
    return tmp_path / "table"


def request(
    source, table, day, calendar=DAILY, checks=None, on_settings_change="refuse", **options
):
    made = make_request(
        source, table, column_id="id", column_sort="time", **{"settings": "minimal"} | options
    )
    interval = find_interval(calendar, day)
    return replace(
        made, interval=interval, checks=parse_checks(checks), on_settings_change=on_settings_change
    )


def known(table):
    layout = SinkLayout.of(table)
    return read_intervals(layout, interval_names(layout))


def look(source, table, day, *, recalculate=False, **options):
    about = request(source, table, day, **options)
    found = examine(about, known(table).get(about.interval.name), recalculate=recalculate)
    update_file_list(about, found)
    return found


def run(source, table, day, calendar=DAILY, recalculates="", **options):
    about = request(source, table, day, calendar, **options)
    return extract_here(replace(about, recalculates=recalculates), threads=2)


def expected(frame, start, stop):
    inside = frame[(frame["time"] >= start) & (frame["time"] < stop)]
    return tidemill.extract_features(inside, "minimal", column_id="id", column_sort="time")


# Only the rows of the window count


def in_time_order(frame, folder):
    frame = frame.sort_values("time", kind="stable")
    pq.write_table(pa.Table.from_pandas(frame), folder / "all.parquet", row_group_size=17)


def by_id(frame, folder):
    frame = frame.sort_values(["id", "time"])
    pq.write_table(pa.Table.from_pandas(frame), folder / "all.parquet", row_group_size=50)


def without_statistics(frame, folder):
    pq.write_table(pa.Table.from_pandas(frame), folder / "all.parquet", write_statistics=False)


def as_csv(frame, folder):
    frame.to_csv(folder / "all.csv", index=False)


def with_text_ids(frame, folder):
    frame.assign(id="s" + frame["id"].astype(str)).to_parquet(folder / "all.parquet", index=False)


def in_unit(unit, zone=None):
    def write(frame, folder):
        times = (
            frame["time"]
            .dt.tz_localize(zone)
            .astype(f"datetime64[{unit}{(zone and f', {zone}') or ''}]")
        )
        frame.assign(time=times).to_parquet(folder / "all.parquet", index=False)

    write.__name__ = f"in_{unit}_{zone}"
    return write


SHAPES = [
    in_time_order, by_id, without_statistics, as_csv, with_text_ids, in_unit("s"), in_unit("ms"),
    in_unit("us"), in_unit("ns"), in_unit("us", "UTC"), in_unit("ns", "UTC"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "recorded"),
    [
        (None, "naive, taken as UTC"),
        ("UTC", "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_the_zone_of_the_times_is_recorded(zone, recorded, tmp_path, table):
    folder = tmp_path / "in"
    folder.mkdir()
    in_unit("us", zone)(pd.concat([rows(day) for day in DAYS]), folder)
    summary = run(folder, table, DAYS[1])
    (of_interval,) = known(table).values()
    (of_run,) = history(SinkLayout.of(table))
    found = {one.time_zone_of_input for one in (summary, of_interval, of_run)}
    assert found == {recorded}
    report = {
        "sink": "t",
        "findings": [],
        "holes": {"count": 0},
        "outdated": {"count": 0},
        "summaries": [summary.to_json()],
    }
    text = interval_page({"interval": summary.interval, **report})
    assert f"- times of the input: {recorded}" in text.splitlines()


@pytest.mark.parametrize("write", SHAPES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("window", [None, "30h"])
def test_rows_of_the_window_alone_count(write, window, tmp_path, table):
    frame = pd.concat([rows(day) for day in DAYS])
    folder = tmp_path / "in"
    folder.mkdir()
    write(frame, folder)
    calendar = Calendar("1d", window=window)
    summary = run(folder, table, DAYS[1], calendar)
    start = "2026-11-18" if window is None else "2026-11-17 18:00"
    wanted = expected(frame, start, "2026-11-19")
    matrix = tidemill.read_matrix(table, "20261118T000000Z")
    assert matrix.to_numpy().tobytes() == wanted.to_numpy().tobytes()
    assert summary.interval == "20261118T000000Z"


def test_files_outside_of_the_window_are_not_read(source, table):
    (source / "2026-11-17.parquet").write_bytes((source / "2026-11-17.parquet").read_bytes())
    found = recurring.find_interval_files(request(source, table, DAYS[2]))
    assert [file.path for file in found.files] == ["2026-11-19.parquet"]


@pytest.mark.parametrize("column", ["id", "x"])
def test_a_column_without_times_is_refused(column, source, table):
    about = replace(request(source, table, DAYS[0]), column_sort=column, column_id="time")
    with pytest.raises(SourceError, match="but intervals need timestamps"):
        examine(about, None, recalculate=False)


# What changed is calculated again


def test_every_interval_is_a_partition_and_no_other_is_touched(source, table):
    run(source, table, DAYS[0])
    before = {path: path.stat().st_mtime_ns for path in table.glob("*.parquet")}
    run(source, table, DAYS[1])
    matrix = tidemill.read_matrix(table)
    assert matrix.index.get_level_values(0).unique().tolist() == [
        "20261117T000000Z", "20261118T000000Z",
    ]  # fmt: skip
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_same_files_are_not_read_again(source, table, monkeypatch):
    run(source, table, DAYS[1])
    monkeypatch.setattr(recurring, "read_window", None)
    assert look(source, table, DAYS[1]).state == "unchanged"


def test_the_same_rows_in_other_files_change_nothing(source, table):
    run(source, table, DAYS[1])
    path = source / f"{DAYS[1]}.parquet"
    frame = pd.read_parquet(path)
    path.unlink()
    frame.iloc[::-1].iloc[:50].to_parquet(source / "b.parquet", index=False)
    frame.iloc[::-1].iloc[50:].to_parquet(source / "a.parquet", index=False)
    found = look(source, table, DAYS[1])
    assert (found.state, found.reason) == ("unchanged", "the same rows lie in other files")
    assert look(source, table, DAYS[1]).reason == "the files that touch its window are the same"


def test_a_late_row_opens_the_intervals_whose_window_holds_it(source, table):
    calendar = Calendar("1d", window="48h")
    due = candidates(calendar, find_interval(calendar, DAYS[2]))[-3:]
    for interval in due:
        extract_here(replace(request(source, table, DAYS[0]), interval=interval), threads=2)
    late = pd.DataFrame({"id": [3], "time": [pd.Timestamp("2026-11-18 10:10")], "x": [99.0]})
    late.to_parquet(source / "late.parquet", index=False)
    states = [look(source, table, day, calendar=calendar).state for day in DAYS]
    assert states == ["unchanged", "changed", "changed"]
    summary = run(source, table, DAYS[1], calendar)
    assert summary.acceptance["changes"] == {
        "added": {"count": 0, "ids": []},
        "removed": {"count": 0, "ids": []},
        "altered": {"count": 1, "ids": ["3"]},
    }
    records = {record.run_id: record for record in history(SinkLayout.of(table))}
    replaced = records[records[summary.run_id].acceptance["replaced"]]
    assert (replaced.interval, replaced.run_id != summary.run_id) == ("20261118T000000Z", True)
    assert [look(source, table, day, calendar=calendar).state for day in DAYS[1:]] == [
        "unchanged", "changed",
    ]  # fmt: skip


def test_ids_that_come_and_go_are_named(source, table):
    run(source, table, DAYS[1])
    path = source / f"{DAYS[1]}.parquet"
    frame = pd.read_parquet(path)
    frame = frame[frame["id"] != 0].replace({"id": {4: 7}})
    frame.to_parquet(path, index=False)
    changes = run(source, table, DAYS[1]).acceptance["changes"]
    assert changes["added"]["ids"] == ["7"]
    assert changes["removed"]["ids"] == ["0", "4"]
    assert changes["altered"]["count"] == 0


def test_all_ids_of_a_new_interval_are_added_and_the_first_named(source, table, monkeypatch):
    monkeypatch.setattr(acceptance, "NAMED", 3)
    changes = run(source, table, DAYS[0], part_bytes=500).acceptance["changes"]
    assert changes["added"] == {"count": 5, "ids": ["0", "1", "2"]}
    assert changes["removed"] == changes["altered"] == {"count": 0, "ids": []}


def test_the_figures_of_columns_are_those_of_the_matrix(source, table):
    """However many parts they lie in; features that moved are those of the interval before."""
    run(source, table, DAYS[0])
    assert known(table)["20261117T000000Z"].facts["nan_cells"] == 0
    features = run(source, table, DAYS[1], part_bytes=500).acceptance["features"]
    found = Figures.from_bytes(read_figures(SinkLayout.of(table), "20261118T000000Z"))
    old, new = (tidemill.read_matrix(table, f"{day.replace('-', '')}T000000Z") for day in DAYS[:2])
    assert found.columns == tuple(new.columns)
    np.testing.assert_allclose(found.mean, new.mean(), rtol=1e-14)
    np.testing.assert_allclose(found.spread, new.std(ddof=0), rtol=1e-9, atol=1e-15)
    apart = (new.mean() - old.mean()).abs() / old.std(ddof=0)
    assert features["moved"][0]["feature"] == apart.idxmax()
    assert features["before"] == "20261117T000000Z"


def test_recalculation_makes_the_same_rows_anew(source, table):
    first = run(source, table, DAYS[1])
    found = look(source, table, DAYS[1], recalculate=True)
    assert found.state == "recalculated"
    again = run(source, table, DAYS[1], recalculates=found.replaces)
    assert again.digest == first.digest
    assert again.parts["calculated"] == again.parts["total"]
    assert again.acceptance["changes"]["altered"]["count"] == 0


def test_a_failed_interval_goes_on_from_its_parts_though_others_ran(source, table, own_calculators):
    broken = [True]

    @calculator(version="1")
    def fragile(values):
        if broken[0] and abs(values[0] - last) < 1e-9:
            raise ValueError("broken")
        return 0.0

    last = rows(DAYS[1]).query("id == 4")["x"].iloc[0]
    options = {"settings": {"fragile": None}, "part_bytes": 300}
    with pytest.raises(CalculationError):
        run(source, table, DAYS[1], **options)
    run(source, table, DAYS[2], **options)
    broken[0] = False
    summary = run(source, table, DAYS[1], **options)
    assert 0 < summary.parts["reused"] < summary.parts["total"]
    assert not list((table / "_tidemill" / "keys").glob("*"))


# When a result is good


def test_a_failed_check_leaves_the_rows_of_before(source, table):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    before = tidemill.read_matrix(table)
    path = source / f"{DAYS[1]}.parquet"
    frame = pd.read_parquet(path)
    frame[frame["id"] < 2].to_parquet(path, index=False)
    with pytest.raises(CheckError, match=r"the rows fell from 5 to 2, by 60%.*the rows of before"):
        run(source, table, DAYS[1])
    pd.testing.assert_frame_equal(tidemill.read_matrix(table), before)
    (failed,) = [one for one in history(SinkLayout.of(table)) if one.state == "failed"]
    assert "fell from 5 to 2" in failed.message
    summary = run(source, table, DAYS[1], checks={"rows_drop": "off"})
    assert summary.rows == 2


def test_a_warning_is_recorded(source, table):
    frame = pd.read_parquet(source / f"{DAYS[0]}.parquet")
    frame.loc[3, "x"] = np.nan
    frame.to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    (finding,) = run(source, table, DAYS[0], on_nan="quarantine").acceptance["checks"]
    assert (finding["check"], finding["level"], finding["figure"]) == (
        "quarantined_series",
        "warn",
        1,
    )


def test_a_window_without_rows_is_empty_and_never_published(source, table):
    assert look(source, table, "2026-11-25").state == "empty"
    with pytest.raises(NoRowsError, match="no row in the window of interval 20261125T000000Z"):
        run(source, table, "2026-11-25")
    assert not known(table)


# Changed settings

MINIMAL = tidemill.Settings.from_any("minimal").canonical()["*"]
MORE = {"*": [*MINIMAL, ["skewness", {}]]}
FEWER = {"*": MINIMAL[1:]}


def test_other_settings_and_policies_are_refused_with_the_difference(source, table):
    run(source, table, DAYS[0])
    about = request(source, table, DAYS[1], settings={"skewness": None}, on_nan="omit")
    with pytest.raises(
        SettingsError,
        match=r"new features skewness; features left out .* on_nan='omit' instead of 'raise'. "
        r"Choose on_settings_change='recalculate', or 'append' where features are only added",
    ):
        check_table(about, DAILY)
    check_table(request(source, table, DAYS[1]), DAILY)
    check_table(replace(about, on_settings_change="recalculate"), DAILY)


def test_another_window_is_as_another_setting(source, table):
    run(source, table, DAYS[1])
    longer = Calendar("1d", window="2d")
    about = request(source, table, DAYS[1], longer)
    with pytest.raises(SettingsError, match=r"made otherwise: a window of 48 instead of 24 hours"):
        check_table(about, longer)
    anew = replace(about, on_settings_change="recalculate")
    check_table(anew, longer)
    found = examine(anew, known(table)[about.interval.name], recalculate=False)
    assert (found.state, found.is_due) == ("changed", True)
    assert "a window of 48 instead of 24 hours" in found.reason
    extract_here(anew, threads=1)
    frame = pd.concat([rows(day) for day in DAYS])
    wanted = expected(frame, DAYS[0], DAYS[2])
    made = tidemill.read_matrix(table, about.interval.name)
    pd.testing.assert_frame_equal(made, wanted, check_names=False)


@pytest.mark.parametrize(
    "calendar", [Calendar("1h"), Calendar("1d", "Europe/Berlin"), Calendar("1d", anchor="6h")]
)
def test_other_intervals_are_refused(calendar, source, table):
    run(source, table, DAYS[0])
    about = request(source, table, DAYS[1], on_settings_change="recalculate")
    with pytest.raises(SettingsError, match="has other intervals than those of every="):
        check_table(about, calendar)


def test_other_columns_of_the_same_files_are_a_change(source, table):
    for day in DAYS:
        rows(day).assign(y=1.0).to_parquet(source / f"{day}.parquet", index=False)
    run(source, table, DAYS[0])
    about = request(source, table, DAYS[0])
    assert examine(about, known(table)[about.interval.name], recalculate=False).state == "unchanged"
    other = replace(about, column_value="y")
    found = examine(other, known(table)[about.interval.name], recalculate=False)
    assert (found.state, found.reason) == ("changed", "other columns are read")


@pytest.mark.parametrize("options", [{"settings": FEWER}, {"settings": MORE, "on_nan": "omit"}])
def test_append_refuses_what_is_more_than_new_features(options, source, table):
    run(source, table, DAYS[0])
    check_table(request(source, table, DAYS[1], on_settings_change="append", settings=MORE), DAILY)
    about = request(source, table, DAYS[1], on_settings_change="append", **options)
    with pytest.raises(SettingsError, match=r"features left out|on_nan='omit' instead"):
        check_table(about, DAILY)


@pytest.mark.parametrize(
    ("choice", "settings", "state", "late"),
    [
        ("refuse", MORE, "unchanged", "changed"),
        ("refuse", FEWER, "unchanged", "refused"),
        ("append", MORE, "extended", "changed"),
        ("append", FEWER, "unchanged", "refused"),
        ("recalculate", MORE, "recalculated", "changed"),
        ("recalculate", FEWER, "recalculated", "changed"),
    ],
)
def test_each_interval_is_compared_with_what_is_asked_for(
    choice, settings, state, late, source, table
):
    run(source, table, DAYS[0])
    options = {"on_settings_change": choice, "settings": settings}
    found = look(source, table, DAYS[0], **options)
    assert (found.state, "the settings changed: " in found.reason) == (state, True)
    path = source / f"{DAYS[0]}.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path, index=False)
    found = look(source, table, DAYS[0], **options)
    assert (found.state, "rows of its window changed" in found.reason) == (late, True)
    if late == "refused":
        with pytest.raises(SettingsError, match=r"interval 20261117T000000Z: rows .* left out"):
            check_findings([found])


def test_columns_that_are_no_longer_made_stay(source, table):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1])
    first = tidemill.read_matrix(table, "20261117T000000Z")
    about = request(
        source, table, DAYS[1], on_settings_change="recalculate", on_nan="omit",
        settings={"skewness": None, "maximum": None},
    )  # fmt: skip
    summary = extract_here(about, threads=2)
    assert "features left out" in summary.acceptance["settings_change"]
    assert "on_nan='omit' instead of 'raise'" in summary.acceptance["settings_change"]
    assert summary.note == "the settings changed, and all columns were calculated"
    assert summary.acceptance["changes"]["altered"]["count"] == 0
    second = tidemill.read_matrix(table, "20261118T000000Z")
    assert list(second.columns[:2]) == ["x__skewness", "x__maximum"]
    assert second.columns[second.notna().any()].tolist() == ["x__skewness", "x__maximum"]
    again = tidemill.read_matrix(table, "20261117T000000Z")
    pd.testing.assert_frame_equal(again[first.columns], first)
    assert again["x__skewness"].isna().all()
    whole = tidemill.read_matrix(table)
    assert (len(whole), set(whole.columns)) == (10, set(second.columns))


@pytest.mark.parametrize(
    ("before", "now", "gained", "lost"),
    [
        ({"*": [["mean", {}]]}, {"*": [["mean", {}]], "x": []}, (), ("x__mean",)),
        ({"x": [["mean", {}]]}, {"*": [["mean", {}]]}, ("mean",), ()),
        (
            {"*": [["quantile", {"q": 0.1}]]},
            {"*": [["quantile", {"q": 0.2}], ["quantile", {"q": 0.1}]]},
            ("quantile__q_0.2",),
            (),
        ),
        ({"*": [["mean", {}], ["maximum", {}]]}, {"*": [["maximum", {}], ["mean", {}]]}, (), ()),
    ],
)
def test_settings_are_compared_kind_by_kind(before, now, gained, lost, source, table):
    run(source, table, DAYS[0])
    (record,) = known(table).values()
    found = settings_change(now, Policies(), replace(record, settings=before))
    assert (found.gained, found.lost, bool(found)) == (gained, lost, bool(gained or lost))


def test_a_table_is_one_of_intervals_or_not(source, table):
    plain = table.with_name("plain")
    roles = {"column_id": "id", "column_sort": "time", "settings": "minimal"}
    run(source, table, DAYS[0])
    extract_here(make_request(source, plain, **roles), threads=1)
    with pytest.raises(SinkError, match="has intervals: it is one for tidemill extract-interval"):
        extract_here(make_request(source, table, **roles), threads=1)
    with pytest.raises(SinkError, match="has no intervals: it is one for tidemill extract;"):
        check_table(request(source, plain, DAYS[0]), DAILY)
    with pytest.raises(SinkError, match="is one file, which cannot be divided into intervals"):
        check_table(request(source, table.with_suffix(".parquet"), DAYS[0]), DAILY)
    assert len(tidemill.read_matrix(table)) == 5
    assert len(tidemill.read_matrix(plain)) == 5


def test_rows_that_were_looked_at_are_not_read_again(source, table, monkeypatch):
    about = request(source, table, DAYS[1])
    seen = replace(about, examined=examine(about, None, recalculate=False).source)
    reads, read = [], preparation.read_window
    monkeypatch.setattr(preparation, "read_window", lambda found: reads.append(1) or read(found))
    extract_here(seen)
    assert not reads
    rows(DAYS[1]).assign(x=0.0).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    extract_here(seen)
    assert reads
    assert (tidemill.read_matrix(table)["x__sum_values"] == 0).all()


def test_a_job_that_is_stopped_while_it_plans_publishes_nothing(source, table, monkeypatch):
    """A stop that comes before the job has its lease knows of no lease to take away."""
    stopped = threading.Event()

    def prepare(about):
        stopped.set()
        job.stop_jobs(about.sink, "stopped by a test")
        return preparation.prepare(about)

    monkeypatch.setattr(job, "prepare", prepare)
    with pytest.raises(CancelledError):
        extract_here(request(source, table, DAYS[0]), threads=1, turn=Turn((), stopped))
    assert known(table) == {}


def test_what_another_run_published_meanwhile_is_not_replaced_by_older_rows(
    source, table, monkeypatch
):
    real = job.acquire

    def late(*arguments, **options):
        monkeypatch.setattr(job, "acquire", real)
        rows(DAYS[0], ids=7).assign(id=lambda one: one["id"] + 5).to_parquet(
            source / "late.parquet"
        )
        run(source, table, DAYS[0])  # the schedule's, while this one waits
        return real(*arguments, **options)

    monkeypatch.setattr(job, "acquire", late)
    run(source, table, DAYS[0])
    assert len(tidemill.read_matrix(table, "20261117T000000Z")) == 12
    assert look(source, table, DAYS[0]).reason == "the files that touch its window are the same"


def test_what_was_noted_meanwhile_of_an_interval_stays(source, table):
    run(source, table, DAYS[0])
    frame = pd.read_parquet(source / f"{DAYS[0]}.parquet")
    frame.iloc[::-1].to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    about = request(source, table, DAYS[0])
    found = examine(about, known(table)[about.interval.name], recalculate=False)
    assert found.updated_record is not None
    frame.assign(x=1.5).to_parquet(source / f"{DAYS[0]}.parquet", index=False)
    run(source, table, DAYS[0])  # by the schedule, while a backfill examines other intervals
    before = known(table)
    update_file_list(about, found)
    assert known(table) == before


def test_parts_of_other_intervals_stay_whatever_their_keys_begin_with(source, table, monkeypatch):
    """Of 40,000 keys, two begin with the same eight digits one time in six."""
    real = preparation.result_key
    monkeypatch.setattr(preparation, "result_key", lambda *a, **b: "0" * 8 + real(*a, **b)[8:])
    for day in DAYS:
        run(source, table, day)
    assert len(tidemill.read_matrix(table)) == 15


def test_the_interval_before_is_found_without_reading_later_ones(source, table, monkeypatch):
    for day in DAYS:
        run(source, table, day)
    read, real = [], intervals._read
    monkeypatch.setattr(intervals, "_read", lambda *a: read.append(a[1]) or real(*a))
    second = find_interval(DAILY, DAYS[1])
    found = intervals.latest_interval(SinkLayout.of(table), second)
    assert found.name == "20261117T000000Z"
    assert read == [found.name]


def test_two_backfills_in_opposite_orders_do_not_wait_for_each_other(source, table):
    """Neither works ahead on an interval while its first one still waits for the other."""

    def fill(days):
        def work(day, turn):
            if not turn.before:
                time.sleep(1.0)  # the second one is at its interval's door before
            about = request(source, table, day)
            return extract_here(about, threads=1, wait_for_sink=6.0, turn=turn).rows

        return in_turns(work, days, concurrency=2)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(fill, [DAYS[:2], DAYS[1::-1]])) == [[5, 5], [5, 5]]


@pytest.mark.parametrize("days", [DAYS[:2], DAYS[1::-1]])
def test_ids_of_another_type_are_refused_where_other_intervals_have_theirs(days, source, table):
    frame = pd.read_parquet(source / f"{DAYS[0]}.parquet")
    frame.assign(id="s" + frame["id"].astype(str)).to_parquet(source / "text.parquet", index=False)
    files = {DAYS[0]: source / "text.parquet", DAYS[1]: source / f"{DAYS[1]}.parquet"}
    first, second = days
    run(files[first], table, first)
    with pytest.raises(SinkError, match="Cast the input's ids to the type of before"):
        run(files[second], table, second)
    assert len(tidemill.read_matrix(table)) == 5
    run(files[first], table, first, recalculates="again")


def test_a_stop_reaches_all_jobs_though_the_storage_fails_for_one(source, table, monkeypatch):
    with (
        job.Job.open(request(source, table, DAYS[0])) as first,
        job.Job.open(request(source, table, DAYS[1])) as second,
    ):
        with monkeypatch.context() as patched:
            patched.setattr(job.Lease, "release", failing_once(job.Lease.release))
            job.stop_jobs(first.request.sink, "stopped by a test")
        with pytest.raises(LeaseLostError, match="stopped by a test"):
            second.lease.check()


def failing_once(release):
    calls = iter([True])

    def fail(lease, reason):
        if next(calls, False):
            raise ConnectionError("a network that fails")
        release(lease, reason)

    return fail
