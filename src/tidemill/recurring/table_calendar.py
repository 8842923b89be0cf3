"""The calendar of a table, as the records of its intervals tell it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tidemill.errors import ArgumentError
from tidemill.model.interval import utc
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import interval_at
from tidemill.storage.intervals import IntervalRecord

__all__ = ["calendar_of_table"]

_SECOND = 10**9
_DAY = 86_400 * _SECOND


def calendar_of_table(records: Sequence[IntervalRecord]) -> Calendar | None:
    """The calendar that has these intervals; None if there are none, or no calendar has them all.

    Records hold no anchor: it is the default, or one at which an interval starts. Window, lag and
    lookback are not known, and are the defaults.

    Examples
    --------
    >>> calendar_of_table([]) is None
    True
    """
    if not records:
        return None
    latest = max(records, key=lambda one: one.start)
    every = latest.every or _every(latest)
    for anchor in _anchors(records):
        try:
            calendar = Calendar(every, latest.timezone, anchor)
        except ArgumentError:
            return None
        if all(_has(calendar, one) for one in records):
            return calendar
    return None


def _anchors(records: Iterable[IntervalRecord]) -> list[str | None]:
    """The default, then starts of intervals; one that the local clock skipped is no anchor."""
    return [None, *(utc(one.start).isoformat() for one in records)]


def _has(calendar: Calendar, record: IntervalRecord) -> bool:
    found = interval_at(calendar, record.start)
    return (found.start, found.end) == (record.start, record.end)


def _every(record: IntervalRecord) -> str:
    """The step of an interval whose record, of an older version, does not name it."""
    length = record.end - record.start
    whole_days = "-" in record.label and " " not in record.label
    return f"{round(length / _DAY)}d" if whole_days else f"{length // _SECOND}s"
