"""Recurring extraction: which intervals are to be calculated, and why.

An interval that was published is looked at again in two steps. If the files that touch its
window are those of before, nothing changed. If not, its rows are read once, and a digest of
them decides, whatever files they lie in.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from tidemill.errors import ArgumentError, CheckError, SettingsError, shorten
from tidemill.execution.checks import parse_checks
from tidemill.execution.ordered_pool import Turn, in_turns
from tidemill.model.interval import Interval
from tidemill.model.policies import OnSettingsChange
from tidemill.model.source import Source
from tidemill.planning.prepare import find_interval_files
from tidemill.planning.request import Request, make_request
from tidemill.planning.settings_change import Alteration, alteration
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.intervals import interval_at, last_closed, missing
from tidemill.sources.files.window_digest import read_window
from tidemill.storage.check_sink import check_sink
from tidemill.storage.delta import INTERVAL
from tidemill.storage.intervals import (
    IntervalRecord,
    file_identities,
    interval_names,
    latest_interval,
    read_intervals,
    write_interval,
)
from tidemill.storage.layout import SinkLayout

__all__ = [
    "Finding",
    "check_findings",
    "check_request",
    "check_table_door",
    "check_vanished",
    "examine",
    "examine_all",
    "holes",
    "make_table_request",
    "outdated",
    "remember",
]

log = logging.getLogger(__name__)

State = Literal["unchanged", "missing", "changed", "recalculated", "extended", "empty", "refused"]

#: Holes that a report names.
NAMED = 10
#: Intervals before those looked at whose settings are compared.
SCANNED = 100
#: What may be done where settings or policies changed.
REMEDY = (
    "Choose on_settings_change='recalculate', or 'append' where features are only added; or give "
    "the settings and policies of before, or another sink"
)


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
        return self.state in {"missing", "changed", "recalculated", "extended"}


def examine(request: Request, record: IntervalRecord | None, *, recalculate: bool) -> Finding:
    """Look at one interval, its rows and the settings it was made with; writes nothing.

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
    finding = _look(request, record, recalculate=recalculate)
    if record is None or finding.state == "empty":
        return finding
    change = alteration(request.settings, request.policies, record, request.interval)
    return (
        _decide(finding, change, request.on_settings_change, record.run_id) if change else finding
    )


def examine_all(
    request: Request,
    intervals: Sequence[Interval],
    recalculate: Collection[Interval] = (),
    concurrency: int = 1,
) -> list[Finding]:
    """Look at several intervals, as :func:`examine` does; some are calculated in any case."""
    layout = SinkLayout.of(request.sink, request.storage_options)
    known = read_intervals(layout, (interval.name for interval in intervals))

    def look(interval: Interval, _turn: Turn) -> Finding:
        about, record = replace(request, interval=interval), known.get(interval.name)
        return examine(about, record, recalculate=interval in recalculate)

    return in_turns(look, intervals, concurrency)


def _decide(finding: Finding, change: Alteration, choice: OnSettingsChange, run_id: str) -> Finding:
    """What is to be done about an interval that was made with other settings."""
    why = f"the settings changed: {change.text}"
    if choice == "recalculate":
        state: State = "recalculated" if finding.state == "unchanged" else finding.state
        before = f"{finding.reason}; " if finding.is_due else ""
        return replace(finding, state=state, reason=before + why, replaces=run_id, moved=None)
    if choice == "append" and finding.state == "unchanged" and change.only_gains:
        reason = f"{why}; only these are calculated"
        return replace(finding, state="extended", reason=reason, replaces=run_id, moved=None)
    if finding.is_due and not change.only_gains:
        return replace(finding, state="refused", reason=f"{finding.reason}, but {why}. {REMEDY}")
    return replace(finding, reason=f"{finding.reason}; {why}")


def _look(request: Request, record: IntervalRecord | None, *, recalculate: bool) -> Finding:
    """What is to be done about one interval if its settings are those of before."""
    interval = request.interval
    assert interval is not None, "the request is about an interval"
    found = find_interval_files(request)
    same_roles = record is not None and found.columns == record.columns
    if (
        record is not None
        and same_roles
        and not recalculate
        and file_identities(found) == record.files
    ):
        return Finding(interval, "unchanged", "the files that touch its window are the same")
    source = read_window(found)
    if not source.rows:
        gone = "the rows of its window are gone" if record else "its window has no row"
        return Finding(interval, "empty", gone, record.run_id if record else "")
    if record is None:
        return Finding(interval, "missing", "it was not published yet", source=source)
    if source.fingerprint != record.fingerprint:
        why = "rows of its window changed" if same_roles else "other columns are read"
        return Finding(interval, "changed", why, record.run_id, source)
    if recalculate:
        return Finding(interval, "recalculated", "as was asked for", record.run_id, source)
    moved = replace(record, files=file_identities(found))
    return Finding(interval, "unchanged", "the same rows lie in other files", moved=moved)


def remember(request: Request, finding: Finding) -> None:
    """Note where the rows of an unchanged interval lie, so that they are not read again.

    Not if another run published it since it was examined: that run's record holds.
    """
    if (moved := finding.moved) is None:
        return
    layout = SinkLayout.of(request.sink, request.storage_options)
    record = read_intervals(layout, [moved.name]).get(moved.name)
    if record is not None and replace(record, files=moved.files) == moved:
        write_interval(layout, moved)


def make_table_request(
    source: Any,
    sink: Any,
    *,
    column_time: str,
    checks: Mapping[str, Any] | None,
    on_settings_change: str = "refuse",
    **options: Any,
) -> Request:
    """A request about any interval of a table.

    Parameters
    ----------
    column_time : the sort column, of timestamps
    checks : as :func:`tidemill.execution.checks.parse_checks` takes them
    on_settings_change : "refuse", "append" or "recalculate"
    source, sink, options : as :func:`tidemill.planning.request.make_request` takes them

    Raises
    ------
    ArgumentError, SettingsError
        If an argument's type or value is not allowed.
    """
    if on_settings_change not in (allowed := get_args(OnSettingsChange)):
        raise ArgumentError(
            f"on_settings_change={on_settings_change!r} is not allowed; choose one of "
            f"{', '.join(map(repr, allowed))}"
        )
    made = make_request(source, sink, column_sort=column_time, **options)
    if INTERVAL in made.ids:
        raise ArgumentError(
            f"column_id={INTERVAL!r} is also the column that says which interval a row of the "
            "table belongs to: rename the column"
        )
    choice: OnSettingsChange = on_settings_change  # type: ignore[assignment]
    return replace(made, checks=parse_checks(checks), on_settings_change=choice)


def check_table_door(given: Mapping[str, Any]) -> None:
    """Find what is wrong with a flow's arguments before a server is started for it; writes nothing.

    Parameters
    ----------
    given : of the flows extract-interval and backfill, by name; others are not looked at

    Raises
    ------
    InputError, SinkError
        As the run itself would.
    """
    calendar = Calendar(**{name: given[name] for name in _names(Calendar) & given.keys()})
    roles = {"column_time", "on_settings_change"} | _names(make_request) - {"column_sort"}
    chosen = {name: given[name] for name in roles & given.keys()}
    request = make_table_request(**chosen, checks=given.get("checks"))
    check_request(request, calendar)
    find_interval_files(replace(request, interval=last_closed(calendar, datetime.now(UTC))))


def _names(call: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(call).parameters)


def check_request(request: Request, calendar: Calendar) -> None:
    """Refuse to add rows to what is no table of intervals, or one of other features or policies.

    Raises
    ------
    SinkError
        If the sink is one file, holds something else, or a table without intervals.
    SettingsError
        If settings or policies are others than those of the table's latest interval, and
        ``on_settings_change`` does not allow that.
    """
    layout = SinkLayout.of(request.sink, request.storage_options)
    check_sink(layout, request.locations, intervals=True)
    latest, choice = latest_interval(layout), request.on_settings_change
    if latest is None:
        return
    _check_ids(request, latest)
    interval = _check_calendar(request, calendar, latest)
    if choice == "recalculate":
        return
    change = alteration(request.settings, request.policies, latest, interval)
    if change and not (choice == "append" and change.only_gains):
        raise SettingsError(f"the table {request.sink} was made otherwise: {change.text}. {REMEDY}")


def _check_ids(request: Request, record: IntervalRecord) -> None:
    """A table has the id columns it was made with."""
    before, now = record.columns.id, request.column_id
    if before != now:
        raise SettingsError(
            f"the table {request.sink} was made with column_id={before!r}, not {now!r}: give the "
            "columns of before, or another sink"
        )


def _check_calendar(request: Request, calendar: Calendar, record: IntervalRecord) -> Interval:
    """A table has the intervals it was made with; the one of the record, as it would be now."""
    interval = interval_at(calendar, record.start)
    if (interval.start, interval.end) != (record.start, record.end):
        raise SettingsError(
            f"the table {request.sink} has other intervals than those of every={calendar.every!r}, "
            f"timezone={calendar.timezone!r} and anchor={calendar.anchor!r}, such as "
            f"{record.name} of {(record.end - record.start) / 3_600e9:.4g} hours: give the "
            "calendar of before, or another sink"
        )
    return interval


def check_findings(findings: Iterable[Finding]) -> None:
    """Refuse to go on if an interval cannot be calculated with these settings.

    Raises
    ------
    SettingsError
        Naming the interval, the difference and the remedy.
    """
    for finding in findings:
        if finding.state == "refused":
            raise SettingsError(f"interval {finding.interval.name}: {finding.reason}")


def check_vanished(request: Request, findings: Iterable[Finding]) -> None:
    """Apply the check ``rows_drop`` to published intervals whose rows are all gone.

    Raises
    ------
    CheckError
        If the check fails; the rows that are published stay.
    """
    gone = [one.interval.name for one in findings if one.state == "empty" and one.replaces]
    if not gone:
        return
    told = (
        f"all input rows of {len(gone)} published intervals are gone: {shorten(gone, NAMED)}. What "
        "is published stays"
    )
    if request.checks["rows_drop"].get("fail", 1.0) < 1.0:
        raise CheckError(
            f"{told}; bring the rows back, or, if it is meant, choose a smaller lookback or "
            '{"rows_drop": "off"} in checks'
        )
    log.warning("%s", told)


def outdated(request: Request, calendar: Calendar, looked_at: Sequence[Interval]) -> list[Interval]:
    """Intervals older than those looked at that have other settings, oldest first.

    Only the newest :data:`SCANNED` are compared, and none where settings may not change.
    """
    if request.on_settings_change == "refuse":
        return []
    layout = SinkLayout.of(request.sink, request.storage_options)
    names = [name for name in interval_names(layout) if name < looked_at[0].name][-SCANNED:]
    records = read_intervals(layout, names).values()
    pairs = [(interval_at(calendar, one.start), one) for one in records]
    asked = request.settings, request.policies
    return [interval for interval, one in pairs if alteration(*asked, one, interval)]


def holes(
    calendar: Calendar, names: Sequence[str], looked_at: Sequence[Interval]
) -> list[Interval]:
    """Intervals that were never published and are older than those looked at."""
    return missing(calendar, names, looked_at[0])
