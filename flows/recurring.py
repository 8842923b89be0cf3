"""Recurring extraction as a Prefect flow: a feature table that stays fresh, interval by interval.

Call it, serve it, deploy it, or run this file: ``python flows/recurring.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill extract-interval``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from tidemill.errors import (
    ArgumentError,
    ClusterError,
    IntervalsError,
    NoRowsError,
    SinkBusyError,
    UnfitWorkerError,
)
from tidemill.execution.ordered_pool import Turn
from tidemill.flows.extract import carry_out
from tidemill.model.interval import Interval
from tidemill.orchestration.artifacts import live_progress, show_failure, show_report
from tidemill.orchestration.cluster import ClusterSpec, parse_cluster
from tidemill.orchestration.dead_runs import end_dead_runs
from tidemill.orchestration.parameters import (
    Anchor,
    Bytes,
    Checks,
    Cluster,
    Column,
    Columns,
    Lag,
    Location,
    Locations,
    Lookback,
    Modules,
    OnDuplicate,
    OnEmpty,
    OnError,
    OnNan,
    OnSettingsChange,
    Retries,
    Seconds,
    SettingsChoice,
    Span,
    StorageOptions,
    Time,
    TimeZone,
)
from tidemill.orchestration.steps import cancel_interrupted, engine_logs, shared_cluster
from tidemill.planning.request import Request
from tidemill.recurring.backfill_command import fill_commands
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import (
    NAMED,
    Finding,
    check_findings,
    check_request,
    check_vanished,
    examine_all,
    holes,
    make_table_request,
    outdated,
    remember,
)
from tidemill.recurring.intervals import candidates, find_interval, last_closed, local_text
from tidemill.reports.markdown import interval_page
from tidemill.storage.intervals import interval_names
from tidemill.storage.layout import SinkLayout
from tidemill.storage.transient import is_transient

__all__ = ["calculate", "extract_interval", "repeated"]

log = logging.getLogger(__name__)

#: Seconds between two looks at a window that has no rows yet.
EMPTY_SECONDS = 30.0
#: The parameters of the flow that make its calendar, in the order of Calendar's.
_CALENDAR = ("every", "timezone", "anchor", "window", "lag", "lookback")


def _run_name() -> str:
    """Such as ``buoys-2026-11-20T00``: the table, and the local start of the interval."""
    given = flow_run.parameters
    table = str(given["sink"]).rstrip("/").rpartition("/")[2]
    try:
        calendar = Calendar(*(given[name] for name in _CALENDAR))
        last = _last(calendar, given["interval_start"])
    except ArgumentError:  # the run itself says what is wrong
        return table
    return f"{table}-{local_text(calendar, last.start)[:13]}"


def _last(calendar: Calendar, interval_start: str | None) -> Interval:
    """The interval of a run: a retry or a late start is about the same."""
    if interval_start is not None:
        return find_interval(calendar, interval_start)
    return last_closed(calendar, flow_run.scheduled_start_time or datetime.now(UTC))


@flow(
    name="extract-interval",
    persist_result=False,
    flow_run_name=_run_name,
    on_crashed=[cancel_interrupted],
)
def extract_interval(
    source: Locations,
    sink: Location,
    column_id: Columns,
    column_time: Column,
    column_kind: Column | None = None,
    column_value: Columns | None = None,
    settings: SettingsChoice = "comprehensive",
    every: Span = "1d",
    timezone: TimeZone = "UTC",
    anchor: Anchor | None = None,
    window: Span | None = None,
    lag: Lag = "0s",
    lookback: Lookback | None = None,
    interval_start: Time | None = None,
    recalculate: bool = False,
    on_empty: OnEmpty = "fail",
    max_wait: Seconds = 3600.0,
    checks: Checks | None = None,
    retries: Retries = 2,
    retry_delay_seconds: Seconds = 60.0,
    cluster: Cluster = "threads",
    on_nan: OnNan = "quarantine",
    on_duplicate: OnDuplicate = "raise",
    on_error: OnError = "nan",
    on_settings_change: OnSettingsChange = "refuse",
    work_dir: Location | None = None,
    storage_options: StorageOptions | None = None,
    modules: Modules | None = None,
    part_bytes: Bytes | None = None,
    wait_for_sink: Seconds = 3600.0,
) -> dict[str, Any]:
    """Calculate the rows of the interval that closed last, and of earlier ones whose data changed.

    Args:
        source: Path, folder, glob or URL of Parquet or CSV files, or a list of them.
        sink: Folder or URL of the Delta table. Each interval is a partition of it.
        column_id: Column that says which series a row belongs to, or a list of columns that say it
            together.
        column_time: Column of timestamps. Those without a time zone are taken as UTC.
        column_kind: Column that names the kind of each row (long format).
        column_value: Column with the values, or a list of columns that are kinds. Without it every
            other column is a kind.
        settings: Which features: a preset (minimal, efficient, comprehensive), the path of a
            settings file that ends in .yaml, .yml or .json, or a mapping from calculators to lists
            of parameters.
        every: Length of an interval, above zero: days or weeks such as 1d or 1w, which are local,
            or hours, minutes and seconds such as 1h, 15min or 1h30min.
        timezone: IANA name of the time zone whose days count, such as UTC or Europe/Berlin.
        anchor: A time at which an interval starts, such as 2026-11-01T06:00, or a duration shorter
            than every, such as 6h. Default: midnight.
        window: How much history up to an interval's end each row sees, above zero and in the form
            of every, such as 7d or 36h. Default: the interval.
        lag: How long after its end an interval counts as closed, such as 0s, 5min or 2h.
        lookback: How many earlier intervals are looked at again, 0 or more and at most 100000.
            Default: enough for the window.
        interval_start: Start of the interval, for a run by hand: a local time such as 2026-11-01 or
            2026-11-01T06:00, one with its offset such as 2026-11-01T06:00+01:00, or an interval's
            name such as 20261101T060000Z. Default: the last closed one.
        recalculate: Calculate the interval even if nothing changed.
        on_empty: What to do if the interval's window has no row. wait: look again, up to max_wait
            seconds; skip: end well and calculate nothing; fail: fail at once.
        max_wait: Seconds to wait for rows before the run fails, 0 or more.
        checks: Limits that warn or fail, by check: quarantined_series (a whole number, 0 or more),
            failed_cells, rows_drop and nan_rise (shares, 0 or more and below 1), or off. As in
            {"rows_drop": {"fail": 0.5, "warn": "off"}}. What is not named keeps its default.
        retries: How often the run is repeated after an error that may pass, such as a network's, 0
            or more.
        retry_delay_seconds: Seconds before each repetition, 0 or more.
        cluster: none, threads[:N], processes[:N] (N is 1 or more), tcp://host:port,
            tls://host:port, or the path of a file that ends in .yaml, .yml or .json, with keywords
            of DaskTaskRunner.
        on_nan: What a series with NaN or infinite values gets. raise: the run fails; omit: its
            other values count; quarantine: it has no row, and the run goes on.
        on_duplicate: What rows with the same id, kind and time give. raise: the run fails; first,
            last: the one that counts; mean: the mean of their values.
        on_error: What a cell gets whose calculator raises an error. raise: the run fails; nan: it
            is NaN, and the run goes on.
        on_settings_change: What happens if the table was made with other settings. refuse: the run
            fails with the difference; append: new features are added, and only these are
            calculated; recalculate: what is looked at is calculated with the new settings.
        work_dir: Folder for temporary data, reachable by all workers. Default: beside the sink.
        storage_options: Options of the object store, each with the name of the environment variable
            that holds its value, such as AWS_REGION: capitals, digits and underscores. Never the
            value itself.
        modules: Importable modules that register custom calculators, such as mine.calculators, on
            every worker.
        part_bytes: Bytes of input per part, 1 or more. Default: by the size of the input.
        wait_for_sink: Seconds to wait while another run owns the sink, 0 or more.

    Returns:
        The interval, what was found about it and the ones before, and the summaries of what was
        calculated.
    """
    spec = parse_cluster(cluster)
    calendar = Calendar(every, timezone, anchor, window, lag, lookback)
    request = make_table_request(
        source, sink, settings=settings, column_id=column_id, column_time=column_time,
        column_kind=column_kind, column_value=column_value, checks=checks, on_nan=on_nan,
        on_duplicate=on_duplicate, on_error=on_error, on_settings_change=on_settings_change,
        work_dir=work_dir, storage_options=storage_options, modules=modules or (),
        part_bytes=part_bytes,
    )  # fmt: skip
    last = _last(calendar, interval_start)
    findings: list[Finding] = []
    made: list[tuple[Finding, dict[str, Any]]] = []  # by all attempts

    def attempt() -> dict[str, Any]:
        findings[:] = _wait_for_rows(
            lambda: _examine_all(request, calendar, last, recalculate=recalculate),
            on_empty,
            max_wait,
        )
        due = [finding for finding in findings if finding.is_due]
        progress.expect(finding.interval.name for finding in due)
        _calculate_all(request, due, spec, wait_for_sink, note)
        check_vanished(request, findings)
        return _report(request, calendar, findings, made)

    def note(finding: Finding, summary: dict[str, Any]) -> None:
        made.append((finding, summary))
        progress.finish(finding.interval.name)

    with engine_logs(), live_progress(request.sink) as progress:
        end_dead_runs()
        try:
            report = repeated(attempt, retries, retry_delay_seconds)
        except Exception as error:
            if findings:
                show_failure(lambda: _report(request, calendar, findings, made), error)
            raise
        show_report(interval_page(report), request.sink)
        return report


def repeated(
    attempt: Callable[[], dict[str, Any]],
    retries: int,
    delay: float,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Try again after errors that may pass. Prefect's own retries would repeat all others, too."""
    for left in range(retries, 0, -1):
        try:
            return attempt()
        except Exception as error:
            if not _may_pass(error):
                raise
            log.warning("%s: %s; %d more attempts", type(error).__name__, error, left)
            sleep(delay)
    return attempt()


def _examine_all(
    request: Request, calendar: Calendar, last: Interval, *, recalculate: bool
) -> list[Finding]:
    """What is to be done about the interval and the ones before, oldest first."""
    check_request(request, calendar)
    found = examine_all(request, candidates(calendar, last), [last] if recalculate else ())
    for finding in found:
        remember(request, finding)
        log.info("interval %s: %s, %s", finding.interval.name, finding.state, finding.reason)
    check_findings(found)
    return found


def _wait_for_rows(
    look: Callable[[], list[Finding]], on_empty: str, max_wait: float
) -> list[Finding]:
    """Look until the last interval has rows, if that is asked for."""
    began = time.monotonic()
    while True:
        findings = look()
        if findings[-1].state != "empty" or on_empty == "skip":
            return findings
        waited = time.monotonic() - began
        if on_empty == "fail" or waited >= max_wait:
            raise NoRowsError(
                f"interval {findings[-1].interval.name}: {findings[-1].reason}, after "
                f"{waited:.0f} s; nothing was changed. Bring the data, or choose on_empty='skip'"
            )
        time.sleep(min(EMPTY_SECONDS, max_wait - waited))


def _calculate_all(
    request: Request,
    due: Sequence[Finding],
    spec: ClusterSpec,
    wait_for_sink: float,
    note: Callable[[Finding, dict[str, Any]], None],
) -> None:
    """Calculate what is due; an interval that fails does not keep the others from it."""
    if not due:
        return  # a run with nothing to do starts no cluster
    failed: list[tuple[str, Exception]] = []
    with shared_cluster(spec) as shared:
        for finding in due:
            try:
                note(finding, calculate(request, finding, shared, wait_for_sink))
            except Exception as error:
                if len(due) == 1:
                    raise
                log.exception("interval %s: failed", finding.interval.name)
                failed.append((finding.interval.name, error))
    if failed:
        raise _first(failed, len(due))


def _first(failed: Sequence[tuple[str, Exception]], due: int) -> Exception:
    """An error that may pass, so that the run is repeated; or else one about what failed first."""
    for _, error in failed:
        if _may_pass(error):
            return error
    name, error = failed[0]
    told = IntervalsError(
        f"{len(failed)} of {due} intervals failed, first {name}: {type(error).__name__}: "
        f"{error}. The others are published; this run's next one tries again"
    )
    told.__cause__ = error
    return told


def calculate(
    request: Request,
    finding: Finding,
    spec: ClusterSpec,
    wait_for_sink: float,
    turn: Turn | None = None,
) -> dict[str, Any]:
    """Calculate and publish one interval; the summary."""
    again = finding.replaces if finding.state == "recalculated" else ""
    about = replace(
        request, interval=finding.interval, examined=finding.source, recalculates=again,
        reason=finding.reason,
    )  # fmt: skip
    return carry_out(about, spec, wait_for_sink, turn)


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, UnfitWorkerError):
        return False
    return is_transient(error) or isinstance(error, ClusterError | SinkBusyError)


def _report(
    request: Request,
    calendar: Calendar,
    findings: Sequence[Finding],
    made: Sequence[tuple[Finding, dict[str, Any]]],
) -> dict[str, Any]:
    names = interval_names(SinkLayout.of(request.sink, request.storage_options))
    looked_at = [finding.interval for finding in findings]
    older = holes(calendar, names, looked_at)
    if older:
        log.warning("%d older intervals were never published", len(older))
    carried_out = {finding.interval: finding for finding, _ in made}
    last_words = [carried_out.get(finding.interval, finding) for finding in findings]
    return {
        "interval": findings[-1].interval.name,
        "sink": request.sink,
        "findings": [
            {
                "interval": finding.interval.name,
                "start": local_text(calendar, finding.interval.start),
                "state": finding.state,
                "reason": finding.reason,
            }
            for finding in last_words
        ],
        "summaries": [summary for _, summary in made],
        "holes": _named(request, calendar, older),
        "outdated": _named(request, calendar, outdated(request, calendar, looked_at)),
    }


def _named(request: Request, calendar: Calendar, intervals: Sequence[Interval]) -> dict[str, Any]:
    """Intervals that want a backfill, and the command for it."""
    return {
        "count": len(intervals),
        "names": [one.name for one in intervals[:NAMED]],
        "commands": fill_commands(request, flow_run.parameters, calendar, intervals),
    }


if __name__ == "__main__":
    from tidemill.cli.main import run_file

    run_file("extract-interval")
