"""A folder for each test, and one Dask scheduler for all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support import programs
from ..support.probes import FOLDER, Probe


@pytest.fixture
def sink(tmp_path) -> Path:
    return tmp_path / "matrix"


@pytest.fixture
def probe(tmp_path, monkeypatch) -> Probe:
    monkeypatch.syspath_prepend(FOLDER)
    folder = tmp_path / "probe"
    folder.mkdir()
    return Probe(folder)


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """Address of a scheduler without workers."""
    with programs.scheduler() as address:
        yield address
