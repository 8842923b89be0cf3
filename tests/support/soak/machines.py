"""The long-lived programs of the soak: they can be killed and replaced, and are weighed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar
from uuid import uuid4

import psutil

from tidemill.orchestration.stack.ports import is_taken

from .. import deployed, postgres, programs
from ..programs import Program
from ..servers import Server
from ..waiting import until

MARK = "TIDEMILL_SOAK"  # a variable that all processes of a soak inherit
MIB = 2**20
ENDING_SECONDS = 120.0
#: What programs of Prefect and Dask leave in the folder of temporary files when they are killed.
OF_OTHERS = ("runner_storage", "prefect-workspace-attempt-*", "tmp*prefect", "dask-scratch-space")

T = TypeVar("T")


class Weight(NamedTuple):
    """A program in one of its lives."""

    name: str
    pid: int


@dataclass
class Machine(Generic[T]):
    """A program that can be killed and started again."""

    make: Callable[[], AbstractContextManager[T]]
    stack: ExitStack = field(default_factory=ExitStack)
    running: T | None = None

    def start(self) -> T:
        self.running = self.stack.enter_context(self.make())
        return self.running

    def stop(self) -> None:
        self.stack.close()
        self.running = None


@dataclass
class Machines:
    """A server with PostgreSQL, a worker of Prefect, and a Dask cluster."""

    server: Machine[Program]
    worker: Machine[Program]
    cluster: Machine[DaskCluster]
    flows: deployed.Deployed
    mark: str

    def restart(self, name: str) -> None:
        """Kill a machine as the kernel's memory killer does, and start another."""
        machine = {"server": self.server, "prefect worker": self.worker}[name]
        assert machine.running is not None
        machine.running.kill()
        machine.stop()
        machine.start()

    def programs(self) -> dict[str, Program]:
        """Those that run, by name."""
        cluster = self.cluster.running
        found = {"server": self.server.running, "prefect worker": self.worker.running}
        if cluster:
            found |= {"scheduler": cluster.scheduler, "dask workers": cluster.workers}
        return {name: one for name, one in found.items() if one is not None}

    def memory(self) -> dict[Weight, float]:
        """MiB in memory of each; of the worker of Prefect without the flows that it runs."""
        return {
            Weight(name, one.pid): _memory(one, with_children=name != "prefect worker")
            for name, one in self.programs().items()
        }

    def strangers(self) -> list[psutil.Process]:
        """Live processes that were started by these machines or by what they ran."""
        known = {os.getpid()}
        for one in self.programs().values():
            known.add(one.pid)
            if one is not self.worker.running:
                known |= {child.pid for child in _descendants(one)}
        return [one for one in marked(self.mark) if one.pid not in known]


@dataclass(frozen=True)
class DaskCluster:
    """A scheduler with two workers."""

    scheduler: Program
    workers: Program
    address: str


@contextmanager
def dask_cluster(folder: Path) -> Iterator[DaskCluster]:
    options = ("--nworkers=2", f"--local-directory={folder / 'dask'}")
    with (
        programs.scheduler_program() as (scheduler, address),
        programs.worker(address, 1, options=options) as workers,
    ):
        yield DaskCluster(scheduler, workers, address)


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    """Start all of them; at the end nothing is left that they started, whatever happened."""
    mark = uuid4().hex
    (folder / "tmp").mkdir()
    tempfile.gettempdir()  # which this process keeps
    os.environ["TMPDIR"] = str(folder / "tmp")  # of all that is started from here on
    try:
        with postgres.server() as database:
            os.environ[MARK] = mark  # not of PostgreSQL, whose processes are no children of ours
            server = Server.in_folder(folder / "home", _settings(database))
            with _started(server, folder, mark) as running:
                yield running
        until(lambda: not marked(mark), ENDING_SECONDS, "all processes to end")
        assert not is_taken("127.0.0.1", server.port)
        names = [path.name for path in (folder / "tmp").iterdir()]
        assert [one for one in names if not any(fnmatch(one, it) for it in OF_OTHERS)] == []
    finally:
        os.environ.pop(MARK, None)
        end_marked(mark)


def _settings(database: postgres.Server) -> dict[str, str]:
    place = f"{postgres.USER}@127.0.0.1:{database.port}/postgres"
    return {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{place}",
        "PGPASSWORD": postgres.PASSWORD,
        # As `tidemill up` has it: a server that was started again would drop events.
        "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "PT20M",
        # Seconds between two looks whether another run of the deployment has ended, by default 30.
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
    }


@contextmanager
def _started(one: Server, folder: Path, mark: str) -> Iterator[Machines]:
    (folder / "project").mkdir()
    with ExitStack() as stack:
        server = Machine(one.running, stack.enter_context(ExitStack()))
        server.start()
        stack.enter_context(deployed.used(one.url))
        names = ("hourly", "daily", "backfill")
        flows = stack.enter_context(deployed.deployed(folder / "project", names))
        worker = Machine(
            lambda: deployed.process_worker(flows.pool, one.url), stack.enter_context(ExitStack())
        )
        worker.start()
        cluster = Machine(lambda: dask_cluster(folder), stack.enter_context(ExitStack()))
        cluster.start()
        yield Machines(server, worker, cluster, flows, mark)


def marked(mark: str) -> list[psutil.Process]:
    """Live processes that inherited a mark."""
    found = []
    for one in psutil.process_iter():
        try:
            if one.environ().get(MARK) == mark and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.Error:
            continue
    return found


def end_marked(mark: str) -> None:
    for one in marked(mark):
        with suppress(psutil.NoSuchProcess):
            one.kill()


def _descendants(one: Program) -> list[psutil.Process]:
    return psutil.Process(one.pid).children(recursive=True)


def _memory(one: Program, *, with_children: bool) -> float:
    total = 0
    for process in [psutil.Process(one.pid), *(_descendants(one) if with_children else [])]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / MIB
