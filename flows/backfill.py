"""Backfill as a Prefect flow: the intervals of a span of time that are missing or out of date.

Call it, serve it, deploy it, or run this file: ``python flows/backfill.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill backfill``.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from tidemill.flows.on_dask import runner_on
from tidemill.orchestration import signatures
from tidemill.orchestration.artifacts import live_progress
from tidemill.orchestration.dead_runs import end_dead_runs, no_task_left
from tidemill.orchestration.ending import ended_with, reported
from tidemill.orchestration.flow_calls import in_sentences
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.handover import requested
from tidemill.orchestration.lost_server import outlast_server
from tidemill.orchestration.parameters import takes
from tidemill.orchestration.run_names import backfill_name
from tidemill.orchestration.scripts import run_as_command
from tidemill.orchestration.server import cancel_interrupted, engine_logs
from tidemill.planning.doors import BACKFILL
from tidemill.recurring.backfill import BackfillRun, check_finished, chosen_intervals
from tidemill.recurring.calendars import calendar_of
from tidemill.reports.markdown import backfill_page

__all__ = ["backfill"]


@in_sentences
@flow(
    name=BACKFILL.name,
    persist_result=False,
    flow_run_name=backfill_name,
    on_crashed=[cancel_interrupted],
)
@takes(BACKFILL, signatures.backfill)
def backfill(given: dict[str, Any]) -> dict[str, Any]:
    """Calculate the intervals between two times that are missing or whose data changed.

    Stopped and started again it goes on where it was: what is complete is skipped. An interval
    that fails does not keep the others from being calculated; the run fails at its end.

    Returns:
        What happened to each interval.
    """
    with reported(BACKFILL, given) as ending, guarded_flow(), engine_logs():
        calendar = calendar_of(given)
        request, spec = requested(BACKFILL, given)
        chosen = chosen_intervals(calendar, given)
        open_runner = runner_on(spec, given["wait_for_sink"], ending.reports)
        with live_progress(request.sink) as board:
            outlast_server(request)
            end_dead_runs(request)
            run = BackfillRun(request, calendar, chosen, open_runner, board, given)
            with ending.reports:
                report = run.carry_out()
        found = {**report.to_json(), "reports": ending.reports.links()}
        ending.report_so_far(lambda: found, backfill_page)
        with no_task_left(BACKFILL.name):
            check_finished(report)
        return ended_with(report.verdict, found, backfill_page(found), request.sink)


if __name__ == "__main__":
    run_as_command(BACKFILL.name)
