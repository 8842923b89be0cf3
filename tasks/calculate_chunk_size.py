"""The task ``calculate_chunk_size``: how many ids one task run calculates."""

from __future__ import annotations

from typing import Any

from tidemill.execution.steps import choose_chunks
from tidemill.orchestration.server import engine_logs
from tidemill.storage.run_address import Run
from tidemill.tasks.options import as_task

__all__ = ["calculate_chunk_size"]


def choose(run: dict[str, Any], threads: int) -> dict[str, Any]:
    """Deal the missing parts of ``run`` into chunks for ``threads`` threads.

    Returns
    -------
    dict
        ``chunk_size`` (ids per chunk), ``formula`` and ``chunks`` (part indexes of each).
    """
    with engine_logs():
        return choose_chunks(Run(**run), threads)


calculate_chunk_size = as_task(choose, "calculate_chunk_size")
