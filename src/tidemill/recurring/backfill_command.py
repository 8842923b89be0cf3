"""Backfill commands to paste, which fill or renew intervals of a table."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tidemill.model.interval import MOST_INTERVALS, Interval
from tidemill.planning.command_line import options_of
from tidemill.planning.doors import BACKFILL
from tidemill.planning.request import Request
from tidemill.recurring.calendars import Calendar, rules_of
from tidemill.recurring.intervals import local_text

__all__ = ["fill_commands"]

#: Given by the command itself, and what concerns another backfill than this.
_WITHOUT = {"source", "sink", "start", "end", "order", "concurrency", "dry_run", "recalculate",
            "retry_quarantined"}  # fmt: skip


def fill_commands(
    request: Request, given: Mapping[str, Any], calendar: Calendar, holes: Sequence[Interval]
) -> list[str]:
    """The commands that fill the holes: one, unless these span more than 100,000 intervals.

    Default values are included: the command's defaults may differ from the flow's.

    Parameters
    ----------
    request : of the run that found the holes
    given : the parameters of its flow
    calendar : how time is divided
    holes : oldest first
    """
    options = options_of(BACKFILL, given, _WITHOUT)
    words = ["tidemill", "backfill", *request.locations, request.sink, *options]
    return [
        shlex.join(
            [
                *words,
                *("--start", local_text(calendar, start)),
                *("--end", local_text(calendar, end)),
            ]
        )
        for start, end in _spans(calendar, holes)
    ]


def _spans(calendar: Calendar, holes: Sequence[Interval]) -> Iterator[tuple[int, int]]:
    """Time spans that cover the holes, each no longer than one backfill allows."""
    longest = MOST_INTERVALS * rules_of(calendar).step
    start = end = None
    for hole in holes:
        if start is None or end is None:
            start = hole.start
        elif hole.end - start > longest:
            yield start, end
            start = hole.start
        end = hole.end
    if start is not None and end is not None:
        yield start, end
