"""Whether the parts of a plan fit into the memory of a host."""

from __future__ import annotations

import psutil

from tidemill.errors import ResourceError
from tidemill.model.plan import Plan
from tidemill.planning.parts import part_memory_bytes

__all__ = ["check_memory"]


def check_memory(plan: Plan, threads: int) -> None:
    """Check that ``threads`` threads have memory on this host: half of what is free, and no more.

    Raises
    ------
    ResourceError
        Naming what the largest part takes, and what is free.
    """
    largest = max(part_memory_bytes(plan.source, plan.layout, part) for part in plan.parts)
    free = psutil.virtual_memory().available
    if largest * threads > free / 2:
        raise ResourceError(
            f"{threads} threads need {largest:,} bytes each for the largest part, and {free:,} "
            "bytes of memory are free; use fewer threads on a host or a smaller part_bytes (a "
            "single series cannot be cut)"
        )
