"""Backfill as a Prefect flow: the intervals of a span of time that are missing or out of date.

Call it, serve it, deploy it, or run this file: ``python flows/backfill.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill backfill``.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from tidemill.calendars import Calendar
from tidemill.cluster import parse_cluster
from tidemill.dead_runs import end_dead_runs
from tidemill.errors import BackfillError
from tidemill.flows.recurring import calculate, repeated
from tidemill.intervals import Interval, between, is_closed, local_text
from tidemill.operations import Location, Locations, cancel_interrupted, engine_logs
from tidemill.recurring import Finding, check_request, examine, make_table_request, remember
from tidemill.report import backfill_text
from tidemill.request import Request
from tidemill.storage.intervals import read_intervals
from tidemill.storage.layout import SinkLayout

__all__ = ["backfill"]

log = logging.getLogger(__name__)


@flow(name="backfill", persist_result=False, on_crashed=[cancel_interrupted])
def backfill(
    source: Locations,
    sink: Location,
    column_id: str,
    column_time: str,
    start: str,
    end: str,
    column_kind: str | None = None,
    column_value: str | None = None,
    settings: str | dict[str, Any] = "comprehensive",
    every: str = "1d",
    timezone: str = "UTC",
    anchor: str | None = None,
    window: str | None = None,
    lag: str = "0s",
    order: Literal["oldest first", "newest first"] = "oldest first",
    dry_run: bool = False,
    recalculate: bool = False,
    checks: dict[str, Any] | None = None,
    retries: int = 2,
    retry_delay_seconds: float = 60.0,
    cluster: str = "threads",
    on_nan: Literal["raise", "omit", "quarantine"] = "quarantine",
    on_duplicate: Literal["raise", "first", "last", "mean"] = "raise",
    on_error: Literal["raise", "nan"] = "nan",
    work_dir: str | None = None,
    storage_options: dict[str, str] | None = None,
    modules: list[str] | None = None,
    part_bytes: int | None = None,
    wait_for_sink: float = 3600.0,
) -> dict[str, Any]:
    """Calculate the intervals between two times that are missing or whose data changed.

    Stopped and started again it goes on where it was: what is complete is skipped. An interval
    that fails does not keep the others from being calculated; the run fails at its end.

    Args:
        source: Path, folder, glob or URL of Parquet or CSV files, or a list of them.
        sink: Folder or URL of the Delta table. Each interval is a partition of it.
        column_id: Column that says which series a row belongs to.
        column_time: Column of timestamps. Those without a time zone are taken as UTC.
        start: Start of the first interval, such as 2026-11-01, in the time zone.
        end: End of the last interval.
        column_kind: Column that names the kind of each row (long format).
        column_value: Column with the values. Without it every other column is a kind.
        settings: Preset (minimal, efficient, comprehensive), path of a settings file, or settings.
        every: Length of an interval, such as 15min, 1h, 1d or 1w. Days and weeks are local.
        timezone: Name of the time zone whose days count, such as Europe/Berlin.
        anchor: A time at which an interval starts, or a duration such as 6h. Default: midnight.
        window: How much history up to an interval's end each row sees. Default: the interval.
        lag: How long after its end an interval counts as closed. Others are left out.
        order: Which intervals come first.
        dry_run: Say what would be done, and do nothing.
        recalculate: Calculate complete intervals as well.
        checks: Limits that warn or fail, by check, as in the flow extract-interval.
        retries: How often an interval is repeated after an error that may pass.
        retry_delay_seconds: Seconds before each repetition.
        cluster: none, threads[:N], processes[:N], tcp://host:port, tls://host:port, or the path
            of a cluster file with keywords of DaskTaskRunner.
        on_nan: What a series with NaN or infinite values gets.
        on_duplicate: What rows with the same id, kind and time get.
        on_error: What happens when a calculator raises an error.
        work_dir: Folder for temporary data, reachable by all workers. Default: beside the sink.
        storage_options: Options of the object store, each with the name of the environment
            variable that holds its value. Never the value itself.
        modules: Importable modules that register custom calculators, on every worker.
        part_bytes: Bytes of input per part. Default: by the size of the input.
        wait_for_sink: Seconds to wait while another run owns the sink.

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
        end_dead_runs()
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
