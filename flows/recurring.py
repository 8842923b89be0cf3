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
from typing import Any, Literal

from prefect import flow
from prefect.runtime import flow_run

from tidemill.artifacts import live_progress, show_failure, show_report
from tidemill.calendars import Calendar
from tidemill.cluster import ClusterSpec, parse_cluster
from tidemill.commandlines import fill_commands
from tidemill.dead_runs import end_dead_runs
from tidemill.errors import ArgumentError, ClusterError, NoRowsError, SinkBusyError
from tidemill.flows.extract import carry_out
from tidemill.intervals import Interval, candidates, find_interval, last_closed, local_text
from tidemill.operations import (
    Location,
    Locations,
    cancel_interrupted,
    engine_logs,
    shared_cluster,
)
from tidemill.pages import interval_page
from tidemill.recurring import (
    NAMED,
    Finding,
    check_findings,
    check_request,
    examine,
    holes,
    make_table_request,
    outdated,
    remember,
)
from tidemill.request import Request
from tidemill.storage.faults import is_transient
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.turns import Turn

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
    column_id: str | list[str],
    column_time: str,
    column_kind: str | None = None,
    column_value: str | None = None,
    settings: str | dict[str, Any] = "comprehensive",
    every: str = "1d",
    timezone: str = "UTC",
    anchor: str | None = None,
    window: str | None = None,
    lag: str = "0s",
    lookback: int | None = None,
    interval_start: str | None = None,
    recalculate: bool = False,
    on_empty: Literal["wait", "skip", "fail"] = "fail",
    max_wait: float = 3600.0,
    checks: dict[str, Any] | None = None,
    retries: int = 2,
    retry_delay_seconds: float = 60.0,
    cluster: str = "threads",
    on_nan: Literal["raise", "omit", "quarantine"] = "quarantine",
    on_duplicate: Literal["raise", "first", "last", "mean"] = "raise",
    on_error: Literal["raise", "nan"] = "nan",
    on_settings_change: Literal["refuse", "append", "recalculate"] = "refuse",
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
    part_bytes: int | None = None,
    wait_for_sink: float = 3600.0,
) -> dict[str, Any]:
    """Calculate the rows of the interval that closed last, and of earlier ones whose data changed.

    Args:
        source: Path, folder, glob or URL of Parquet or CSV files, or a list of them.
        sink: Folder or URL of the Delta table. Each interval is a partition of it.
        column_id: Column that says which series a row belongs to, or a list of columns that say it
            together.
        column_time: Column of timestamps. Those without a time zone are taken as UTC.
        column_kind: Column that names the kind of each row (long format).
        column_value: Column with the values. Without it every other column is a kind.
        settings: Preset (minimal, efficient, comprehensive), path of a settings file, or settings.
        every: Length of an interval, such as 15min, 1h, 1d or 1w. Days and weeks are local.
        timezone: Name of the time zone whose days count, such as Europe/Berlin.
        anchor: A time at which an interval starts, or a duration such as 6h. Default: midnight.
        window: How much history up to an interval's end each row sees. Default: the interval.
        lag: How long after its end an interval counts as closed.
        lookback: How many earlier intervals are looked at again. Default: enough for the window.
        interval_start: Start of the interval, for a run by hand. Default: the last closed one.
        recalculate: Calculate the interval even if nothing changed.
        on_empty: What to do if the interval's window has no row: wait, skip or fail.
        max_wait: Seconds to wait for rows before the run fails.
        checks: Limits that warn or fail, by check: quarantined_series, failed_cells, rows_drop,
            nan_rise. As in {"rows_drop": {"fail": 0.5, "warn": "off"}}.
        retries: How often the run is repeated after an error that may pass, such as a network's.
        retry_delay_seconds: Seconds before each repetition.
        cluster: none, threads[:N], processes[:N], tcp://host:port, tls://host:port, or the path
            of a cluster file with keywords of DaskTaskRunner.
        on_nan: What a series with NaN or infinite values gets.
        on_duplicate: What rows with the same id, kind and time get.
        on_error: What happens when a calculator raises an error.
        on_settings_change: If the table was made with other settings: refuse to run, append new
            features (only these are calculated), or recalculate what is looked at.
        work_dir: Folder for temporary data, reachable by all workers. Default: beside the sink.
        storage_options: Options of the object store, each with the name of the environment
            variable that holds its value. Never the value itself.
        modules: Importable modules that register custom calculators, on every worker.
        part_bytes: Bytes of input per part. Default: by the size of the input.
        wait_for_sink: Seconds to wait while another run owns the sink.

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
    check_request(request)
    intervals = candidates(calendar, last)
    layout = SinkLayout.of(request.sink, request.storage_options)
    known = read_intervals(layout, (interval.name for interval in intervals))
    found = []
    for interval in intervals:
        again = recalculate and interval == last
        about = replace(request, interval=interval)
        found.append(examine(about, known.get(interval.name), recalculate=again))
        remember(request, found[-1])
        log.info("interval %s: %s, %s", interval.name, found[-1].state, found[-1].reason)
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
    if not due:
        return  # a run with nothing to do starts no cluster
    with shared_cluster(spec) as shared:
        for finding in due:
            note(finding, calculate(request, finding, shared, wait_for_sink))


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
    return is_transient(error) or isinstance(error, ClusterError | SinkBusyError)


def _report(
    request: Request,
    calendar: Calendar,
    findings: Sequence[Finding],
    made: Sequence[tuple[Finding, dict[str, Any]]],
) -> dict[str, Any]:
    names = interval_names(SinkLayout.of(request.sink, request.storage_options))
    looked_at = [finding.interval for finding in findings]
    older, old = holes(calendar, names, looked_at), outdated(request, looked_at)
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
        "outdated": _named(request, calendar, outdated(request, looked_at)),
    }


def _named(request: Request, calendar: Calendar, intervals: Sequence[Interval]) -> dict[str, Any]:
    """Intervals that want a backfill, and the command for it."""
    return {
        "count": len(intervals),
        "names": [one.name for one in intervals[:NAMED]],
        "commands": fill_commands(request, flow_run.parameters, calendar, intervals),
    }


if __name__ == "__main__":
    from tidemill.cli import run_file

    run_file("extract-interval")
