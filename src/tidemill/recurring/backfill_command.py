"""Backfill commands to paste, which fill or renew intervals of a table."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tidemill.model.interval import MOST_INTERVALS, Interval
from tidemill.planning.doors import BACKFILL
from tidemill.planning.request import Request
from tidemill.recurring.calendars import Calendar, rules_of
from tidemill.recurring.intervals import local_text

__all__ = ["fill_commands"]

#: Positional arguments of the command, and options that concern the backfill only.
_PLACED = {"source", "sink", "start", "end", "order", "concurrency"}
#: Parameters that may be file paths.
_PATHS = {"settings", "cluster", "work_dir"}


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
    words = ["tidemill", "backfill", *request.locations, request.sink, *_options(given)]
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


def _options(given: Mapping[str, Any]) -> Iterator[str]:
    for parameter in BACKFILL:
        name, value = parameter.name, given.get(parameter.name)
        if name in _PLACED or value is None or isinstance(value, bool) or value in ([], {}):
            continue
        for text in _texts(name, value):
            yield from (parameter.flag, text)


def _texts(name: str, value: Any) -> Iterator[str]:
    """The option values that pass a value to the command."""
    if name == "storage_options":
        yield from (f"{option}={variable}" for option, variable in value.items())
    elif isinstance(value, list | tuple):
        yield from (str(one) for one in value)
    elif isinstance(value, Mapping):
        yield json.dumps(value)
    elif name in _PATHS and _is_path(name, value):
        yield str(Path(value).absolute())
    else:
        yield str(value)


def _is_path(name: str, value: str) -> bool:
    """Whether a value is a path, to make absolute: the command may run in another folder."""
    if "://" in value:
        return False
    return name == "work_dir" or (bool(Path(value).suffix) and Path(value).is_file())


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
