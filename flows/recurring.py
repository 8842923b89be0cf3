"""Recurring extraction as a Prefect flow: a feature table that stays fresh, interval by interval.

Call it, serve it, deploy it, or run this file: ``python flows/recurring.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill extract-interval``.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from tidemill.errors import ArgumentError
from tidemill.flows.on_dask import runner_on
from tidemill.orchestration import signatures
from tidemill.orchestration.artifacts import live_progress
from tidemill.orchestration.dead_runs import end_dead_runs
from tidemill.orchestration.ending import ended_with, reported
from tidemill.orchestration.flow_calls import in_sentences
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.handover import requested
from tidemill.orchestration.lost_server import outlast_server
from tidemill.orchestration.parameters import takes
from tidemill.orchestration.run_names import table_name
from tidemill.orchestration.scripts import run_as_command
from tidemill.orchestration.server import cancel_interrupted, engine_logs
from tidemill.planning.doors import EXTRACT_INTERVAL
from tidemill.recurring.calendars import calendar_of
from tidemill.recurring.latest import LatestRun, own_interval
from tidemill.reports.markdown import interval_page

__all__ = ["extract_interval"]


def _run_name() -> str:
    """Such as ``buoys-2026-11-20``: the table, and the interval."""
    given = flow_run.parameters
    table = table_name(given)
    try:
        calendar = calendar_of(given)
        last = own_interval(calendar, given, flow_run.scheduled_start_time)
    except ArgumentError:  # the run itself reports what is wrong
        return table
    return f"{table}-{last.label}"


@in_sentences
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
    with reported(EXTRACT_INTERVAL, given) as ending, guarded_flow(), engine_logs():
        calendar = calendar_of(given)
        request, spec = requested(EXTRACT_INTERVAL, given)
        open_runner = runner_on(spec, given["wait_for_sink"], ending.reports)
        with live_progress(request.sink) as board:
            outlast_server(request)
            end_dead_runs(request)
            last = own_interval(calendar, given, flow_run.scheduled_start_time)
            run = LatestRun(request, calendar, last, open_runner, board, given)
            ending.report_so_far(run.so_far, interval_page)
            report = run.carry_out()
        found = {**report.to_json(), "reports": ending.reports.links()}
        return ended_with(report.verdict, found, interval_page(found), request.sink)


if __name__ == "__main__":
    run_as_command(EXTRACT_INTERVAL.name)
