"""The main job as a Prefect flow: time series in, feature matrix out.

Call it, serve it, deploy it, or run this file: ``python flows/extract.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill extract``.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from tidemill.execution.verdicts import verdict_of_summary
from tidemill.flows.on_dask import carry_out
from tidemill.orchestration import signatures
from tidemill.orchestration.artifacts import live_progress
from tidemill.orchestration.dead_runs import end_dead_runs
from tidemill.orchestration.ending import ended_with, reported
from tidemill.orchestration.flow_calls import in_sentences
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.handover import requested
from tidemill.orchestration.lost_server import outlast_server
from tidemill.orchestration.parameters import takes
from tidemill.orchestration.run_names import extract_name
from tidemill.orchestration.scripts import run_as_command
from tidemill.orchestration.server import cancel_interrupted, engine_logs
from tidemill.planning.doors import EXTRACT
from tidemill.reports.markdown import extraction_page

__all__ = ["extract"]


@in_sentences
@flow(
    name=EXTRACT.name,
    persist_result=False,
    flow_run_name=extract_name,
    on_crashed=[cancel_interrupted],
)
@takes(EXTRACT, signatures.extract)
def extract(given: dict[str, Any]) -> dict[str, Any]:
    """Calculate the feature matrix of the time series in files.

    Returns:
        The summary of the run: sink, rows, columns, parts, seconds per step, errors, digest.
    """
    with reported(EXTRACT, given) as ending, guarded_flow(), engine_logs():
        request, spec = requested(EXTRACT, given)
        outlast_server(request)
        end_dead_runs(request)
        with live_progress(request.sink) as board:
            board.expect([""])
            wait = given["wait_for_sink"]
            summary = carry_out(request, spec, wait, on_end=ending.reports)
            board.finish("")
        summary |= {"reports": ending.reports.links()}
        verdict = verdict_of_summary(summary)
        return ended_with(verdict, summary, extraction_page(summary), request.sink)


if __name__ == "__main__":
    run_as_command(EXTRACT.name)
