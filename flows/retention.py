"""Retention as a Prefect flow: tables stay small and quick, and old intervals go.

Call it, serve it or deploy it. This file, run as a script, is ``tidemill clean``, which does the
same for one table.
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from tidemill.orchestration import signatures
from tidemill.orchestration.artifacts import show_report
from tidemill.orchestration.ending import in_state, reported
from tidemill.orchestration.flow_calls import in_sentences
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.parameters import takes
from tidemill.orchestration.run_names import retention_name
from tidemill.orchestration.scripts import run_as_command
from tidemill.orchestration.server import cancel_interrupted, engine_logs
from tidemill.planning.doors import RETENTION
from tidemill.recurring.retention import Retention, check_retention, keep_in_order
from tidemill.reports.keeping_text import kept_page

__all__ = ["retention"]


@in_sentences
@flow(
    name=RETENTION.name,
    persist_result=False,
    flow_run_name=retention_name,
    on_crashed=[cancel_interrupted],
)
@takes(RETENTION, signatures.retention)
def retention(given: dict[str, Any]) -> dict[str, Any]:
    """Drop the intervals of tables that are too old, and remove what nobody needs any more.

    A table that fails does not keep the others from being looked after; the run fails at its end.

    Returns:
        What was dropped and removed of each table.
    """
    with guarded_flow(), engine_logs():
        with reported(RETENTION, given):  # afterwards each table has a page of its own
            check_retention(given)
        done = Retention()
        for one in keep_in_order(given):
            done.tables.append(one)
            show_report(kept_page(one), one.sink)
        done.check()
        return in_state(done.verdict, {"tables": [one.to_json() for one in done.tables]})


if __name__ == "__main__":
    run_as_command("clean")
