"""Intervals tile time in every time zone; a retry is about the same one; times people give."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

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
    is_closed,
    last_closed,
    local_text,
    missing,
)

SECOND = 10**9
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
YEAR = 366 * DAY
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
windows = st.sampled_from([None, "10min", "1h", "36h", "1d", "3d", "2w"])
times = st.integers(-60 * 365 * DAY, 110 * 365 * DAY)  # 1910 to 2080
moments = times.map(
    lambda time: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time // SECOND)
)
calendars = st.builds(
    Calendar,
    steps,
    zones,
    st.sampled_from([None, "10min", "2015-05-05", "2018-11-04T02:30", "2011-01-01T06:00+01:00"]),
    windows,
    st.sampled_from(["0s", "90s", "2h", "3d"]),
)


def local(time, zone):
    return datetime.fromtimestamp(time // SECOND, ZoneInfo(zone))


def hours(interval):
    return (interval.end - interval.start) / HOUR


def day_hours(zone, day):
    return hours(find_interval(Calendar("1d", zone), day))


@given(calendars, times)
def test_every_moment_lies_in_one_interval(calendar, time):
    interval = interval_at(calendar, time)
    assert interval.start <= time < interval.end
    for moment in (interval.start, interval.end - 1):
        assert interval_at(calendar, moment) == interval


@given(calendars, times)
def test_intervals_follow_one_another_without_gap_or_overlap(calendar, time):
    interval = interval_at(calendar, time)
    for _ in range(5):
        following = interval_at(calendar, interval.end)
        assert following.start == interval.end
        assert interval_at(calendar, following.start - 1) == interval
        assert interval.window_start <= following.window_start < following.end
        interval = following


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("every", ["1d", "1w"])
def test_days_and_weeks_tile_over_seventy_years(zone, every):
    calendar = Calendar(every, zone)
    interval, names = interval_at(calendar, -YEAR * 5), set()
    while interval.end < 65 * YEAR:
        following = interval_at(calendar, interval.end)
        assert interval.end == following.start < following.end
        names.add(following.name)
        interval = following
    assert len(names) > 3_600


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_starts_when_the_clock_first_shows_its_date(zone):
    """The slow way, minute by minute: a day's interval starts at the largest date so far."""
    calendar = Calendar("1d", zone)
    changes = {
        "Pacific/Kwajalein": date(1993, 8, 19),
        "Pacific/Apia": date(2011, 12, 28),
        "America/Sao_Paulo": date(2018, 11, 2),
        "America/Havana": date(2018, 11, 2),
        "America/St_Johns": date(2010, 11, 5),
        "Asia/Beirut": date(2022, 3, 25),
        "Africa/Cairo": date(2024, 4, 25),
    }
    noon = datetime.combine(changes.get(zone, date(2018, 3, 23)), datetime.min.time(), UTC)
    start = int(noon.timestamp()) // 60 * 60
    latest, expected = local(start * SECOND, zone).date(), []
    for second in range(start, start + 5 * 86_400, 60):
        if local(second * SECOND, zone).date() > latest:
            latest = local(second * SECOND, zone).date()
            expected.append(second * SECOND)
    interval, found = interval_at(calendar, expected[0]), []
    while interval.start <= expected[-1]:
        found.append(interval.start)
        interval = interval_at(calendar, interval.end)
    assert found == expected


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/Sao_Paulo", "2018-11-04", 23),  # its midnight is skipped
        ("America/Sao_Paulo", "2018-02-17", 25),  # ends with 23 o'clock twice
        ("Asia/Beirut", "2022-03-27", 23),  # its midnight is skipped
        ("Africa/Cairo", "2024-04-26", 23),  # its midnight is skipped
        ("Africa/Cairo", "2024-10-31", 25),
        ("America/Havana", "2018-11-04", 25),  # midnight comes twice: the first one counts
        ("America/St_Johns", "2010-11-07", 25),  # back to 23:01 at one past midnight: likewise
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("UTC", "2026-10-25", 24),
    ],
)
def test_lengths_of_local_days(zone, day, length):
    assert day_hours(zone, day) == length


def test_a_day_that_a_zone_skipped_has_no_interval():
    samoa = Calendar("1d", "Pacific/Apia", window="2d")
    before, after = between(samoa, "2011-12-29", "2012-01-01")
    assert before.end == after.start == find_interval(samoa, "2011-12-31").start
    assert after.window_start == before.end  # two days back from the end is the day skipped
    with pytest.raises(ArgumentError, match=r"Apia skip this time.*'2011-12-31T00:00:00\+14:00'"):
        find_interval(samoa, "2011-12-30")


def test_a_day_of_25_hours_has_25_hourly_intervals():
    hourly = Calendar("1h", "Europe/Berlin")
    assert len(between(hourly, "2026-10-25", "2026-10-26")) == 25
    assert len(between(hourly, "2026-03-29", "2026-03-30")) == 23
    assert all(hours(interval) == 1 for interval in between(hourly, "2026-10-25", "2026-10-26"))


def test_steps_that_do_not_divide_a_day_go_on_across_midnight():
    calendar = Calendar("7h", anchor="2026-11-20T00:00")
    starts = [interval.name for interval in between(calendar, "2026-11-20", "2026-11-21T04:00")]
    assert starts == [f"20261120T{hour:02}0000Z" for hour in (0, 7, 14, 21)]


@given(calendars, times)
def test_the_earliest_candidate_ends_before_the_last_window_and_so_holds_all_late_rows(
    calendar, time
):
    last = interval_at(calendar, time)
    earliest = candidates(calendar, last)[0]
    slack = 25 * HOUR  # of clocks that were put forward: up to a day, in Samoa
    assert earliest.end <= last.window_start + slack
    assert earliest < last


def test_candidates_end_with_the_years_that_can_be_told():
    weekly = Calendar("52w", lookback=100_000)
    found = candidates(weekly, find_interval(weekly, "2000-01-03"))
    assert 190 < len(found) < 210


@given(calendars, moments)
def test_the_last_closed_interval_is_closed_and_the_next_is_not(calendar, now):
    last = last_closed(calendar, now)
    assert is_closed(calendar, last, now)
    assert not is_closed(calendar, interval_at(calendar, last.end), now)


@given(calendars, moments, st.timedeltas(timedelta(0), timedelta(30)))
def test_the_last_closed_interval_never_goes_back(calendar, now, later):
    assert last_closed(calendar, now) <= last_closed(calendar, now + later)


def test_lag_and_the_scheduled_start_decide():
    daily = Calendar("1d", "Europe/Berlin", lag="2h")
    zone = ZoneInfo("Europe/Berlin")
    just = datetime(2026, 11, 20, 2, tzinfo=zone)
    assert last_closed(daily, just) == find_interval(daily, "2026-11-19")
    early = just - timedelta(microseconds=1)
    assert last_closed(daily, early) == find_interval(daily, "2026-11-18")
    assert last_closed(daily, just + timedelta(hours=5)) == last_closed(daily, just)
    # An interval counts as closed in the very moment in which it ends.
    assert last_closed(Calendar("1h"), datetime(1970, 1, 1, 1, tzinfo=UTC)).start == 0


@given(calendars, times)
def test_a_name_and_a_time_with_its_offset_lead_back_to_the_interval(calendar, time):
    interval = interval_at(calendar, time)
    assert find_interval(calendar, interval.name) == interval
    assert find_interval(calendar, local_text(calendar, interval.start)) == interval


@given(days, zones, times)
def test_the_local_date_leads_to_the_day(every, zone, time):
    calendar = Calendar(every, zone)
    interval = interval_at(calendar, time)
    given_time = local(interval.start, zone).date()
    if find_interval(Calendar("1d", zone), given_time).start == interval.start:
        assert find_interval(calendar, given_time) == interval


@pytest.mark.parametrize(
    ("every", "value", "message"),
    [
        (
            "1h",
            "2026-11-20T00:10",
            r"every='1h' starts then; .* '2026-11-20T00:00:00\+01:00' and '.*T01:00:00\+01:00'$",
        ),
        ("1w", "2026-11-20", r"'2026-11-16T00:00:00\+01:00' and '2026-11-23T00:00:00\+01:00'$"),
        ("1d", "2026-11-20T00:00Z", r"'2026-11-20T00:00:00\+01:00' and '2026-11-21T00"),
        ("1h", "2026-10-25T02:00", r"twice; choose '2026-10-25T02:00:00\+02:00' or '.*\+01:00'$"),
        ("1h", "2026-03-29T02:00", r"skip this time; the next one is '2026-03-29T03:00:00\+02:00'"),
        ("1d", "2026-03-29T02:30", "skip this time"),
        ("1h", "2026-11-20T00:00:00.5", "no interval of every='1h' starts then"),
        ("1h", "yesterday", "give a local time such as '2026-11-20T00:00'"),
        ("1h", 1_790_000_000, "give a local time"),
        ("1h", None, "give a local time"),
        ("1h", "1799-01-01", "give a year from 1800 to 2249"),
        ("1h", "0001-01-01T00:00+14:00", "give a year from 1800"),
    ],
)
def test_times_at_which_no_interval_starts_are_refused(every, value, message):
    calendar = Calendar(every, "Europe/Berlin")
    with pytest.raises(
        ArgumentError, match=f"^interval_start={re.escape(repr(value))} is not allowed: .*{message}"
    ):
        find_interval(calendar, value)


def test_a_skipped_midnight_is_the_name_of_its_day_and_no_other_skipped_time_is():
    daily = Calendar("1d", "America/Sao_Paulo")
    assert (
        local_text(daily, find_interval(daily, "2018-11-04").start) == "2018-11-04T01:00:00-02:00"
    )
    with pytest.raises(ArgumentError, match="skip this time"):
        find_interval(daily, "2018-11-04T00:30")
    with pytest.raises(ArgumentError, match="skip this time"):
        find_interval(Calendar("1h", "America/Sao_Paulo"), "2018-11-04")


def test_a_clock_that_skips_midnight_in_the_middle():
    toronto = Calendar("1d", "America/Toronto")  # in 1919, 23:30 was followed by 00:30
    assert (
        local_text(toronto, find_interval(toronto, "1919-03-31").start)[:16] == "1919-03-31T00:30"
    )


@given(calendars, times, st.integers(1, 40))
def test_a_backfill_is_the_same_intervals_as_the_schedules(calendar, time, count):
    expected = [interval_at(calendar, time)]
    while len(expected) < count:
        expected.append(interval_at(calendar, expected[-1].end))
    end = interval_at(calendar, expected[-1].end).name
    assert between(calendar, expected[0].name, end) == expected
    assert expected == sorted(expected)


@pytest.mark.parametrize(
    ("every", "start", "end", "message"),
    [
        ("1d", "2026-11-20", "2026-11-20", r"^end='2026-11-20' .*after start='2026-11-20'$"),
        ("1d", "2026-11-20", "2026-11-19", "^end="),
        ("1d", "2026-11-20T01:00", "2026-11-21", "^start='2026-11-20T01:00' .*nearest"),
        ("1d", "2026-11-20", "2026-11-21T01:00", "^end='2026-11-21T01:00' .*nearest"),
        ("1min", "2020-01-01", "2026-01-01", r"^end=.*3,156,480 intervals .*at most 100,000"),
    ],
)
def test_backfills_that_are_refused(every, start, end, message):
    with pytest.raises(ArgumentError, match=message):
        between(Calendar(every), start, end)


def test_missing_intervals():
    hourly = Calendar("1h")
    every = between(hourly, "2026-11-20", "2026-11-21")
    holes = {2, 3, 11}
    names = [interval.name for number, interval in enumerate(every) if number not in holes]
    assert missing(hourly, names[1:], every[20]) == [every[2], every[3], every[11]]
    assert missing(hourly, names, every[3]) == [every[2]]
    assert missing(hourly, [], every[3]) == []
    assert missing(hourly, names, every[0]) == []
    with pytest.raises(ArgumentError, match=r"^interval='20261120T010000Z' .*every='1d'"):
        missing(Calendar("1d"), names[1:], every[0])


def test_a_start_without_time_zone_is_refused():
    with pytest.raises(ArgumentError, match=r"^now='2026-11-20T00:00:00' .*with its time zone"):
        last_closed(Calendar("1h"), datetime(2026, 11, 20))  # noqa: DTZ001
