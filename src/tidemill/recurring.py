"""Recurring extraction: which intervals are to be calculated, and why.

An interval that was published is looked at again in two steps. If the files that touch its
window are those of before, nothing changed. If not, its rows are read once, and a digest of
them decides, whatever files they lie in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tidemill.calendars import Calendar
from tidemill.checks import parse_checks
from tidemill.errors import SettingsError, shorten
from tidemill.intervals import Interval, missing
from tidemill.plan import Source
from tidemill.preparation import find_interval_files
from tidemill.request import Request, make_request
from tidemill.sources.interval_files import read_window
from tidemill.storage.intervals import (
    IntervalRecord,
    facts_of,
    latest_interval,
    write_interval,
)
from tidemill.storage.layout import SinkLayout
from tidemill.storage.publish import check_sink

__all__ = ["Finding", "check_request", "examine", "holes", "make_table_request", "remember"]

State = Literal["unchanged", "missing", "changed", "recalculated", "empty"]

#: Holes that a report names.
NAMED = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be done about one interval."""

    interval: Interval
    state: State
    reason: str
    replaces: str = ""  # run id of what is published
    source: Source | None = None  # its window, if its rows were read
    moved: IntervalRecord | None = None  # the same rows lie in other files: what to remember

    @property
    def is_due(self) -> bool:
        """Whether its rows are to be calculated."""
        return self.state in {"missing", "changed", "recalculated"}


def examine(request: Request, record: IntervalRecord | None, *, recalculate: bool) -> Finding:
    """Look at one interval; writes nothing.

    Parameters
    ----------
    request : about the interval
    record : of what is published for it
    recalculate : calculate it even if nothing changed

    Raises
    ------
    InputError
        If files or columns cannot be used.
    """
    interval = request.interval
    assert interval is not None, "the request is about an interval"
    found = find_interval_files(request)
    if record is not None and not recalculate and facts_of(found) == record.files:
        return Finding(interval, "unchanged", "the files that touch its window are the same")
    source = read_window(found)
    if not source.rows:
        gone = "the rows of its window are gone" if record else "its window has no row"
        return Finding(interval, "empty", gone, record.run_id if record else "")
    if record is None:
        return Finding(interval, "missing", "it was not published yet", source=source)
    if source.fingerprint != record.fingerprint:
        return Finding(interval, "changed", "rows of its window changed", record.run_id, source)
    if recalculate:
        return Finding(interval, "recalculated", "as was asked for", record.run_id, source)
    moved = replace(record, files=facts_of(found))
    return Finding(interval, "unchanged", "the same rows lie in other files", moved=moved)


def remember(request: Request, finding: Finding) -> None:
    """Note where the rows of an unchanged interval lie, so that they are not read again."""
    if finding.moved is not None:
        write_interval(SinkLayout.of(request.sink, request.storage_options), finding.moved)


def make_table_request(
    source: Any, sink: Any, *, column_time: str, checks: Mapping[str, Any] | None, **options: Any
) -> Request:
    """A request about any interval of a table.

    Parameters
    ----------
    column_time : the sort column, of timestamps
    checks : as :func:`tidemill.checks.parse_checks` takes them
    source, sink, options : as :func:`tidemill.request.make_request` takes them

    Raises
    ------
    ArgumentError, SettingsError
        If an argument's type or value is not allowed.
    """
    made = make_request(source, sink, column_sort=column_time, **options)
    return replace(made, checks=parse_checks(checks))


def check_request(request: Request) -> None:
    """Refuse to add rows to what is no table of intervals, or one of other features or policies.

    Raises
    ------
    SinkError
        If the sink is one file, holds something else, or a table without intervals.
    SettingsError
        If settings or policies are others than those of the table's latest interval.
    """
    layout = SinkLayout.of(request.sink, request.storage_options)
    check_sink(layout, request.locations, intervals=True)
    latest = latest_interval(layout)
    if latest is not None and (different := _differences(request, latest)):
        raise SettingsError(
            f"the table {request.sink} was made otherwise: {'; '.join(different)}. Give the "
            "settings and policies of before, or another sink"
        )


def _differences(request: Request, record: IntervalRecord) -> list[str]:
    found = _other_ids(request, record)
    before, now = _features(record.settings), _features(request.settings)
    if new := sorted(now - before):
        found.append(f"new features {shorten(new, 3)}")
    if gone := sorted(before - now):
        found.append(f"features left out {shorten(gone, 3)}")
    policies = asdict(request.policies)
    found += [
        f"{name}={policies[name]!r} instead of {value!r}"
        for name, value in record.policies.items()
        if policies.get(name) != value
    ]
    return found


def _other_ids(request: Request, record: IntervalRecord) -> list[str]:
    """A table has the id columns it was made with."""
    before, now = record.columns.get("id"), request.column_id
    before = tuple(before) if isinstance(before, list) else before
    return [] if before in {None, now} else [f"column_id={now!r} instead of {before!r}"]


def _features(settings: Mapping[str, Any]) -> set[str]:
    return {
        f"{kind}: {name} {params}"
        for kind, features in settings.items()
        for name, params in features
    }


def holes(
    calendar: Calendar, names: Sequence[str], looked_at: Sequence[Interval]
) -> list[Interval]:
    """Intervals that were never published and are older than those looked at."""
    return missing(calendar, names, looked_at[0])
