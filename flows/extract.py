"""The main job as a Prefect flow: time series in, feature matrix out.

Call it, serve it, deploy it, or run this file: ``python flows/extract.py INPUT OUTPUT ...`` takes
the arguments of ``tidemill extract``.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from tidemill.flows.on_dask import carry_out
from tidemill.orchestration import signatures
from tidemill.orchestration.artifacts import live_progress, show_report
from tidemill.orchestration.dead_runs import end_dead_runs
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.handover import requested
from tidemill.orchestration.lost_server import outlast_server
from tidemill.orchestration.parameters import takes
from tidemill.orchestration.scripts import run_as_command
from tidemill.orchestration.server import cancel_interrupted, engine_logs, looks_for_server
from tidemill.planning.doors import EXTRACT
from tidemill.reports.markdown import extraction_page

__all__ = ["extract"]


@looks_for_server
@flow(name=EXTRACT.name, persist_result=False, on_crashed=[cancel_interrupted])
@takes(EXTRACT, signatures.extract)
def extract(given: dict[str, Any]) -> dict[str, Any]:
    """Calculate the feature matrix of the time series in files.

    Returns:
        The summary of the run: sink, rows, columns, parts, seconds per step, errors, digest.
    """
    request, spec = requested(EXTRACT, given)
    with guarded_flow(), engine_logs():
        outlast_server(request)
        end_dead_runs(request)
        with live_progress(request.sink) as board:
            board.expect([""])
            summary = carry_out(request, spec, given["wait_for_sink"])
            board.finish("")
        show_report(extraction_page(summary), request.sink)
        return summary


if __name__ == "__main__":
    run_as_command(EXTRACT.name)
