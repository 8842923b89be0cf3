"""Intervals and moments: names ascend as starts do, and no moment is rounded to another second."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.model.interval import Interval, interval_label, start_of_name, utc

SECOND = 10**9
seconds = st.integers(-5 * 10**9, 9 * 10**9)  # 1811 to 2255


@given(seconds)
def test_a_name_leads_back_to_the_start(start):
    name = Interval(start * SECOND, (start + 1) * SECOND, start * SECOND).name
    read = datetime.strptime(name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert read == utc(start * SECOND)


@given(st.lists(seconds, min_size=2, max_size=5))
def test_names_and_intervals_ascend_as_starts_do(starts):
    intervals = [Interval(start * SECOND, 10**19, 0) for start in sorted(starts)]
    assert sorted(intervals) == intervals
    assert sorted(one.name for one in intervals) == [one.name for one in intervals]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (-1, "1969-12-31T23:59:59.999999+00:00"),
        (1_999, "1970-01-01T00:00:00.000001+00:00"),
        (4_102_444_800 * SECOND, "2100-01-01T00:00:00+00:00"),
    ],
)
def test_moments_are_cut_to_microseconds_towards_the_past(time, expected):
    assert utc(time).isoformat() == expected


def test_an_interval_is_frozen_and_may_be_a_key():
    interval = Interval(0, SECOND, 0)
    with pytest.raises(FrozenInstanceError):
        interval.start = 1
    assert {interval: "x"}[Interval(0, SECOND, 0)] == "x"
    assert interval != Interval(0, SECOND, -SECOND)


HOUR = 3_600 * SECOND


def nanoseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("start", "hours", "zone", "label"),
    [
        ("2026-11-26T23:00Z", 24, "Europe/Berlin", "2026-11-27"),
        ("2026-11-26T23:00Z", 24, "UTC", "2026-11-26 23:00"),
        ("2026-11-27T05:00Z", 24, "Europe/Berlin", "2026-11-27 06:00"),  # an anchor of 6 hours
        ("2026-11-26T23:00Z", 7 * 24, "Europe/Berlin", "2026-11-27"),
        ("2026-11-26T23:00Z", 1, "Europe/Berlin", "2026-11-27 00:00"),
        ("2026-11-26T23:00:07Z", 1, "Europe/Berlin", "2026-11-27 00:00:07"),
        ("2026-10-24T22:00Z", 25, "Europe/Berlin", "2026-10-25"),
        ("2026-10-25T00:00Z", 1, "Europe/Berlin", "2026-10-25 02:00+02:00"),  # shown twice
        ("2026-10-25T01:00Z", 1, "Europe/Berlin", "2026-10-25 02:00+01:00"),
        ("2026-10-25T02:00Z", 1, "Europe/Berlin", "2026-10-25 03:00"),
        ("2018-11-04T03:00Z", 23, "America/Sao_Paulo", "2018-11-04"),  # its midnight is skipped
    ],
)
def test_people_see_the_local_start_and_no_time_where_intervals_are_days(start, hours, zone, label):
    at = nanoseconds(start)
    assert interval_label(at, at + hours * HOUR, zone) == label
    assert Interval(at, at + hours * HOUR, at, zone).label == label


@given(st.integers(-(10**9), 4 * 10**9))
def test_a_name_gives_its_start_back(seconds):
    start = seconds * SECOND
    assert start_of_name(Interval(start, start + SECOND, start).name) == start


def test_the_calendar_of_an_interval_is_no_part_of_its_identity():
    assert Interval(0, SECOND, 0, "Europe/Berlin", "1s") == Interval(0, SECOND, 0)
