"""A folder for each test, and one Dask scheduler for all."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import resource_tracker

import pytest

from ..support import programs


@pytest.fixture(scope="session", autouse=True)
def _resource_tracker() -> None:
    """Start the process that Python keeps for its worker processes, so that it is no remains."""
    resource_tracker.ensure_running()


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Address of a scheduler without workers."""
    with programs.scheduler() as address:
        yield address
