"""Check that a request fits its table, and that what was found may be calculated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from tidemill.errors import CheckError, SettingsError, shorten
from tidemill.model.interval import Interval
from tidemill.model.logs import engine_log
from tidemill.planning.prepare import check_request_columns, find_interval_files
from tidemill.planning.request import Request
from tidemill.planning.settings_change import settings_change
from tidemill.planning.snapshots import check_columns, reads_database
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import REMEDY, Finding
from tidemill.recurring.intervals import interval_at, last_closed
from tidemill.storage.check_sink import check_sink
from tidemill.storage.intervals import IntervalRecord, latest_interval
from tidemill.storage.layout import SinkLayout

__all__ = ["check_findings", "check_table", "check_vanished", "validate_table_request", "vanished"]

log = engine_log(__name__)

#: Intervals named in a message.
NAMED = 10


def validate_table_request(request: Request, calendar: Calendar) -> Request:
    """Check a request against its table and input before anything starts; writes nothing.

    Returns
    -------
    Request
        The same: a run that gets it does not check again.

    Raises
    ------
    InputError, SinkError
        As the run itself would.
    """
    check_table(request, calendar)
    about = replace(request, interval=last_closed(calendar, datetime.now(UTC)))
    if reads_database(request):
        check_columns(about)
        return replace(request, validated=True)
    source = find_interval_files(about)
    if source.columns.kind is None:  # of the long format, kinds are known when rows are read
        check_request_columns(about, source)
    return replace(request, validated=True)


def check_table(request: Request, calendar: Calendar) -> None:
    """Refuse sinks that are not interval tables or whose features or policies differ.

    Raises
    ------
    SinkError
        If the sink is one file, holds something else, or a table without intervals.
    SettingsError
        If settings or policies differ from those of the table's latest interval, and
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
    change = settings_change(request.settings.canonical(), request.policies, latest, interval)
    if change and not (choice == "append" and change.only_gains):
        raise SettingsError(
            f"the table {request.sink} was built with different settings: {change.text}. {REMEDY}"
        )


def _check_ids(request: Request, record: IntervalRecord) -> None:
    """Refuse id columns other than those the table was built with."""
    before, now = record.columns.id, request.column_id
    if before != now:
        raise SettingsError(
            f"the table {request.sink} was built with column_id={before!r}, not {now!r}: restore "
            "the previous columns, or choose another sink"
        )


def _check_calendar(request: Request, calendar: Calendar, record: IntervalRecord) -> Interval:
    """Refuse a calendar other than the table's; the record's interval in this calendar."""
    interval = interval_at(calendar, record.start)
    if (interval.start, interval.end) != (record.start, record.end):
        raise SettingsError(
            f"the table {request.sink} has other intervals than those of every={calendar.every!r}, "
            f"timezone={calendar.timezone!r} and anchor={calendar.anchor!r}, such as "
            f"{record.label} of {(record.end - record.start) / 3_600e9:.4g} hours: "
            "restore the previous calendar, or choose another sink"
        )
    return interval


def check_findings(findings: Iterable[Finding]) -> None:
    """Refuse to continue if an interval cannot be calculated with these settings.

    Raises
    ------
    SettingsError
        Naming the interval, the difference and the remedy.
    """
    for finding in findings:
        if finding.state == "refused":
            raise SettingsError(f"interval {finding.interval.label}: {finding.reason}")


def vanished(findings: Iterable[Finding]) -> list[str]:
    """Labels of the published intervals whose input rows are all gone."""
    return [one.interval.label for one in findings if one.state == "empty" and one.replaces]


def check_vanished(request: Request, findings: Iterable[Finding]) -> None:
    """Apply the check ``rows_drop`` to published intervals whose rows are all gone.

    Raises
    ------
    CheckError
        If the check fails; the published rows are kept.
    """
    gone = vanished(findings)
    if not gone:
        return
    text = (
        f"all input rows of {len(gone)} published intervals are gone: {shorten(gone, NAMED)}. The "
        "published rows are kept"
    )
    if request.checks["rows_drop"].get("fail", 1.0) < 1.0:
        raise CheckError(
            f"{text}; restore the input rows, or, if this is intended, choose a smaller lookback "
            'or {"rows_drop": "off"} in checks'
        )
    log.warning("%s", text)
