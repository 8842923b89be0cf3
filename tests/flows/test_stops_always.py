"""Ctrl-C and SIGTERM end the command, whatever hangs, on every cluster; the earlier result stays.

A row of the table is a test: its cells run at the same time, since most of it is waiting.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from ..support import programs
from ..support.inputs import Input, make_input
from ..support.probes import Probe
from ..support.sinks import lease
from ..support.waiting import until

pytestmark = pytest.mark.slow

#: 15 s on a quiet machine.
SECONDS_TO_STOP = 45.0
SERVER = "create_app"  # part of the command of the embedded server
WORKER = "spawn_main"  # of a worker process of a local cluster


@dataclass
class Cell:
    """A command that is to hang."""

    cluster: str
    folder: Path
    earlier: Path
    series: Input
    stack: ExitStack
    environment: dict[str, str]
    seconds: float = 0.0
    others: dict[str, programs.Program] = field(default_factory=dict)

    @property
    def sink(self) -> Path:
        return self.folder / "matrix"

    def start(self, what: str) -> None:
        """Start it and wait until a series hangs in ``what``."""
        self.probe = Probe(self.folder / "probe")
        self.probe.folder.mkdir(parents=True)
        shutil.copytree(self.earlier, self.sink)
        self.before = files_of(self.sink)
        self.probe.tell("all", what)
        arguments = [*self.series.options, *self.probe.options, f"--cluster={self._cluster()}"]
        self.program = self.stack.enter_context(
            programs.extraction(
                self.series.path, self.sink, *arguments, environment=self.environment
            )
        )
        self.probe.wait_for_calls(1, self.program)
        time.sleep(1.0)  # it is in the call

    def _cluster(self) -> str:
        if self.cluster != "scheduler":
            return self.cluster
        self.others["scheduler"] = self.stack.enter_context(programs.program(programs.SCHEDULER))
        address = self.others["scheduler"].says(r"Scheduler at:\s+(tcp://\S+)")[1]
        self.others["worker"] = self.stack.enter_context(
            programs.worker(address, nanny=False, environment=self.environment)
        )
        return address

    def child(self, part: str) -> list[psutil.Process]:
        """Processes of the command with this in their command line."""
        members = programs.session_members(self.program.pid)
        return [one for one in members if any(part in word for word in one.cmdline())]

    def stop(self, *numbers: int) -> None:
        """Send the signals, a second apart, and wait until all its processes are gone."""
        below = psutil.Process(self.program.pid).children(recursive=True)
        for number in numbers:
            began = time.monotonic()
            os.kill(self.program.pid, number)
            time.sleep(1.0 if len(numbers) > 1 else 0.0)
        self.status = self.program.wait(SECONDS_TO_STOP)
        until(
            lambda: not [one for one in below if is_alive(one)],
            SECONDS_TO_STOP,
            f"all processes of {self.cluster} to end",
        )
        self.seconds = time.monotonic() - began

    def check(self) -> None:
        """The earlier result is as it was, and nobody holds the sink."""
        after = files_of(self.sink)
        assert {name: after.get(name) for name in self.before} == self.before
        assert "Traceback" not in self.program.output or self.cluster == "processes:2"
        held = lease(self.sink)
        assert held["released"] or not psutil.pid_exists(held["process"]["pid"])


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def files_of(sink: Path) -> dict[str, bytes]:
    """What a reader of the published table can see."""
    paths = [*sink.glob("*.parquet"), *sink.glob("_delta_log/*.json")]
    assert paths
    return {str(path.relative_to(sink)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def ground(tmp_path_factory, prefect_server) -> Iterator[Callable[..., Cell]]:
    """What makes cells, each with a sink that holds a published result."""
    folder = tmp_path_factory.mktemp("stops")
    series = make_input(folder, n_ids=4)
    options = [*series.options, "--settings=minimal", "--cluster=none"]
    with programs.extraction(series.path, folder / "earlier", *options) as first:
        first.finishes()
    made = []

    def make(cluster: str, stack: ExitStack, *, embedded: bool) -> Cell:
        made.append(cluster)
        environment = {"PREFECT_API_URL": "" if embedded else prefect_server}
        place = folder / str(len(made))
        return Cell(cluster, place, folder / "earlier", series, stack, environment)

    return make


def carry_out(
    make: Callable[..., Cell],
    clusters: tuple[str, ...],
    what: str,
    *numbers: int,
    before: Callable[[Cell], None] = lambda _: None,
    embedded: bool = False,
) -> None:
    """Start a row's cells together, bring about the hang, stop them and look."""
    with ExitStack() as stack, ThreadPoolExecutor(len(clusters)) as pool:
        cells = [make(cluster, stack, embedded=embedded) for cluster in clusters]

        def work(cell: Cell) -> None:
            cell.start(what)
            before(cell)
            cell.stop(*numbers)
            told = f"{what} on {cell.cluster}: status {cell.status} after {cell.seconds:.1f} s"
            print(told)  # noqa: T201 - seen if the test fails

        for done in [pool.submit(work, cell) for cell in cells]:
            done.result()
        for cell in cells:
            cell.check()


ALL = ("none", "threads:1", "processes:2", "scheduler")


def test_a_series_that_sleeps(ground):
    carry_out(ground, ALL, "sleep 600", signal.SIGINT)


def test_a_series_that_keeps_the_interpreters_lock(ground):
    carry_out(ground, ALL, "lock", signal.SIGTERM)


def test_a_second_ctrl_c(ground):
    clusters = ("none", "processes:2")
    carry_out(ground, clusters, "lock", signal.SIGINT, signal.SIGINT)


def test_a_worker_that_is_stopped(ground):
    def stop_worker(cell: Cell) -> None:
        found = cell.child(WORKER) or [psutil.Process(cell.others["worker"].pid)]
        for one in found:
            one.suspend()

    carry_out(ground, ("processes:2", "scheduler"), "sleep 600", signal.SIGINT, before=stop_worker)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_scheduler_that_is(number, ground):
    def end_scheduler(cell: Cell) -> None:
        os.kill(cell.others["scheduler"].pid, number)

    carry_out(ground, ("scheduler",), "sleep 600", signal.SIGINT, before=end_scheduler)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_prefect_server_that_is(number, ground):
    def end_server(cell: Cell) -> None:
        (server,) = cell.child(SERVER)
        server.send_signal(number)

    clusters = ("threads:1", "processes:2")
    carry_out(ground, clusters, "sleep 600", signal.SIGTERM, before=end_server, embedded=True)


def test_a_disk_that_is_full(ground):
    """The process may not write a byte more: to a full disk it could not either."""

    def fill(cell: Cell) -> None:
        resource.prlimit(cell.program.pid, resource.RLIMIT_FSIZE, (0, 0))

    carry_out(ground, ("none", "threads:1"), "sleep 600", signal.SIGINT, before=fill)
