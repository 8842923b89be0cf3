"""Looks at clusters that are not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tidemill.model.cluster_look import ClusterLook, WorkerLook

HERE = {"python": "3.11", "tidemill": "0.1.0", "numpy": "2.3.0", "dask": "2026.8.0"}
RUN = "20261120T060000-2a4d"

_FIRST = WorkerLook(
    address="tcp://10.0.0.2:40001",
    name="tcp://10.0.0.2:40001",
    host="10.0.0.2",
    status="running",
    has_nanny=True,
    threads=4,
    memory_limit=4 * 2**30,
    memory_bytes=2**30,
    silent_seconds=0.4,
    results=3,
    tasks={},
    versions=HERE,
)
_SECOND = replace(
    _FIRST,
    address="tcp://10.0.0.3:40002",
    name="second",
    host="10.0.0.3",
    has_nanny=False,
    silent_seconds=90.0,
    tasks={"calculate_features": 2},
    versions={**HERE, "numpy": "2.2.0"},
)


def look_at_two(**changes: Any) -> ClusterLook:
    """A scheduler with two workers, the second with another numpy, silent and without a nanny."""
    look = ClusterLook(
        address="tcp://10.0.0.1:8786",
        up_seconds=75.0,
        scheduler_versions=HERE,
        here=HERE,
        workers=[_FIRST, _SECOND],
        waiting={"sum": 1},
        failed={},
        runs=[RUN],
    )
    return replace(look, **changes)
