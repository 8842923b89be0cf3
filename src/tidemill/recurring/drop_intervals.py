"""Drop old intervals from a table: their rows in one transaction, then what was recorded of them.

A drop that is killed leaves nothing half done: before the transaction everything is as it was,
after it the intervals count as dropped, and the next drop removes what is left of them.
"""

from __future__ import annotations

import getpass
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tidemill.errors import ArgumentError, SinkBusyError, SinkError
from tidemill.execution.unfinished import Unfinished, unfinished_results
from tidemill.model.interval import Interval
from tidemill.recurring.calendars import Calendar, read_times, refusal, rules_of
from tidemill.recurring.intervals import interval_at
from tidemill.recurring.table_calendar import calendar_of_table
from tidemill.storage.delta import INTERVAL, open_table
from tidemill.storage.dropped import dropped_before, mark_dropped, remove_rows
from tidemill.storage.intervals import interval_names, labels_of_names, latest_interval
from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.lease import Lease, acquire
from tidemill.storage.shown_files import shown_files
from tidemill.storage.table_faults import read_with_faults

__all__ = ["Dropped", "drop_intervals", "without_dropped"]

#: Seconds between two looks at a table that is being worked on.
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was dropped from a table, or would be."""

    sink: str
    before: str  # local time with its offset: the start of the first interval that stays
    dry_run: bool
    intervals: int  # that had rows
    first: str  # label of the oldest; "": none had rows
    last: str  # label of the newest
    files: int  # of their rows; they stay for readers of older versions, until they are cleaned
    bytes: int  # likewise
    rows: int
    left_over: int  # records of intervals without rows, which an earlier drop left when it ended

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


def drop_intervals(
    layout: SinkLayout,
    before: Any,
    *,
    dry_run: bool = False,
    spare_newest: bool = False,
    wait_for_sink: float = 0.0,
) -> Dropped:
    """Drop the intervals of a table that end at a time or earlier.

    Parameters
    ----------
    layout : of the table
    before : a date or time in the table's time zone, or one with its offset
    dry_run : only say what would be dropped
    spare_newest : keep the newest interval, however old; otherwise a drop of all is refused
    wait_for_sink : seconds to wait while a run works on the table

    Raises
    ------
    ArgumentError
        If `before` is no time, or no interval would be left.
    SinkBusyError
        If a run works on the table.
    SinkError
        If there is no table of intervals.
    """
    calendar, newest = _calendar(layout)
    cut = _first_to_stay(calendar, before)
    cut = min(cut, newest) if spare_newest else cut
    if dry_run:
        return _look(layout, calendar, cut, before, dry_run=True)
    run_id, owner = f"drop-{uuid.uuid4().hex[:8]}", f"{getpass.getuser()} (drop-intervals)"
    give_up = time.monotonic() + wait_for_sink
    while True:
        left = max(give_up - time.monotonic(), 0.0)
        with acquire(layout.lease, owner=owner, run_id=run_id, wait_seconds=left) as lease:
            busy = _busy(layout, run_id)
            if not busy:
                return _drop(layout, lease, calendar, cut, before)
        if not left:
            raise SinkBusyError(busy)
        time.sleep(min(left, LOOK_SECONDS))  # without the lease: the run needs it to publish


def _drop(
    layout: SinkLayout, lease: Lease, calendar: Calendar, cut: Interval, before: Any
) -> Dropped:
    found = _look(layout, calendar, cut, before, dry_run=False)
    if found.intervals:
        mark_dropped(layout, cut.name)
        lease.check()
        remove_rows(layout, cut.name)
    lease.check()
    _forget(layout, dropped_before(layout))
    return found


def _calendar(layout: SinkLayout) -> tuple[Calendar, Interval]:
    """The calendar of the table, and its latest interval."""
    latest = latest_interval(layout) if layout.kind == "delta" else None
    calendar = calendar_of_table([latest]) if latest else None
    if calendar is None or latest is None:
        raise SinkError(
            f"{layout.url} has no intervals to drop: it is no table of tidemill extract-interval "
            "or backfill, or the records of its intervals are damaged (tidemill verify)"
        )
    return calendar, interval_at(calendar, latest.start)


def _first_to_stay(calendar: Calendar, before: Any) -> Interval:
    """The interval that ends after a time, or at it begins."""
    times = read_times(rules_of(calendar), "before", before)
    if len(times) > 1:
        choice = " or ".join(repr(rules_of(calendar).text(time)) for time in times)
        problem = f"the clocks of {calendar.timezone} show this time twice; choose {choice}"
        raise refusal("before", before, problem)
    return interval_at(calendar, times[0])


def _look(
    layout: SinkLayout, calendar: Calendar, cut: Interval, before: Any, *, dry_run: bool
) -> Dropped:
    """What the table shows before an interval."""
    table = open_table(layout)
    files = list(shown_files(table)) if table else []
    old = [one for one in files if one.interval < cut.name]
    names = sorted({one.interval for one in old})
    if old and len(old) == len(files):
        newest = labels_of_names(layout, names[-1:])[names[-1]]
        raise ArgumentError(
            f"before={str(before)!r} is not allowed: all {len(names):,} intervals of {layout.url} "
            f"end by then, and one must stay; give a time before the end of {newest}, or delete "
            "the whole table"
        )
    labels = labels_of_names(layout, {*names[:1], *names[-1:]})
    left = [one for one in interval_names(layout) if one < cut.name and one not in set(names)]
    return Dropped(
        sink=layout.url,
        before=rules_of(calendar).text(cut.start),
        dry_run=dry_run,
        intervals=len(names),
        first=labels[names[0]] if names else "",
        last=labels[names[-1]] if names else "",
        files=len(old),
        bytes=sum(one.bytes for one in old),
        rows=sum(one.rows or 0 for one in old),
        left_over=len(left),
    )


def _busy(layout: SinkLayout, own: str) -> str:
    """Which run works: what it has found due, it would publish again; "" if none does."""
    found = unfinished_results(layout)
    busy = [one for one in found if one.state != "ended" and one.run_id != own]
    if not busy:
        return ""
    one = busy[0]
    about = f" on interval {one.label}" if one.label else ""
    return (
        f"run {one.run_id} of {one.owner} works{about} of {layout.url} since {one.since}; drop "
        "intervals when it has ended, or cancel it"
    )


def _forget(layout: SinkLayout, before: str) -> None:
    """Remove what was recorded of intervals that have no rows any more; records go first."""
    shown = _shown(layout)
    gone = [name for name in interval_names(layout) if name < before and name not in shown]
    for name in gone:
        layout.intervals.delete(f"{name}.json")
    _forget_beside(layout, before, shown)


def _forget_beside(layout: SinkLayout, before: str, shown: frozenset[str]) -> None:
    """Remove figures, coverage, unfinished results and leases of dropped intervals."""
    for store in (layout.figures, layout.coverage):
        for entry in store.folder()[0]:
            name = entry.path.partition(".")[0]
            if name < before and name not in shown:
                store.delete(entry.path)
    keys = layout.state.child("keys")
    for one in _of_dropped(unfinished_results(layout), before, shown):
        keys.delete_all(f"{one.result_key}/{KeyLayout.markers}")
        keys.delete_all(one.result_key)
    for name in layout.lease.folder()[1]:
        if name < before and name not in shown:
            layout.lease.delete_all(name)


def _of_dropped(
    found: Iterable[Unfinished], before: str, shown: frozenset[str]
) -> list[Unfinished]:
    return [
        one
        for one in found
        if one.state == "ended" and "" < one.interval < before and one.interval not in shown
    ]


def _shown(layout: SinkLayout) -> frozenset[str]:
    """Names of the intervals that the table shows."""
    table = open_table(layout)
    return frozenset(one[INTERVAL] for one in table.partitions()) if table else frozenset()


def without_dropped(layout: SinkLayout, intervals: Sequence[Interval]) -> list[Interval]:
    """Those of some intervals that were not dropped, or were published again since."""
    mark = dropped_before(layout)
    old = [one.name for one in intervals if one.name < mark]
    known: Mapping[str, object] = read_with_faults(layout, old)[0] if old else {}
    return [one for one in intervals if one.name >= mark or one.name in known]
