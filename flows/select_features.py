"""Choosing features as a Prefect flow: which columns of a table matter for a target.

Call it, serve it or deploy it. This file, run as a script, takes the arguments of
``tidemill select``.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from tidemill.orchestration import signatures
from tidemill.orchestration.ending import ended_with, reported
from tidemill.orchestration.flow_calls import in_sentences
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.parameters import takes
from tidemill.orchestration.run_names import select_name
from tidemill.orchestration.scripts import run_as_command
from tidemill.orchestration.server import cancel_interrupted, engine_logs
from tidemill.planning.doors import SELECT
from tidemill.reports.selection import selection_page, write_selection
from tidemill.selection.table import select_from_table
from tidemill.selection.table_request import selection_request

__all__ = ["select"]


@in_sentences
@flow(
    name=SELECT.name,
    persist_result=False,
    flow_run_name=select_name,
    on_crashed=[cancel_interrupted],
)
@takes(SELECT, signatures.select)
def select(given: dict[str, Any]) -> dict[str, Any]:
    """Choose the columns of a feature matrix that matter for a target.

    Returns:
        The summary of the selection: rows, features, those chosen, files written.
    """
    with reported(SELECT, given), guarded_flow(), engine_logs():
        request = selection_request(given)
        selected = select_from_table(request)
        summary = write_selection(request, selected)
        page = selection_page(summary, selected.relevance)
        return ended_with(selected.verdict, summary, page, request.output.url)


if __name__ == "__main__":
    run_as_command(SELECT.name)
