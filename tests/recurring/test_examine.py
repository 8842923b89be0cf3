"""Intervals: only the rows of their windows count, and only what changed is calculated again."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tidemill.errors import (
    NoRowsError,
    SettingsError,
    SourceError,
)
from tidemill.execution.in_process import extract_here
from tidemill.model.series import Quarantined
from tidemill.planning.prepare import find_interval_files, look_at_files
from tidemill.recurring import examine as recurring
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import examine, examine_all, update_file_list
from tidemill.recurring.intervals import candidates, find_interval
from tidemill.recurring.table_checks import check_findings
from tidemill.sources.files import open as opening
from tidemill.storage.intervals import write_interval
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history, write_record

from ..support.daily import (
    DAILY,
    DAYS,
    FEWER,
    MORE,
    known,
    look,
    request,
    rows,
    run,
)

# Only the rows of the window count


@pytest.mark.parametrize("column", ["id", "x"])
def test_a_column_without_times_is_refused(column, source, table):
    about = replace(request(source, table, DAYS[0]), column_sort=column, column_id="time")
    with pytest.raises(SourceError, match="but intervals need times"):
        examine(about, None, recalculate=False)


# What changed is calculated again


def test_the_same_files_are_not_read_again(source, table, monkeypatch):
    run(source, table, DAYS[1])
    monkeypatch.setattr(recurring, "read_window", None)
    assert look(source, table, DAYS[1]).state == "unchanged"


def test_the_input_is_looked_at_once_for_all_unchanged_intervals(source, table, monkeypatch):
    for day in DAYS:
        run(source, table, day)
    looks, discover = [], opening.discover
    monkeypatch.setattr(opening, "discover", lambda *how: looks.append(0) or discover(*how))
    about = request(source, table, DAYS[0])
    intervals = [find_interval(DAILY, day) for day in DAYS]
    assert {one.state for one in examine_all(about, intervals)} == {"unchanged"}
    assert len(looks) == 1
    rows(DAYS[1], ids=4).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    found = examine_all(about, intervals)
    assert [one.state for one in found] == ["unchanged", "changed", "unchanged"]
    assert len(looks) == 3  # and once more before rows are read


def test_rows_are_those_of_the_files_as_they_are_when_they_are_read(source, table):
    """A file that is written between the look at all files and its own turn."""
    for day in DAYS[:2]:
        run(source, table, day)
    rows(DAYS[1], ids=4).to_parquet(source / f"{DAYS[1]}.parquet", index=False)
    about = request(source, table, DAYS[1])
    look = look_at_files(about)
    rows(DAYS[1], ids=3).to_parquet(source / f"{DAYS[1]}.parquet", index=False)

    def stale(asked):
        return find_interval_files(asked, look)

    found = examine(about, known(table)[about.interval.name], recalculate=False, files=stale)
    assert (found.state, found.source.rows) == ("changed", 72)


def test_poison_makes_an_interval_due_when_asked_or_when_what_calculates_changed(source, table):
    run(source, table, DAYS[1])
    layout, (record,) = SinkLayout.of(table), known(table).values()
    poison = Quarantined("3", None, "its process died of signal 11", is_poison=True)
    unclean = replace(poison, kind="x", reason="NaN", is_poison=False)

    def found(**options):
        finding = look(source, table, DAYS[1], **options)
        return finding.state, finding.reason

    write_interval(layout, replace(record, quarantined=(unclean,), made_with={"numpy": "1"}))
    assert found(retry_quarantined=True)[0] == "unchanged"
    write_interval(layout, replace(record, quarantined=(unclean, poison)))
    assert found()[0] == "unchanged"
    asked = "recalculated", "1 quarantined id is tried again: as was asked for"
    assert found(retry_quarantined=True) == asked
    before = {**record.made_with, "numpy": "1.2"}
    write_interval(layout, replace(record, quarantined=(poison,), made_with=before))
    state, reason = found()
    assert state == "recalculated"
    assert reason.startswith("1 quarantined id is tried again: numpy changed from 1.2 to ")
    # Version 0.1.0 left the ids in the run's record only.
    write_interval(layout, replace(record, made_with={}))
    (of_run,) = history(layout)
    write_record(layout, replace(of_run, quarantined=(poison,)))
    assert (found()[0], found(retry_quarantined=True)) == ("unchanged", asked)


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


def test_recalculation_makes_the_same_rows_anew(source, table):
    first = run(source, table, DAYS[1])
    found = look(source, table, DAYS[1], recalculate=True)
    assert found.state == "recalculated"
    again = run(source, table, DAYS[1], recalculates=found.replaces)
    assert again.digest == first.digest
    assert again.parts["calculated"] == again.parts["total"]
    assert again.acceptance["changes"]["altered"]["count"] == 0


# When a result is good


def test_a_window_without_rows_is_empty_and_never_published(source, table):
    assert look(source, table, "2026-11-25").state == "empty"
    with pytest.raises(NoRowsError, match="no row in the window of interval 2026-11-25"):
        run(source, table, "2026-11-25")
    assert not known(table)


# Changed settings


def test_other_columns_of_the_same_files_are_a_change(source, table):
    for day in DAYS:
        rows(day).assign(y=1.0).to_parquet(source / f"{day}.parquet", index=False)
    run(source, table, DAYS[0])
    about = request(source, table, DAYS[0])
    assert examine(about, known(table)[about.interval.name], recalculate=False).state == "unchanged"
    other = replace(about, column_value="y")
    found = examine(other, known(table)[about.interval.name], recalculate=False)
    assert (found.state, found.reason) == ("changed", "other columns are read")


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
        with pytest.raises(SettingsError, match=r"interval 2026-11-17: rows .* left out"):
            check_findings([found])


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
