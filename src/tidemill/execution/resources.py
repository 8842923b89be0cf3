"""Check that a plan fits into a host's memory and onto a sink's disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import psutil

from tidemill.errors import ResourceError
from tidemill.execution.plans import missing_of_plan
from tidemill.model.counts import counted
from tidemill.model.plan import Plan
from tidemill.planning.parts import part_memory_bytes
from tidemill.storage.layout import SinkLayout

__all__ = [
    "check_memory",
    "check_room",
    "disk_free",
    "memory_of_child",
    "output_bytes",
    "set_worker_memory",
]

#: Share of the free memory that an isolated process may take.
CHILD_SHARE = 0.8

_worker_memory: int | None = None  # bytes that this process may take as a Dask worker


def set_worker_memory(limit: int | None) -> None:
    """Note the limit of a Dask worker in bytes, which holds for its isolated processes too."""
    global _worker_memory  # noqa: PLW0603  one for each process
    _worker_memory = limit or None


def memory_of_child() -> int:
    """Bytes that an isolated process may take: those of its worker, or most of what is free."""
    free = int(CHILD_SHARE * psutil.virtual_memory().available)
    return free if _worker_memory is None else min(free, _worker_memory)


def check_memory(plan: Plan, threads: int) -> None:
    """Check that ``threads`` threads need at most half of this host's free memory.

    Raises
    ------
    ResourceError
        Names the memory that the largest part needs, and the free memory.
    """
    largest = max(part_memory_bytes(plan.source, plan.layout, part) for part in plan.parts)
    free = psutil.virtual_memory().available
    if largest * threads > free / 2:
        need = counted(threads, "thread needs", "threads need")
        raise ResourceError(
            f"{need} {largest:,} bytes each for the largest part, and {free:,} "
            "bytes of memory are free; use fewer threads on a host or a smaller part_bytes (a "
            "single series cannot be cut)"
        )


def output_bytes(plan: Plan, parts: Iterable[int] | None = None) -> int:
    """Approximate bytes of the rows of some parts; features hardly compress."""
    wanted = range(len(plan.parts)) if parts is None else parts
    return 8 * sum(plan.parts[index].ids for index in wanted) * len(plan.columns)


def check_room(layout: SinkLayout, plan: Plan) -> None:
    """Check that the rows yet to be written fit onto the disk of a local sink.

    Raises
    ------
    ResourceError
        If they do not; names the bytes needed and free.
    """
    free = disk_free(layout)
    needed = output_bytes(plan, missing_of_plan(layout, plan))
    if layout.kind == "file" and needed:
        needed += output_bytes(plan)  # the file is written while its parts still exist
    if free is not None and needed > free:
        raise ResourceError(
            f"about {needed:,} bytes are still to be written, and {free:,} are free for "
            f"{layout.url}; choose a sink on a larger disk, or settings with fewer features"
        )


def disk_free(layout: SinkLayout) -> int | None:
    """Free bytes on the disk of a local sink; None for object storage."""
    path = layout.home.local_path("")
    if path is None:
        return None
    return shutil.disk_usage(next(one for one in (path, *path.parents) if one.exists())).free
