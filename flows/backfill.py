"""Backfill as a Prefect flow: the intervals of a span of time that are missing or out of date.

Call it, serve it, deploy it, or run this file: ``python flows/backfill.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill backfill``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from prefect import flow

from tidemill.errors import ArgumentError, BackfillError
from tidemill.execution.job import stop_jobs
from tidemill.execution.ordered_pool import Turn, in_turns
from tidemill.flows.recurring import calculate, repeated
from tidemill.model.progress import Board
from tidemill.orchestration.artifacts import live_progress, show_report
from tidemill.orchestration.cluster import ClusterSpec, parse_cluster
from tidemill.orchestration.dead_runs import end_dead_runs
from tidemill.orchestration.parameters import (
    Anchor,
    Bytes,
    Checks,
    Cluster,
    Column,
    Columns,
    Concurrency,
    Lag,
    Location,
    Locations,
    Modules,
    OnDuplicate,
    OnError,
    OnNan,
    OnSettingsChange,
    Order,
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
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import (
    Finding,
    check_request,
    examine_all,
    make_table_request,
    remember,
)
from tidemill.recurring.intervals import between, is_closed, local_text
from tidemill.reports.markdown import backfill_page

__all__ = ["backfill"]

log = logging.getLogger(__name__)


@flow(name="backfill", persist_result=False, on_crashed=[cancel_interrupted])
def backfill(
    source: Locations,
    sink: Location,
    column_id: Columns,
    column_time: Column,
    start: Time,
    end: Time,
    column_kind: Column | None = None,
    column_value: Columns | None = None,
    settings: SettingsChoice = "comprehensive",
    every: Span = "1d",
    timezone: TimeZone = "UTC",
    anchor: Anchor | None = None,
    window: Span | None = None,
    lag: Lag = "0s",
    order: Order = "oldest first",
    concurrency: Concurrency = 2,
    dry_run: bool = False,
    recalculate: bool = False,
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
    """Calculate the intervals between two times that are missing or whose data changed.

    Stopped and started again it goes on where it was: what is complete is skipped. An interval
    that fails does not keep the others from being calculated; the run fails at its end.

    Args:
        source: Path, folder, glob or URL of Parquet or CSV files, or a list of them.
        sink: Folder or URL of the Delta table. Each interval is a partition of it.
        column_id: Column that says which series a row belongs to, or a list of columns that say it
            together.
        column_time: Column of timestamps. Those without a time zone are taken as UTC.
        start: Start of the first interval: a local time such as 2026-11-01 or 2026-11-01T06:00, one
            with its offset such as 2026-11-01T06:00+01:00, or an interval's name such as
            20261101T060000Z.
        end: End of the last interval, in the form of start, such as 2026-11-01.
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
        lag: How long after its end an interval counts as closed, such as 0s, 5min or 2h. Others are
            left out.
        order: Which intervals come first: oldest first or newest first.
        concurrency: How many intervals are worked on at once, 1 or more. They are published in
            order.
        dry_run: Say what would be done, and do nothing.
        recalculate: Calculate complete intervals as well.
        checks: Limits that warn or fail, by check: quarantined_series (a whole number, 0 or more),
            failed_cells, rows_drop and nan_rise (shares, 0 or more and below 1), or off. As in
            {"rows_drop": {"fail": 0.5, "warn": "off"}}. What is not named keeps its default.
        retries: How often an interval is repeated after an error that may pass, 0 or more.
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
        What happened to each interval.
    """
    spec = parse_cluster(cluster)
    calendar = Calendar(every, timezone, anchor, window, lag)
    request = make_table_request(
        source, sink, settings=settings, column_id=column_id, column_time=column_time,
        column_kind=column_kind, column_value=column_value, checks=checks, on_nan=on_nan,
        on_duplicate=on_duplicate, on_error=on_error, on_settings_change=on_settings_change,
        work_dir=work_dir, storage_options=storage_options, modules=modules or (),
        part_bytes=part_bytes,
    )  # fmt: skip
    if concurrency < 1:
        raise ArgumentError(f"concurrency={concurrency} is not allowed; give 1 or more")
    now = datetime.now(UTC)
    chosen = [one for one in between(calendar, start, end) if is_closed(calendar, one, now)]
    if order == "newest first":
        chosen.reverse()
    with engine_logs(), live_progress(request.sink) as progress:
        end_dead_runs()
        check_request(request, calendar)
        findings = examine_all(request, chosen, chosen if recalculate else (), concurrency)
        results = [_row(calendar, finding) for finding in findings]
        if not dry_run:
            for finding in findings:
                remember(request, finding)
            progress.expect(finding.interval.name for finding in findings if finding.is_due)
            patience = wait_for_sink, retries, retry_delay_seconds
            done = _carry_out_all(request, findings, spec, patience, concurrency, progress)
            results = [row | done.get(row["interval"], {}) for row in results]
        report = {"sink": request.sink, "dry_run": dry_run, "intervals": results}
        show_report(backfill_page(report), request.sink)
    failed = [row for row in results if row["result"] in {"failed", "refused"}]
    if failed and not dry_run:
        raise BackfillError(
            f"{len(failed)} of {len(results)} intervals failed, first {failed[0]['interval']}: "
            f"{failed[0]['reason']}. The others are published; run again for the rest"
        )
    return report


def _prospect(finding: Finding) -> str:
    if finding.state == "refused":
        return "refused"
    return "due" if finding.is_due else "skipped"


def _row(calendar: Calendar, finding: Finding) -> dict[str, Any]:
    """What the report says of an interval before it is worked on."""
    row = {
        "interval": finding.interval.name,
        "start": local_text(calendar, finding.interval.start),
        "state": finding.state,
        "reason": finding.reason,
        "result": _prospect(finding),
    }
    log.info("interval %(interval)s: %(result)s, %(reason)s", row)
    return row


def _carry_out_all(
    request: Request,
    findings: Sequence[Finding],
    spec: ClusterSpec,
    patience: tuple[float, int, float],
    concurrency: int,
    progress: Board,
) -> dict[str, dict[str, Any]]:
    """What happened to each interval that was due, by its name."""
    due = [finding for finding in findings if finding.is_due]
    if not due:
        return {}  # nothing to do starts no cluster

    def work(finding: Finding, turn: Turn) -> dict[str, Any]:
        row = _carry_out(request, finding, shared, patience, turn)
        progress.finish(finding.interval.name)
        return row

    with shared_cluster(spec) as shared:
        done = in_turns(
            work, due, concurrency, lambda: stop_jobs(request.sink, "the backfill was stopped")
        )
    return {finding.interval.name: row for finding, row in zip(due, done, strict=True)}


def _carry_out(
    request: Request,
    finding: Finding,
    spec: ClusterSpec,
    patience: tuple[float, int, float],
    turn: Turn,
) -> dict[str, Any]:
    """What happened to an interval that was due."""
    wait_for_sink, retries, delay = patience
    name = finding.interval.name
    try:
        summary = repeated(
            lambda: calculate(request, finding, spec, wait_for_sink, turn),
            retries,
            delay,
            turn.sleep,
        )
    except Exception as error:
        if turn.stopped.is_set():  # not every CancelledError: a lost Dask future raises one too
            raise
        log.exception("interval %s: failed", name)
        return {"result": "failed", "reason": f"{type(error).__name__}: {error}"}
    log.info("interval %s: published, %d rows", name, summary["rows"])
    return {"result": "published", "rows": summary["rows"], "digest": summary["digest"]}


if __name__ == "__main__":
    from tidemill.cli.main import run_file

    run_file("backfill")
