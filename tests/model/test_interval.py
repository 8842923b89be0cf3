"""Intervals and moments: names ascend as starts do, and no moment is rounded to another second."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.model.interval import Interval, utc

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
