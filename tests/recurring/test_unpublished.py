"""Older intervals that need a backfill are counted, named and given a command."""

from __future__ import annotations

import pytest

from tidemill.recurring.intervals import between, candidates, find_interval
from tidemill.recurring.unpublished import (
    NAMED,
    needs_backfill,
    outdated_intervals,
    unpublished_intervals,
)

from ..support.daily import DAILY, DAYS, MORE, NAMES, request, run


def names(intervals):
    return [interval.name for interval in intervals]


@pytest.fixture
def last():
    return [find_interval(DAILY, DAYS[2])]


def test_holes_lie_between_the_oldest_published_and_the_ones_looked_at(source, table, last):
    about = request(source, table, DAYS[2])
    assert unpublished_intervals(about, DAILY, last) == []  # nothing is published yet
    run(source, table, DAYS[0])
    assert names(unpublished_intervals(about, DAILY, last)) == [NAMES[1]]
    run(source, table, DAYS[1])
    assert unpublished_intervals(about, DAILY, last) == []


@pytest.mark.parametrize(
    ("choice", "expected"), [("refuse", []), ("append", [NAMES[0]]), ("recalculate", [NAMES[0]])]
)
def test_older_intervals_with_other_settings_are_outdated_unless_these_may_not_change(
    choice, expected, source, table, last
):
    run(source, table, DAYS[0])
    run(source, table, DAYS[1], settings=MORE)
    run(source, table, DAYS[2])  # looked at itself, so it is no older one
    about = request(source, table, DAYS[2], settings=MORE, on_settings_change=choice)
    assert names(outdated_intervals(about, DAILY, last)) == expected


def test_a_report_names_the_first_and_counts_all(source, table):
    about = request(source, table, DAYS[2])
    holes = between(DAILY, "2026-10-01", "2026-10-21")
    found = needs_backfill(about, {"column_id": "id"}, DAILY, holes)
    assert (found.count, len(found.names)) == (20, NAMED)
    assert list(found.names) == [f"2026-10-{day:02d}" for day in range(1, NAMED + 1)]
    (command,) = found.commands
    assert "--start 2026-10-01T00:00:00+00:00 --end 2026-10-21T00:00:00+00:00" in command
    assert needs_backfill(about, {}, DAILY, []).commands == ()


def test_intervals_that_were_looked_at_are_no_holes(source, table):
    run(source, table, DAYS[0])
    looked_at = candidates(DAILY, find_interval(DAILY, DAYS[2]))
    assert names(looked_at)[0] == NAMES[1]
    assert unpublished_intervals(request(source, table, DAYS[2]), DAILY, looked_at) == []
