"""A Dask cluster of real processes, whose nannies start workers again that a test kills."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from distributed import Client

from . import programs


@contextmanager
def live_cluster(workers: int = 2) -> Iterator[Client]:
    """A client, the default of nobody, of a scheduler with workers of one thread."""
    with ExitStack() as stack:
        address = stack.enter_context(programs.scheduler())
        for number in range(workers):
            name = f"--name=worker-{number}"
            stack.enter_context(programs.worker(address, 1, options=[name]))
        client = stack.enter_context(Client(address, timeout=10, set_as_default=False))
        client.wait_for_workers(workers, timeout=60)
        yield client
