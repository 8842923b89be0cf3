"""Workers and schedulers that stop without dying, seen by the command: its table, status and words.

All commands run at the same time, since most of it is waiting; each test looks at one of them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

import tidemill
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request

from ..support import programs
from ..support.inputs import Input, make_input
from ..support.probes import Probe, probing
from ..support.sinks import assert_nothing_left, state
from ..support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # minutes on a machine that does much else
]

STALL = 15
SECONDS = 240.0  # for what takes about 30 on a quiet machine; five commands start at once
#: Within which whatever is silent is named: the promise; 40 and 65 s with these limits.
SECONDS_TO_SAY = 120.0


@dataclass
class Cell:
    """The command on one cluster whose workers have a thread each and no nanny, or a local one."""

    folder: Path
    server: str  # Prefect's
    stack: ExitStack
    n_workers: int = 0  # 0: ``processes:2``
    cluster: str = "processes:2"
    started: dict[int, programs.Program] = field(default_factory=dict)  # workers by process

    def __post_init__(self) -> None:
        self.probe = Probe(self.folder / "probe")
        self.probe.folder.mkdir(parents=True)
        if self.n_workers:
            scheduler = programs.scheduler_program()
            self.scheduler, self.cluster = self.stack.enter_context(scheduler)
        for _ in range(self.n_workers):
            worker = programs.worker(self.cluster, threads=1, nanny=False)
            program = self.stack.enter_context(worker)
            self.started[program.pid] = program

    @property
    def sink(self) -> Path:
        return self.folder / "matrix"

    def start(self, series: Input) -> None:
        options = [*series.options, *self.probe.options, f"--stall-seconds={STALL}"]
        self.before = len(self.probe.calls)
        options.append(f"--cluster={self.cluster}")
        environment = {"PREFECT_API_URL": self.server}
        self.program = self.stack.enter_context(
            programs.extraction(series.path, self.sink, *options, environment=environment)
        )

    def holder(self, series: int) -> psutil.Process:
        """The worker that has this series in hand."""

        def look() -> list[int]:
            return [pid for pid, one in self.probe.calls[self.before :] if one == series]

        pid = until(look, SECONDS, f"a call for series {series}", self.program)[0]
        return psutil.Process(pid)

    def wait_for_part(self, index: int) -> None:
        pattern = f"keys/*/parts/{index:06d}-*.json"
        until(lambda: list(state(self.sink).glob(pattern)), SECONDS, f"part {index}", self.program)

    def assert_equals(self, undisturbed: pd.DataFrame) -> None:
        """The table is the same bit for bit, and holds each part once; nothing lies about."""
        assert_nothing_left(self.sink)
        matrix = tidemill.read_matrix(self.sink)
        matrix.columns = undisturbed.columns  # the name of the probe's folder is part of its own
        pd.testing.assert_frame_equal(matrix, undisturbed, check_exact=True)
        lines = [
            json.loads(line)
            for path in self.sink.glob("_delta_log/*.json")
            for line in path.read_text().splitlines()
        ]
        added = [one["add"]["path"] for one in lines if "add" in one]
        on_disk = {path.name for path in self.sink.glob("*.parquet")}
        assert on_disk == set(added)
        assert len(added) == len(set(added))


def undisturbed(series: Input, folder: Path) -> pd.DataFrame:
    """The matrix of a run in this process."""
    with probing(folder) as probe:
        arguments = {**series.arguments, **probe.arguments}
        request = make_request(arguments.pop("source"), folder / "alone", **arguments)
        extract_here(request, threads=1)
        return tidemill.read_matrix(folder / "alone")


def split_brain(cell: Cell, series: Input, later: Input, results: list[pd.DataFrame]) -> None:
    """Workers that wake up before publishing, and in the next run, write nothing that counts."""
    cell.probe.tell(2, "wait first")
    cell.probe.tell(6, "wait second")
    cell.start(series)
    early = cell.holder(2)
    early.suspend()
    cell.probe.release("first")
    cell.wait_for_part(2)
    late = cell.holder(6)
    early.resume()
    cell.started[early.pid].wait(SECONDS)  # Dask tells it to end
    late.suspend()
    cell.probe.release("second")
    cell.program.finishes(SECONDS)
    cell.assert_equals(results[0])
    assert len(cell.probe.processes) >= 3

    cell.probe.tell(4, "wait third")
    cell.start(later)
    cell.holder(4)
    late.resume()
    cell.started[late.pid].wait(SECONDS)
    cell.probe.release("third")
    cell.program.finishes(SECONDS)
    cell.assert_equals(results[1])


def one_of_two(cell: Cell, series: Input, results: list[pd.DataFrame]) -> None:
    """The nanny of a local cluster kills the silent worker; the other takes its chunk."""
    cell.probe.tell(2, "wait first")
    cell.start(series)
    silent = cell.holder(2)
    silent.suspend()
    cell.probe.release("first")
    cell.program.finishes(SECONDS)
    cell.assert_equals(results[0])
    until(lambda: not silent.is_running(), 30, "the silent process to end")


def silence(cell: Cell, series: Input, number: int, *, of_scheduler: bool) -> str:
    """Stop or kill all workers, or the scheduler, while each worker has a series in hand.

    Returns what the command says.
    """
    cell.probe.tell("all", "wait end")
    cell.start(series)
    cell.probe.wait_for_calls(cell.n_workers, cell.program, SECONDS)
    for pid in [cell.scheduler.pid] if of_scheduler else cell.started:
        os.kill(pid, number)
    began = time.monotonic()
    status = cell.program.wait(SECONDS_TO_SAY)
    print(f"status {status} after {time.monotonic() - began:.1f} s")  # noqa: T201 - seen if it fails
    assert status == 1, cell.program.output
    assert "Traceback" not in cell.program.output
    assert "finished parts are kept" in cell.program.output
    return cell.program.output


@pytest.fixture(scope="module")
def doing(tmp_path_factory, prefect_server) -> Iterator[dict[str, Future[Any]]]:
    """What is done to each command, by name."""
    folder = tmp_path_factory.mktemp("silence")
    series = make_input(folder / "one", n_ids=8)
    later = make_input(folder / "two", n_ids=5)
    results = [undisturbed(one, one.path.parent) for one in (series, later)]
    with ExitStack() as stack, ThreadPoolExecutor(5) as pool:

        def do(name: str, n_workers: int, work: Callable[..., Any], *more: Any, **options: Any):
            def carry_out() -> Any:
                cell = Cell(folder / name, prefect_server, stack, n_workers)
                return work(cell, series, *more, **options)

            return pool.submit(carry_out)

        stop, kill = signal.SIGSTOP, signal.SIGKILL
        yield {
            "remote": do("remote", 3, split_brain, later, results),
            "stopped scheduler": do("stopped", 1, silence, stop, of_scheduler=True),
            "local": do("local", 0, one_of_two, results),
            "workers": do("workers", 2, silence, stop, of_scheduler=False),
            "killed scheduler": do("killed", 1, silence, kill, of_scheduler=True),
        }


def test_the_chunk_of_a_stopped_local_worker_is_done_once(doing):
    doing["local"].result()


def test_workers_that_wake_up_late_write_nothing_that_counts(doing):
    doing["remote"].result()


def test_if_all_workers_are_stopped_they_are_named(doing):
    said = doing["workers"].result()
    assert f"gave no sign of life for {STALL} s, and there is no other worker" in said
    assert said.count("tcp://") >= 3  # the two and the scheduler


def test_a_stopped_scheduler_is_named(doing):
    said = doing["stopped scheduler"].result()
    assert re.search(r"the scheduler at tcp://127.0.0.1:\d+ has not answered for \d\d s;", said)


def test_a_killed_scheduler_is_named(doing):
    said = doing["killed scheduler"].result()
    assert re.search(r"the scheduler at tcp://127.0.0.1:\d+ was lost;", said)
