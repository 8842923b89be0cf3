"""Distributors that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


def made(cluster: str) -> Any:
    from tidemill.bridges.tsfresh import PrefectDistributor

    return PrefectDistributor(cluster, disable_progressbar=True)


@pytest.fixture(scope="module")
def on_threads(prefect_server) -> Iterator[Any]:
    """A distributor with two threads of this process."""
    with made("threads:2") as distributor:
        yield distributor


@pytest.fixture(scope="module")
def on_processes(prefect_server) -> Iterator[Any]:
    """A distributor with two worker processes."""
    with made("processes:2") as distributor:
        yield distributor


def left_of(client: Any, *names: str) -> list[str]:
    """Events, queues and tasks on the scheduler whose names begin so."""

    def look(dask_scheduler: Any) -> list[str]:
        extensions = dask_scheduler.extensions
        found = {
            *extensions["events"]._events,
            *extensions["queues"].queues,
            *dask_scheduler.tasks,
        }
        return sorted(str(one) for one in found if str(one).startswith(names))

    return client.run_on_scheduler(look)  # type: ignore[no-any-return]
