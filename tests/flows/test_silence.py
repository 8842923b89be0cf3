"""What stops without dying in mid-run: a worker, all workers, the scheduler.

The cells of a test run at the same time, since most of it is waiting.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

import tidemill

from ..support import programs
from ..support.inputs import Input, make_input
from ..support.probes import Probe
from ..support.sinks import assert_nothing_left, committed_parts, records
from ..support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("server_environment"),
]

STALL = 15  # seconds
SECONDS_TO_END = 240.0  # on a busy machine; two minutes are allowed on a quiet one
HELD, LAST = 2, 5  # the series in whose calculation something stops, and the last one


@dataclass
class Cell:
    """A command on a cluster that is about to meet silence."""

    cluster: str  # "processes:2", or "scheduler" with that many workers
    folder: Path
    series: Input
    stack: ExitStack
    workers: list[programs.Program] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def sink(self) -> Path:
        return self.folder / "matrix"

    def start(self, n_workers: int = 2, threads: int = 1, last: str = "sleep 0") -> None:
        """Start it and wait until a worker has the series in hand."""
        self.probe = Probe(self.folder / "probe")
        self.probe.folder.mkdir(parents=True)
        self.probe.tell(HELD, "wait go")
        self.probe.tell(LAST, last)
        cluster = self.cluster
        if cluster == "scheduler":
            self.scheduler, cluster = self.stack.enter_context(programs.scheduler_program())
            self.workers = [
                self.stack.enter_context(programs.worker(cluster, threads=threads, nanny=False))
                for _ in range(n_workers)
            ]
        options = [*self.series.options, *self.probe.options, f"--stall-seconds={STALL}"]
        self.program = self.stack.enter_context(
            programs.extraction(self.series.path, self.sink, *options, f"--cluster={cluster}")
        )
        until(
            # A worker that imports its modules on a busy machine is silent, too.
            lambda: HELD in self.probe.counts and len(self.probe.processes) == n_workers,
            240,
            "the series begins, and all workers do something",
            self.program,
        )
        self.holder = next(pid for pid, one in self.probe.calls if one == HELD)

    def stop(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        self.probe.forget(HELD)  # whoever takes it next is not held up
        self.began = time.monotonic()

    def ends(self, status: int) -> None:
        assert self.program.wait(SECONDS_TO_END) == status, self.program.output
        self.seconds = time.monotonic() - self.began
        print(f"{self.cluster}: {self.seconds:.0f} s")  # noqa: T201 - a figure for the page


@pytest.fixture
def carry_out(tmp_path):
    """Do something with several cells at once."""

    def call(*works: tuple[str, Callable[[Cell], None]]) -> None:
        series = make_input(tmp_path, n_ids=6)
        with ExitStack() as stack, ThreadPoolExecutor(len(works)) as pool:
            cells = [
                Cell(cluster, tmp_path / str(n), series, stack)
                for n, (cluster, _) in enumerate(works)
            ]
            pairs = zip(cells, works, strict=True)
            for done in [pool.submit(work, cell) for cell, (_, work) in pairs]:
                done.result()

    return call


def check_published(cell: Cell) -> None:
    """Every series has its row and values, once."""
    first = [one[0] for _, one in cell.series.frame.groupby("id")["value"].apply(list).items()]
    means = cell.series.frame.groupby("id")["value"].mean()
    matrix = tidemill.read_matrix(str(cell.sink))
    assert list(matrix.index) == cell.series.ids == [int(one) for one in first]
    for column in matrix:
        pd.testing.assert_series_equal(matrix[column], means, check_names=False)
    (record,) = records(cell.sink)
    assert (record["state"], record["quarantined"]) == ("finished", [])
    assert_nothing_left(cell.sink)
    assert len(list(cell.sink.glob("*.parquet"))) == len(cell.series.ids)


def test_one_of_two_workers_is_stopped(carry_out):
    def stop_one(cell: Cell) -> None:
        cell.start()
        cell.stop(cell.holder)
        cell.ends(0)
        check_published(cell)

    def wake_it_up(cell: Cell) -> None:
        """The old attempt goes on with a part that another has committed, while the run goes on."""
        cell.start(threads=2, last="wait end")
        cell.stop(cell.holder)
        until(lambda: cell.probe.counts[HELD] == 2, 120, "another takes it", cell.program)
        until(lambda: committed_parts(cell.sink) == LAST, 120, "it is committed", cell.program)
        cell.probe.release("go")
        os.kill(cell.holder, signal.SIGCONT)
        (worker,) = (one for one in cell.workers if one.pid == cell.holder)
        worker.wait(120)
        cell.probe.release("end")
        cell.ends(0)
        check_published(cell)

    carry_out(("processes:2", stop_one), ("scheduler", wake_it_up))


def test_nobody_is_left(carry_out):
    """Each ends with one sentence that names who is gone, and its finished parts are kept."""

    def stop_workers(cell: Cell) -> None:
        cell.start(1)
        cell.stop(cell.holder)
        cell.ends(1)
        assert "of the scheduler at tcp://" in cell.program.output
        assert f"gave no sign of life for {STALL} s" in cell.program.output

    def stop_scheduler(number: signal.Signals) -> Callable[[Cell], None]:
        def stop(cell: Cell) -> None:
            cell.start(1)
            cell.began = time.monotonic()
            os.kill(cell.scheduler.pid, number)
            cell.ends(1)
            assert "the scheduler at tcp://" in cell.program.output
            assert "start it and its workers, and run again" in cell.program.output
            assert "Traceback" not in cell.program.output

        return stop

    carry_out(
        ("scheduler", stop_workers),
        ("scheduler", stop_scheduler(signal.SIGSTOP)),
        ("scheduler", stop_scheduler(signal.SIGKILL)),
    )
