"""Intervals of data time, and moments as integers: nanoseconds since 1970 in UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

__all__ = ["MOST_INTERVALS", "Interval", "interval_label", "start_of_name", "utc"]

#: The largest number of intervals in one request.
MOST_INTERVALS = 100_000

_NAME = "%Y%m%dT%H%M%SZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """The half-open span ``[start, end)`` of data time that one row per id describes.

    Examples
    --------
    >>> Interval(start=0, end=3_600_000_000_000, window_start=0).name
    '19700101T000000Z'
    """

    start: int  # nanoseconds since 1970 in UTC; whole seconds
    end: int  # likewise
    window_start: int  # likewise; the row covers [window_start, end)
    timezone: str = field(default="UTC", compare=False)  # of its calendar
    every: str = field(default="", compare=False)  # of its calendar; "": unknown

    @property
    def label(self) -> str:
        """The interval for people: see :func:`interval_label`."""
        return interval_label(self.start, self.end, self.timezone)

    @property
    def name(self) -> str:
        """The start in UTC, as in the partition ``interval=20261120T000000Z``."""
        return utc(self.start).strftime(_NAME)


def utc(time: int) -> datetime:
    """A moment as a datetime, down to the microsecond.

    Parameters
    ----------
    time : nanoseconds since 1970 in UTC

    Examples
    --------
    >>> utc(1_500_000_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return _EPOCH + timedelta(microseconds=time // 1_000)


def start_of_name(name: str) -> int | None:
    """The start of an interval by its name, nanoseconds since 1970 in UTC; None if it is no name.

    Examples
    --------
    >>> start_of_name("19700101T010000Z"), start_of_name("yesterday")
    (3600000000000, None)
    """
    try:
        start = datetime.strptime(name, _NAME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (start - _EPOCH) // timedelta(seconds=1) * 1_000_000_000


def interval_label(start: int, end: int, timezone: str) -> str:
    """An interval as people write it: the local date if it is whole days, else date and time.

    The offset is shown if the local clock shows that time twice.

    Parameters
    ----------
    start, end : nanoseconds since 1970 in UTC
    timezone : IANA name

    Examples
    --------
    >>> hour = 3_600 * 10**9
    >>> interval_label(-hour, 23 * hour, "Europe/Berlin")
    '1970-01-01'
    >>> interval_label(-hour, 0, "Europe/Berlin")
    '1970-01-01 00:00'
    """
    zone = ZoneInfo(timezone)
    local = utc(start).astimezone(zone)
    if end > start and _starts_a_day(start, zone) and _starts_a_day(end, zone):
        return local.date().isoformat()
    text = local.replace(tzinfo=None).isoformat(" ", "seconds" if local.second else "minutes")
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return text
    return text + local.isoformat()[19:]


def _starts_a_day(time: int, zone: tzinfo) -> bool:
    """Whether the local date changes at a moment; some days begin later than at midnight."""
    before, now = (utc(one).astimezone(zone).date() for one in (time - 1_000_000_000, time))
    return before != now
