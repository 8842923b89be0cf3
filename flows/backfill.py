"""Backfill as a Prefect flow: the intervals of a span of time that are missing or out of date.

Call it, serve it, deploy it, or run this file: ``python flows/backfill.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill backfill``.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from tidemill.calendars import Calendar
from tidemill.cluster import parse_cluster
from tidemill.errors import BackfillError
from tidemill.flows.recurring import calculate, repeated
from tidemill.intervals import Interval, between, is_closed, local_text
from tidemill.operations import engine_logs
from tidemill.parameters import (
    Anchor,
    Bytes,
    Checks,
    Cluster,
    Column,
    Lag,
    Location,
    Locations,
    Modules,
    OnDuplicate,
    OnError,
    OnNan,
    Order,
    Retries,
    Seconds,
    SettingsChoice,
    Span,
    StorageOptions,
    Time,
    TimeZone,
)
from tidemill.recurring import Finding, check_request, examine, make_table_request, remember
from tidemill.report import backfill_text
from tidemill.request import Request
from tidemill.storage.intervals import read_intervals
from tidemill.storage.layout import SinkLayout

__all__ = ["backfill"]

log = logging.getLogger(__name__)


@flow(name="backfill", persist_result=False)
def backfill(
    source: Locations,
    sink: Location,
    column_id: Column,
    column_time: Column,
    start: Time,
    end: Time,
    column_kind: Column | None = None,
    column_value: Column | None = None,
    settings: SettingsChoice = "comprehensive",
    every: Span = "1d",
    timezone: TimeZone = "UTC",
    anchor: Anchor | None = None,
    window: Span | None = None,
    lag: Lag = "0s",
    order: Order = "oldest first",
    dry_run: bool = False,
    recalculate: bool = False,
    checks: Checks | None = None,
    retries: Retries = 2,
    retry_delay_seconds: Seconds = 60.0,
    cluster: Cluster = "threads",
    on_nan: OnNan = "quarantine",
    on_duplicate: OnDuplicate = "raise",
    on_error: OnError = "nan",
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
        column_id: Column that says which series a row belongs to.
        column_time: Column of timestamps. Those without a time zone are taken as UTC.
        start: Start of the first interval: a local time such as 2026-11-01 or 2026-11-01T06:00, one
            with its offset such as 2026-11-01T06:00+01:00, or an interval's name such as
            20261101T060000Z.
        end: End of the last interval, in the form of start, such as 2026-11-01.
        column_kind: Column that names the kind of each row (long format).
        column_value: Column with the values. Without it every other column is a kind.
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
        on_duplicate=on_duplicate, on_error=on_error, work_dir=work_dir,
        storage_options=storage_options, modules=modules or (), part_bytes=part_bytes,
    )  # fmt: skip
    now = datetime.now(UTC)
    chosen = [one for one in between(calendar, start, end) if is_closed(calendar, one, now)]
    rows: list[dict[str, Any]] = []
    with engine_logs():
        check_request(request)
        for interval in chosen if order == "oldest first" else reversed(chosen):
            finding = _examine(request, interval, recalculate=recalculate)
            row = {
                "interval": interval.name,
                "start": local_text(calendar, interval.start),
                "state": finding.state,
                "reason": finding.reason,
                "result": "due" if finding.is_due else "skipped",
            }
            rows.append(row)
            if not dry_run:
                remember(request, finding)
            if finding.is_due and not dry_run:
                patience = wait_for_sink, retries, retry_delay_seconds
                row |= _carry_out(request, finding, spec, *patience)
            log.info("interval %s: %s, %s", interval.name, row["result"], row["reason"])
        report = {"sink": request.sink, "dry_run": dry_run, "intervals": rows}
        create_markdown_artifact(
            backfill_text(report), key="tidemill-backfill", description=request.sink
        )
    if failed := [row for row in rows if row["result"] == "failed"]:
        raise BackfillError(
            f"{len(failed)} of {len(rows)} intervals failed, first {failed[0]['interval']}: "
            f"{failed[0]['reason']}. The others are published; run again for the rest"
        )
    return report


def _examine(request: Request, interval: Interval, *, recalculate: bool) -> Finding:
    layout = SinkLayout.of(request.sink, request.storage_options)
    record = read_intervals(layout, [interval.name]).get(interval.name)
    return examine(replace(request, interval=interval), record, recalculate=recalculate)


def _carry_out(
    request: Request, finding: Finding, spec: Any, wait: float, retries: int, delay: float
) -> dict[str, Any]:
    """What happened to an interval that was due."""
    try:
        summary = repeated(lambda: calculate(request, finding, spec, wait), retries, delay)
    except Exception as error:
        log.exception("interval %s failed", finding.interval.name)
        return {"result": "failed", "reason": f"{type(error).__name__}: {error}"}
    return {"result": "published", "rows": summary["rows"], "digest": summary["digest"]}


if __name__ == "__main__":
    from tidemill.cli import run_file

    run_file("backfill")
