"""Find older intervals that need a backfill: never published, or built with other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.model.interval import Interval, start_of_name
from tidemill.planning.request import Request
from tidemill.planning.settings_change import settings_change
from tidemill.recurring.backfill_command import fill_commands
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import interval_at, missing
from tidemill.storage.delta import files_by_interval
from tidemill.storage.dropped import dropped_before, not_dropped
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout

__all__ = ["NeedsBackfill", "needs_backfill", "outdated_intervals", "unpublished_intervals"]

#: Intervals named in a report.
NAMED = 10
#: Older intervals whose settings are compared.
SCANNED = 100


@dataclass(frozen=True, slots=True)
class NeedsBackfill:
    """Intervals that need a backfill, and the commands that carry it out."""

    count: int
    names: tuple[str, ...]  # the first of them, for people
    commands: tuple[str, ...]


def needs_backfill(
    request: Request, given: Mapping[str, Any], calendar: Calendar, intervals: Sequence[Interval]
) -> NeedsBackfill:
    """Summarise intervals that need a backfill, for a report.

    Parameters
    ----------
    request : of the run that found them
    given : the parameters of its flow
    calendar : how time is divided
    intervals : oldest first
    """
    return NeedsBackfill(
        len(intervals),
        tuple(one.label for one in intervals[:NAMED]),
        tuple(fill_commands(request, given, calendar, intervals)),
    )


def outdated_intervals(
    request: Request, calendar: Calendar, looked_at: Sequence[Interval]
) -> list[Interval]:
    """Intervals with different settings that are older than those examined, oldest first.

    Only the newest :data:`SCANNED` are compared, and none if settings may not change.
    """
    if request.on_settings_change == "refuse":
        return []
    layout = SinkLayout.of(request.sink, request.storage_options)
    first, last = dropped_before(layout), looked_at[0].name
    names = interval_names(layout, first, last)[-SCANNED:]
    records = read_intervals(layout, names).values()
    pairs = [(interval_at(calendar, one.start), one) for one in records]
    asked = request.settings.canonical(), request.policies
    return [interval for interval, one in pairs if settings_change(*asked, one, interval)]


def unpublished_intervals(
    request: Request, calendar: Calendar, looked_at: Sequence[Interval]
) -> list[Interval]:
    """Older intervals than those examined that were never published or are gone from the table.

    Those that were dropped on purpose are none of them.
    """
    layout = SinkLayout.of(request.sink, request.storage_options)
    oldest, names = looked_at[0], interval_names(layout)
    shown = files_by_interval(layout).keys() if names else set()
    names, first = not_dropped(layout, names, shown), dropped_before(layout)
    gone = [name for name in names if name < oldest.name and name not in shown]
    starts = (start_of_name(name) for name in gone)
    lost = [interval_at(calendar, start) for start in starts if start is not None]
    holes = [one for one in missing(calendar, names, oldest) if one.name >= first]
    return sorted([*lost, *holes], key=lambda one: one.start)
