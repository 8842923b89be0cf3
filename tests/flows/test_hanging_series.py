"""A series that never ends costs its own row and nothing else, on every cluster.

The commands of one test run at the same time, since most of it is waiting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

import tidemill

from ..support import programs
from ..support.inputs import Input, make_input
from ..support.probes import Probe
from ..support.sinks import assert_nothing_left, records

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("server_environment")]

CLUSTERS = ["none", "threads:2", "processes:2", "scheduler"]
LIMIT = 6.0
SECONDS = 240.0  # about 40 on a quiet machine


@dataclass
class Cell:
    """The command on one cluster."""

    cluster: str
    folder: Path
    series: Input
    stack: ExitStack

    def __post_init__(self) -> None:
        self.probe = Probe(self.folder / "probe")
        self.probe.folder.mkdir(parents=True)
        self.address = self.cluster
        if self.cluster == "scheduler":
            self.address = self.stack.enter_context(programs.scheduler())
            self.stack.enter_context(programs.worker(self.address))

    @property
    def sink(self) -> Path:
        return self.folder / "matrix"

    def start(self) -> None:
        arguments = [*self.series.options, *self.probe.options, f"--series-seconds={LIMIT:.0f}"]
        self.program = self.stack.enter_context(
            programs.extraction(
                self.series.path, self.sink, *arguments, f"--cluster={self.address}"
            )
        )

    def assert_left_out(self, *hung: int) -> None:
        """All others have their rows, and these are named with the reason."""
        rows = list(tidemill.read_matrix(str(self.sink)).index)
        assert rows == [one for one in self.series.ids if one not in hung]
        quarantined = {one["id"]: one["reason"] for one in records(self.sink)[-1]["quarantined"]}
        assert quarantined == {str(one): "its process took more than 6 s" for one in hung}
        assert_nothing_left(self.sink)


@pytest.fixture
def cells(tmp_path) -> Iterator[list[Cell]]:
    series = make_input(tmp_path, n_ids=8, ids_per_part=2)
    with ExitStack() as stack:
        yield [
            Cell(cluster, tmp_path / cluster.partition(":")[0], series, stack)
            for cluster in CLUSTERS
        ]


def test_series_that_sleep_and_spin_are_left_out(cells):
    for cell in cells:
        cell.probe.tell(2, "wait forever")
        cell.probe.tell(5, "spin")
        cell.start()
    for cell in cells:
        cell.program.finishes(SECONDS)
        cell.assert_left_out(2, 5)


def test_a_series_that_keeps_the_interpreters_lock_is_left_out(cells):
    """No thread of its process can watch it, but the guard does.

    A worker is replaced. Where the command itself is the worker it is ended, and run again.
    """
    for cell in cells:
        cell.probe.tell(2, "lock")
        cell.start()
    for cell in cells:
        if cell.cluster in {"none", "threads:2"}:
            assert cell.program.wait(SECONDS) == -9, cell.program.output
            assert "keeps the interpreter for more than" in cell.program.output
            cell.start()
    for cell in cells:
        cell.program.finishes(SECONDS)
        cell.assert_left_out(2)
