"""Intervals of data time, and moments as integers: nanoseconds since 1970 in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["MOST_INTERVALS", "Interval", "utc"]

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
