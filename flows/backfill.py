"""Backfill as a Prefect flow: the intervals of a span of time that are missing or out of date.

Call it, serve it, deploy it, or run this file: ``python flows/backfill.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill backfill``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow

from tidemill.errors import BackfillError
from tidemill.flows.on_dask import runner_on
from tidemill.orchestration import signatures
from tidemill.orchestration.artifacts import live_progress, show_report
from tidemill.orchestration.dead_runs import end_dead_runs
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.handover import requested
from tidemill.orchestration.lost_server import outlast_server
from tidemill.orchestration.parameters import takes
from tidemill.orchestration.scripts import run_as_command
from tidemill.orchestration.server import cancel_interrupted, engine_logs, looks_for_server
from tidemill.planning.doors import BACKFILL
from tidemill.recurring.backfill import BackfillRun, chosen_intervals
from tidemill.recurring.calendars import calendar_of
from tidemill.reports.markdown import backfill_page

__all__ = ["backfill"]


@looks_for_server
@flow(name=BACKFILL.name, persist_result=False, on_crashed=[cancel_interrupted])
@takes(BACKFILL, signatures.backfill)
def backfill(given: dict[str, Any]) -> dict[str, Any]:
    """Calculate the intervals between two times that are missing or whose data changed.

    Stopped and started again it goes on where it was: what is complete is skipped. An interval
    that fails does not keep the others from being calculated; the run fails at its end.

    Returns:
        What happened to each interval.
    """
    calendar = calendar_of(given)
    request, spec = requested(BACKFILL, given)
    span = given["start"], given["end"], given["order"]
    chosen = chosen_intervals(calendar, *span, datetime.now(UTC))
    open_runner = runner_on(spec, given["wait_for_sink"])
    with guarded_flow(), engine_logs(), live_progress(request.sink) as board:
        outlast_server(request)
        end_dead_runs(request)
        report = BackfillRun(request, calendar, chosen, open_runner, board, given).carry_out()
        show_report(backfill_page(report.to_json()), request.sink)
    if report.failed and not report.dry_run:
        first = report.failed[0]
        raise BackfillError(
            f"{len(report.failed)} of {len(report.intervals)} intervals failed, first "
            f"{first.label}: {first.reason}. The others are published; run again for the rest"
        )
    return report.to_json()


if __name__ == "__main__":
    run_as_command(BACKFILL.name)
