"""Input before the first interval of a new table, of which no run makes intervals by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.errors import SourceError
from tidemill.model.interval import MOST_INTERVALS, Interval
from tidemill.planning.prepare import look_at_files
from tidemill.planning.request import Request
from tidemill.planning.snapshots import reads_database
from tidemill.recurring.backfill_command import fill_commands
from tidemill.recurring.calendars import Calendar, rules_of
from tidemill.recurring.intervals import interval_at

__all__ = ["OlderInput", "older_input"]


@dataclass(frozen=True, slots=True)
class OlderInput:
    """Files whose rows all lie before the first interval, and the commands that calculate them."""

    files: int = 0
    first: str = ""  # label of the interval of their oldest row
    before: str = ""  # label of the first interval that there is
    commands: tuple[str, ...] = ()


def older_input(
    request: Request, given: Mapping[str, Any], calendar: Calendar, oldest: Interval
) -> OlderInput:
    """Find the files of an input that are older than an interval, by their footers alone.

    Files of which only their rows tell the times are left out, and so are databases. Where the
    footers hold local times, up to a day more may be named.

    Parameters
    ----------
    request : of the run that found the interval
    given : the parameters of its flow
    calendar : how time is divided
    oldest : the first interval that there is
    """
    if reads_database(request):
        return OlderInput()
    try:
        spans = look_at_files(request).spans
    except SourceError:  # it changed since the run has read it
        return OlderInput()
    known = [[one for one in file if one is not None] for file in spans if None not in file]
    older = [file for file in known if file and max(end for _, end in file) < oldest.start]
    if not older:
        return OlderInput()
    first = interval_at(calendar, min(start for file in older for start, _ in file))
    commands = [
        command
        for span in _spans(calendar, first, oldest)
        for command in fill_commands(request, given, calendar, span)
    ]
    return OlderInput(len(older), first.label, oldest.label, tuple(commands))


def _spans(calendar: Calendar, first: Interval, until: Interval) -> Iterator[list[Interval]]:
    """The first and last intervals of spans that one backfill takes each."""
    longest = MOST_INTERVALS * rules_of(calendar).step
    while first.start < until.start:
        after = interval_at(calendar, min(first.start + longest, until.start))
        yield [first, interval_at(calendar, after.start - 1)]
        first = after
