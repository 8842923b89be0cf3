"""The task ``calculate_features``: one chunk of parts, in one place, one part after another."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tidemill.execution.chunk import run_chunk
from tidemill.orchestration.server import engine_logs
from tidemill.storage.run_address import Run
from tidemill.tasks.options import as_task

__all__ = ["calculate_features"]


def calculate_chunk(run: dict[str, Any], parts: list[int]) -> dict[str, Any]:
    """Calculate the ``parts`` of ``run`` that are not committed yet; a few counts."""
    with engine_logs():
        return asdict(run_chunk(Run(**run), parts))


calculate_features = as_task(calculate_chunk, "calculate_features", of="chunk-from-part-{parts[0]}")
