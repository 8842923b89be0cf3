"""Calendars: steps, anchors, windows and lookback; times people give."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import ArgumentError
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import (
    between,
    candidates,
    find_interval,
    interval_at,
    last_closed,
    local_text,
)

SECOND = 10**9


HOUR = 3_600 * SECOND


DAY = 24 * HOUR


# Clocks that change at midnight, by half an hour, at odd minutes, over a whole day (Samoa, the
# Marshall Islands), and offsets of quarters of an hour.
ZONES = [
    "UTC",
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Toronto",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Kwajalein",
]


zones = st.sampled_from(ZONES)


days = st.sampled_from(["1d", "2d", "1w"])


steps = st.one_of(days, st.sampled_from(["15min", "1h", "6h", "7h", "24h", "36h"]))


times = st.integers(-60 * 365 * DAY, 110 * 365 * DAY)  # 1910 to 2080


def local(time, zone):
    return datetime.fromtimestamp(time // SECOND, ZoneInfo(zone))


def hours(interval):
    return (interval.end - interval.start) / HOUR


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Asia/Kolkata", "Europe/London", "UTC"])
def test_by_default_steps_start_at_local_midnight_and_weeks_on_monday(zone):
    for every in ("15min", "1h", "6h", "24h", "1d"):
        assert find_interval(Calendar(every, zone), "2026-01-15").start
    monday = interval_at(Calendar("1w", zone), 1_790_000_000 * SECOND)
    assert local(monday.start, zone).strftime("%A %H:%M") == "Monday 00:00"


@pytest.mark.parametrize(
    ("every", "anchor", "start"),
    [
        ("1d", "6h", "2026-07-01T06:00"),
        ("1d", "2020-01-01T06:00", "2026-07-01T06:00"),
        ("1d", "2020-01-01T05:00Z", "2026-07-01T06:00"),  # six o'clock in winter's Berlin
        ("6h", "2020-01-01T05:00Z", "2026-07-01T05:00Z"),
        ("1h", "15min", "2026-07-01T06:15"),
        ("1w", "2d", "2026-07-01"),  # a Wednesday
        ("2d", "2026-07-03", "2026-07-01"),
        ("1d", datetime(2020, 1, 1, 6), "2026-07-01T06:00"),  # noqa: DTZ001
    ],
)
def test_anchors(every, anchor, start):
    assert find_interval(Calendar(every, "Europe/Berlin", anchor), start)


@pytest.mark.parametrize(
    ("every", "window", "end", "window_start"),
    [
        ("1d", None, "2026-03-30", "2026-03-29"),  # of 23 hours
        ("1d", "1d", "2026-03-30", "2026-03-29"),
        ("1d", "7d", "2026-03-30", "2026-03-23"),
        ("1d", "24h", "2026-03-30", "2026-03-28T23:00"),
        ("1h", "1d", "2026-03-30", "2026-03-28T23:00"),  # days of an hourly calendar: 24 hours
        ("1w", "2d", "2026-03-30", "2026-03-28"),
        ("1d", "10min", "2026-03-30", "2026-03-29T23:50"),
    ],
)
def test_windows_end_where_the_interval_ends(every, window, end, window_start):
    calendar = Calendar(every, "Europe/Berlin", window=window)
    *_, last = between(calendar, "2026-03-23", end)
    assert local_text(calendar, last.window_start)[:16] == f"{window_start}T00:00"[:16]


@given(st.one_of(days, steps), zones, times)
def test_the_default_window_is_the_interval_itself(every, zone, time):
    interval = interval_at(Calendar(every, zone), time)
    assert interval.window_start == interval.start


@pytest.mark.parametrize(
    ("every", "window", "lookback", "earlier"),
    [
        ("1d", None, None, 1),
        ("1d", "7d", None, 7),
        ("1d", "25h", None, 2),
        ("1h", "10min", None, 1),
        ("1h", "1d", None, 24),
        ("1h", "1d", 0, 0),
        ("1h", None, 48, 48),
    ],
)
def test_lookback(every, window, lookback, earlier):
    calendar = Calendar(every, window=window, lookback=lookback)
    last = find_interval(calendar, "2026-11-20")
    found = candidates(calendar, last)
    assert len(found) == calendar.earlier + 1 == earlier + 1
    assert found[-1] == last
    assert all(one.end == other.start for one, other in pairwise(found))


@pytest.mark.parametrize("value", ["1800-01-02", "2249-12-30"])
@pytest.mark.parametrize(("every", "zone"), [("366d", "Asia/Tokyo"), ("8784h", "America/Lima")])
def test_the_farthest_times_fit_into_int64(value, every, zone):
    calendar = Calendar(every, zone, anchor=value, window="36600d")
    for interval in candidates(calendar, find_interval(calendar, value)):
        assert np.array([interval.start, interval.end, interval.window_start]).dtype == np.int64
    with pytest.raises(ArgumentError, match="nearest start at"):
        find_interval(Calendar(every, zone), value)


def test_forms_of_times():
    daily = Calendar("1d", "Europe/Berlin")
    expected = find_interval(daily, "20261119T230000Z")
    assert expected.name == "20261119T230000Z"
    forms = [
        "2026-11-20",
        "2026-11-20T00:00",
        "2026-11-20 00:00:00",
        "2026-11-20T00:00+01:00",
        "2026-11-19T23:00Z",
        date(2026, 11, 20),
        datetime(2026, 11, 20),  # noqa: DTZ001 (local)
        datetime(2026, 11, 19, 23, tzinfo=UTC),
    ]
    assert all(find_interval(daily, form) == expected for form in forms)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": "0s"}, r"^every='0s' .*above zero"),
        ({"every": "hourly"}, "^every='hourly'"),
        ({"every": None}, "^every=None .*text such as '15min'"),
        ({"every": ["1h"]}, r"^every=\['1h'\]"),
        ({"every": timedelta(1)}, "^every=.*text such as"),
        ({"every": "0.5s"}, "^every='0.5s' .*whole seconds"),
        ({"every": "1d12h"}, "^every='1d12h' .*'36h'"),
        ({"every": "1.5d"}, "^every='1.5d' .*whole days"),
        ({"every": "53w"}, "^every='53w' .*at most '366d'"),
        ({"timezone": "Europe/Berln"}, "^timezone='Europe/Berln' .*IANA name"),
        ({"timezone": "America"}, "^timezone='America'"),
        ({"timezone": "../etc"}, "^timezone="),
        ({"timezone": ""}, "^timezone="),
        ({"timezone": None}, "^timezone=None"),
        ({"anchor": "noon"}, "^anchor='noon' .*or a duration shorter than every, such as '6h'"),
        ({"anchor": 6}, "^anchor=6"),
        ({"anchor": "1h"}, "^anchor='1h' .*shorter than every"),
        ({"anchor": "0.5s"}, "^anchor='0.5s' .*whole seconds"),
        ({"anchor": "2026-11-20T00:00:00.5"}, "^anchor=.*whole seconds"),
        ({"anchor": "9999-01-01"}, "^anchor=.*year from"),
        ({"window": "1000"}, "^window='1000'"),
        ({"window": 1000}, "^window=1000 .*text such as"),
        ({"window": "1d12h"}, "^window='1d12h'"),
        ({"window": "100000d"}, "^window='100000d' .*at most '36600d'"),
        ({"every": "1s", "window": "30d"}, r"^lookback=None .*2,592,000 times"),
        ({"lag": "-1h"}, "^lag='-1h' .*such as '0s'"),
        ({"lag": None}, "^lag=None"),
        ({"lookback": -1}, "^lookback=-1 .*from 0 to 100,000"),
        ({"lookback": True}, "^lookback=True"),
        ({"lookback": 1.0}, "^lookback=1.0"),
        ({"lookback": 100_001}, "^lookback=100001"),
    ],
)
def test_calendars_that_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Calendar(**{"every": "1h", **arguments})


def test_times_of_other_libraries_are_times():
    """Subclasses, such as those of Prefect and pandas, count in their own way."""

    class Other(datetime):
        def __sub__(self, other):
            return "something else"

    at = 2026, 11, 20, 0, 5
    for time in (Other(*at, tzinfo=UTC), pd.Timestamp(*at, tz="UTC"), datetime(*at, tzinfo=UTC)):
        assert last_closed(Calendar("1d"), time).name == "20261119T000000Z"
