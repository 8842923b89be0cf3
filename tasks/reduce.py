"""The task ``reduce``: verify, publish and summarise."""

from __future__ import annotations

from typing import Any

from tidemill.execution.reduce import reduce as reduce_run
from tidemill.orchestration.server import engine_logs
from tidemill.storage.run_address import Run
from tidemill.tasks.options import as_task

__all__ = ["reduce"]


def publish(run: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Publish the parts of ``run`` in one transaction and write its record; the summary."""
    with engine_logs():
        return reduce_run(Run(**run), facts).to_json()


reduce = as_task(publish, "reduce")
