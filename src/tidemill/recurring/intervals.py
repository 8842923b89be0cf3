"""Where intervals start and end, and which of them a run considers.

A :class:`Calendar` divides time into intervals without gaps or overlaps. All times are integers:
nanoseconds since 1970 in UTC, as in a block's ``times``. Only these take local times and text:
:func:`find_interval`, :func:`between` and :func:`last_closed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from tidemill.model.interval import MOST_INTERVALS, Interval, utc
from tidemill.recurring.calendars import (
    EARLIEST,
    Calendar,
    moment,
    read_times,
    refusal,
    rules_of,
    shown,
)

__all__ = [
    "between",
    "candidates",
    "find_interval",
    "interval_at",
    "is_closed",
    "last_closed",
    "local_text",
    "missing",
]


def interval_at(calendar: Calendar, time: int) -> Interval:
    """The interval that contains a moment.

    Parameters
    ----------
    calendar : how time is divided
    time : nanoseconds since 1970 in UTC

    Examples
    --------
    >>> day = interval_at(Calendar("1d", "America/Sao_Paulo"), 1_541_332_800_000_000_000)
    >>> day.name, (day.end - day.start) // 3_600_000_000_000  # its midnight was skipped
    ('20181104T030000Z', 23)
    """
    rules = rules_of(calendar)
    index = rules.index(time)
    end = rules.boundary(index + 1)
    window_start = rules.window_start(index + 1, end)
    own = calendar.timezone, calendar.every
    return Interval(rules.boundary(index), end, window_start, *own)


def find_interval(calendar: Calendar, value: Any, argument: str = "interval_start") -> Interval:
    """The interval with the given start time or name.

    Parameters
    ----------
    calendar : how time is divided
    value : a time of the calendar's time zone ("2026-11-20T00:00" or "2026-11-20"), a time with
        its offset ("2026-11-20T00:00+01:00"), an interval's name, a datetime or a date
    argument : name of the argument, for the message

    Raises
    ------
    ArgumentError
        If it is not a time, the local clock skips it or shows it twice, or no interval starts then.

    Examples
    --------
    >>> find_interval(Calendar("6h", "Europe/Berlin"), "2026-11-20T06:00").name
    '20261120T050000Z'
    >>> find_interval(Calendar("6h"), "2026-11-20T07:00")
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: interval_start='2026-11-20T07:00' is not allowed: no interval of
    every='6h' starts then; the nearest start at '2026-11-20T06:00:00+00:00' and
    '2026-11-20T12:00:00+00:00'
    """
    rules = rules_of(calendar)
    times = read_times(rules, argument, value)
    found = [interval_at(calendar, time) for time in times]
    starting = [one for one, time in zip(found, times, strict=True) if one.start == time]
    if len(starting) == 1:
        return starting[0]
    if starting:
        problem = f"the clocks of {calendar.timezone} show this time twice; choose"
        choice = [rules.text(time) for time in times]
    else:
        problem = f"no interval of every={calendar.every!r} starts then; the nearest start at"
        choice = [rules.text(time) for time in (found[0].start, found[0].end)]
    word = " or " if starting else " and "
    raise refusal(argument, value, f"{problem} {word.join(map(repr, choice))}")


def last_closed(calendar: Calendar, now: datetime) -> Interval:
    """The last interval with ``end + lag <= now``.

    Parameters
    ----------
    calendar : how time is divided
    now : when the run was scheduled to start, so that a retry processes the same interval

    Raises
    ------
    ArgumentError
        If `now` has no time zone.

    Examples
    --------
    >>> hourly = Calendar("1h", lag="10min")
    >>> last_closed(hourly, datetime.fromisoformat("2026-11-20T03:09Z")).name
    '20261120T010000Z'
    >>> last_closed(hourly, datetime.fromisoformat("2026-11-20T03:10Z")).name
    '20261120T020000Z'
    """
    still_open = interval_at(calendar, _scheduled(now) - rules_of(calendar).lag)
    return interval_at(calendar, still_open.start - 1)


def is_closed(calendar: Calendar, interval: Interval, now: datetime) -> bool:
    """Whether ``end + lag <= now``.

    Examples
    --------
    >>> hourly = Calendar("1h", lag="10min")
    >>> is_closed(hourly, interval_at(hourly, 0), datetime.fromisoformat("1970-01-01T01:09Z"))
    False
    """
    return interval.end + rules_of(calendar).lag <= _scheduled(now)


def candidates(calendar: Calendar, last: Interval) -> list[Interval]:
    """The intervals a run examines: `last` and ``calendar.earlier`` before it, oldest first.

    Examples
    --------
    >>> daily = Calendar("1d", lookback=2)
    >>> last = find_interval(daily, "2026-11-20")
    >>> [interval.name[:8] for interval in candidates(daily, last)]
    ['20261118', '20261119', '20261120']
    """
    return list(islice(_backwards(calendar, last), calendar.earlier + 1))[::-1]


def between(calendar: Calendar, start: Any, end: Any) -> list[Interval]:
    """The intervals of ``[start, end)``, oldest first.

    Parameters
    ----------
    calendar : how time is divided
    start, end : times at which intervals start, as :func:`find_interval` takes them

    Raises
    ------
    ArgumentError
        If no interval starts at one of them, `end` is not after `start`, or more than 100,000
        intervals lie between them.

    Examples
    --------
    >>> [day.name[:8] for day in between(Calendar("1d"), "2026-11-18", "2026-11-20")]
    ['20261118', '20261119']
    """
    first, stop = find_interval(calendar, start, "start"), find_interval(calendar, end, "end").start
    if stop <= first.start:
        raise refusal("end", end, f"give a time after start={shown(start)}")
    expected = (stop - first.start) // rules_of(calendar).step
    if expected > MOST_INTERVALS:
        raise refusal(
            "end",
            end,
            f"about {expected:,} intervals lie between start={shown(start)} and it; "
            f"ask for at most {MOST_INTERVALS:,} at a time",
        )
    return list(_forwards(calendar, first, stop))


def missing(calendar: Calendar, names: Iterable[str], until: Interval) -> list[Interval]:
    """The holes among published intervals, after the oldest one and before `until`.

    Parameters
    ----------
    calendar : how time is divided
    names : of the published intervals, in any order
    until : the first interval to leave out, such as the oldest candidate

    Raises
    ------
    ArgumentError
        If the oldest is not an interval of this calendar.

    Examples
    --------
    >>> daily = Calendar("1d")
    >>> names = ["20261116T000000Z", "20261118T000000Z"]
    >>> [day.name[:8] for day in missing(daily, names, find_interval(daily, "2026-11-20"))]
    ['20261117', '20261119']
    """
    published = set(names)
    if not published:
        return []
    first = find_interval(calendar, min(published), "interval")
    steps = _forwards(calendar, first, until.start)
    return [interval for interval in steps if interval.name not in published]


def local_text(calendar: Calendar, time: int) -> str:
    """A moment in local time with its offset, as text that can be passed back.

    Examples
    --------
    >>> local_text(Calendar("1d", "Europe/Berlin"), 0)
    '1970-01-01T01:00:00+01:00'
    """
    return rules_of(calendar).text(time)


def _scheduled(now: datetime) -> int:
    if now.tzinfo is None:
        raise refusal("now", now, "give a time with its time zone")
    return moment(now)


def _forwards(calendar: Calendar, first: Interval, stop: int) -> Iterator[Interval]:
    interval = first
    while interval.start < stop:
        yield interval
        interval = interval_at(calendar, interval.end)


def _backwards(calendar: Calendar, last: Interval) -> Iterator[Interval]:
    interval = last
    while utc(interval.start).year >= EARLIEST:
        yield interval
        interval = interval_at(calendar, interval.start - 1)
