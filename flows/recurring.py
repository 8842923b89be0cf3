"""Recurring extraction as a Prefect flow: a feature table that stays fresh, interval by interval.

Call it, serve it, deploy it, or run this file: ``python flows/recurring.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill extract-interval``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from tidemill.errors import ArgumentError
from tidemill.flows.on_dask import runner_on
from tidemill.model.interval import Interval
from tidemill.orchestration import signatures
from tidemill.orchestration.artifacts import live_progress, show_failure, show_report
from tidemill.orchestration.dead_runs import end_dead_runs
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.handover import requested
from tidemill.orchestration.lost_server import outlast_server
from tidemill.orchestration.parameters import takes
from tidemill.orchestration.scripts import run_as_command
from tidemill.orchestration.server import cancel_interrupted, engine_logs, looks_for_server
from tidemill.planning.doors import EXTRACT_INTERVAL
from tidemill.recurring.calendars import Calendar, calendar_of
from tidemill.recurring.intervals import find_interval, last_closed
from tidemill.recurring.latest import LatestRun
from tidemill.reports.markdown import interval_page

__all__ = ["extract_interval"]


def _run_name() -> str:
    """Such as ``buoys-2026-11-20``: the table, and the interval."""
    given = flow_run.parameters
    table = str(given["sink"]).rstrip("/").rpartition("/")[2]
    try:
        calendar = calendar_of(given)
        last = _last(calendar, given)
    except ArgumentError:  # the run itself reports what is wrong
        return table
    return f"{table}-{last.label}"


def _last(calendar: Calendar, given: Mapping[str, Any]) -> Interval:
    """The interval of a run: a retry or a late start is about the same."""
    if given["interval_start"] is not None:
        return find_interval(calendar, given["interval_start"])
    return last_closed(calendar, flow_run.scheduled_start_time or datetime.now(UTC))


@looks_for_server
@flow(
    name=EXTRACT_INTERVAL.name,
    persist_result=False,
    flow_run_name=_run_name,
    on_crashed=[cancel_interrupted],
)
@takes(EXTRACT_INTERVAL, signatures.extract_interval)
def extract_interval(given: dict[str, Any]) -> dict[str, Any]:
    """Calculate the latest closed interval, and earlier ones whose data changed.

    Returns:
        The interval, what was found about it and the ones before, and the summaries of what was
        calculated.
    """
    calendar = calendar_of(given)
    request, spec = requested(EXTRACT_INTERVAL, given)
    open_runner = runner_on(spec, given["wait_for_sink"])
    with guarded_flow(), engine_logs(), live_progress(request.sink) as board:
        outlast_server(request)
        end_dead_runs(request)
        last = _last(calendar, given)
        run = LatestRun(request, calendar, last, open_runner, board, given)
        try:
            report = run.carry_out().to_json()
        except Exception as error:
            if run.findings:
                show_failure(lambda: run.report().to_json(), error)
            raise
        show_report(interval_page(report), request.sink)
        return report


if __name__ == "__main__":
    run_as_command(EXTRACT_INTERVAL.name)
