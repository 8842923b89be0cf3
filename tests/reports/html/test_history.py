"""The intervals that a report looks back on, and the gaps between them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemill.model.series import Quarantined
from tidemill.reports.html.history import History
from tidemill.storage.intervals import IntervalRecord, interval_names, read_intervals
from tidemill.storage.record import RunRecord

from .conftest import COUNT, HOLE, day_name

STARTED = "2026-10-05T00:00:00+00:00"
NEXT = RunRecord(
    "z", STARTED, state="failed", interval="20261004T000000Z", interval_label="2026-10-04"
)


def of(record: IntervalRecord) -> RunRecord:
    """The run that published an interval."""
    about = {"interval": record.name, "interval_label": record.label}
    return RunRecord(record.run_id, STARTED, state="finished", **about)


@pytest.fixture
def records(weeks_layout) -> list[IntervalRecord]:
    return list(read_intervals(weeks_layout, interval_names(weeks_layout)).values())


def test_a_slot_for_each_interval_and_for_each_hole(records):
    history = History.of(records, of(records[-1]))
    assert len(history.slots) == COUNT
    assert history.own is history.slots[-1]
    assert [place for place, slot in enumerate(history.slots) if slot.is_gap] == [HOLE]
    between = f"between {day_name(HOLE - 1)} and {day_name(HOLE + 1)}, not published"
    assert history.slots[HOLE].label == between
    assert [slot.name for slot in history.published] == [one.name for one in records]


def test_many_intervals_between_two_share_three_slots(records):
    history = History.of([records[0], records[-1]], of(records[-1]))
    assert [bool(slot.name) for slot in history.slots] == [True, False, False, False, True]
    assert history.slots[1].label.startswith(f"{COUNT - 2} intervals between ")


def test_an_interval_that_is_not_published_has_a_slot(records):
    history = History.of(records[:3], NEXT)
    assert history.own.label == "2026-10-04, not published"
    assert history.own.run_id == ""


def test_a_table_without_intervals():
    history = History.of([], NEXT)
    assert len(history.slots) == 1
    assert history.published == ()


def test_days_of_23_and_25_hours_leave_no_gap(records):
    hour = 3_600 * 10**9
    first = replace(records[0], start=0, end=23 * hour)
    second = replace(records[1], start=23 * hour, end=48 * hour)
    third = replace(records[2], start=72 * hour, end=96 * hour)
    history = History.of([first, second, third], of(third))
    assert [bool(slot.name) for slot in history.slots] == [True, True, False, True]


def test_a_record_without_counts_has_a_slot(records):
    (slot,) = History.of([replace(records[0], facts={})], of(records[0])).slots
    assert slot.counts is None
    assert slot.nan_share is None


@pytest.mark.parametrize("published", [True, False])
def test_what_failed_a_check_is_shown_in_the_place_of_its_interval(records, published):
    facts = {"rows": 1, "columns": 10, "nan_cells": 5}
    ids = (Quarantined("a", "x", "NaN"),)
    run = replace(NEXT, acceptance={"facts": facts}, quarantined=ids)
    last = records[3] if published else None
    before = replace(last, name=run.interval) if last else None
    history = History.of([*records[:3], *([before] if before else [])], run)
    assert len(history.slots) == 4
    assert history.own.is_refused
    assert not history.own.is_gap
    assert (history.own.run_id, history.own.nan_share, history.own.quarantined) == ("z", 0.5, ids)
    assert history.shown == (last.run_id if last else "")
    assert len(history.published) == 3


def test_a_run_whose_rows_were_replaced_since_shows_its_own(records):
    run = replace(of(records[-1]), run_id="old", acceptance={"facts": {"rows": 1, "columns": 1}})
    history = History.of(records, run)
    assert (history.own.run_id, history.own.counts.rows) == ("old", 1)
    assert history.own.name == records[-1].name
    assert history.shown == records[-1].run_id
