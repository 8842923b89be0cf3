"""The task ``partition``: rows of one id end up together, out of core."""

from __future__ import annotations

from typing import Any

from tidemill.execution.steps import partition as partition_run
from tidemill.orchestration.cluster import cluster_in_use
from tidemill.orchestration.dispatch import map_on_workers
from tidemill.orchestration.server import engine_logs
from tidemill.orchestration.steps import current_client
from tidemill.storage.run_address import Run
from tidemill.tasks.options import as_task

__all__ = ["partition"]


def partition_on_workers(run: dict[str, Any], cluster: str) -> dict[str, Any]:
    """Spill the input by id range on the Dask workers, unless it can be used as it lies.

    Returns
    -------
    dict
        ``layout``, ``tasks`` and ``reused`` (spill files) and ``bytes`` of spill.
    """
    client = current_client(cluster_in_use(cluster))
    with engine_logs():
        address = Run(**run)
        return partition_run(address, map_on_workers(client, address.stall_seconds))


partition = as_task(partition_on_workers, "partition")
