"""Workers and schedulers that stop without dying are noticed, given up and named."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from distributed import Client
from prefect.states import Completed
from prefect_dask.task_runners import PrefectDaskFuture

from tidemill.errors import ClusterError
from tidemill.orchestration import scheduler_calls, worker_watch
from tidemill.orchestration.dispatch import map_on_workers, run_chunks
from tidemill.orchestration.worker_watch import WorkerWatch

from ..support import programs
from ..support.waiting import until

STALL = 8.0  # seconds; workers tell the scheduler twice a second that they live


@dataclass(frozen=True)
class Ground:
    """A scheduler that no other test uses, a client of it, and where its tasks leave files."""

    scheduler: programs.Program
    client: Client
    folder: Path

    def worker(self):
        return programs.worker(self.client.scheduler.address, threads=1, nanny=False)

    def function(self):
        """What leaves a file ``<number>-<process>``, and hangs in a process that is to."""
        folder = self.folder

        def work(number):
            (folder / f"{number}-{os.getpid()}").touch()
            while (folder / f"hang.{os.getpid()}").exists():
                time.sleep(0.02)
            return number

        return work

    def begun_by(self, program: programs.Program) -> set[int]:
        names = [path.name.partition("-") for path in self.folder.glob("*-*")]
        return {int(number) for number, _, pid in names if pid == str(program.pid)}

    def hang(self, program: programs.Program) -> None:
        (self.folder / f"hang.{program.pid}").touch()


@pytest.fixture
def ground(monkeypatch, tmp_path) -> Iterator[Ground]:
    monkeypatch.setattr(worker_watch, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(worker_watch, "REPLACEMENT_SECONDS", 2.0)
    monkeypatch.setattr(scheduler_calls, "ANSWER_SECONDS", 2.0)
    monkeypatch.setattr(scheduler_calls, "SCHEDULER_SECONDS", 4.0)
    with programs.scheduler_program() as (scheduler, address), Client(address, timeout=5) as client:
        yield Ground(scheduler, client, tmp_path)
        os.kill(scheduler.pid, signal.SIGCONT)  # so that the client can take its leave


def test_the_work_of_a_stopped_worker_goes_to_the_other(ground):
    work = ground.function()

    def submit(chunk):
        future = ground.client.submit(lambda: Completed(data=work(chunk[0])), pure=False)
        return PrefectDaskFuture(wrapped_future=future, task_run_id=uuid.uuid4())

    with ground.worker() as silent, ground.worker() as other, ThreadPoolExecutor(1) as pool:
        ground.client.run(Completed)  # a worker that imports Prefect is silent, too
        ground.hang(silent)
        watch = WorkerWatch(ground.client, STALL)
        run = pool.submit(run_chunks, [[n] for n in range(6)], submit, watch, list, list)
        until(lambda: ground.begun_by(silent) and len(ground.begun_by(other)) > 3, 60, "work", run)
        os.kill(silent.pid, signal.SIGSTOP)
        assert run.result(60) == 6  # the scheduler itself gives them to the other
        assert ground.begun_by(other) == set(range(6))
        assert ground.client.scheduler_info()["workers"].keys() == watch.live
        (ground.folder / f"hang.{silent.pid}").unlink()
        os.kill(silent.pid, signal.SIGCONT)
        silent.wait(60)  # the scheduler has told it to close


def test_if_all_are_stopped_the_error_names_them(ground):
    with ground.worker() as silent, ThreadPoolExecutor(1) as pool:
        ground.hang(silent)
        call = map_on_workers(ground.client, STALL)
        run = pool.submit(call, ground.function(), [1, 2])
        until(lambda: ground.begun_by(silent), 60, "work", run)
        (address,) = ground.client.nthreads()
        os.kill(silent.pid, signal.SIGSTOP)
        with pytest.raises(ClusterError, match=f"worker {address} of .* gave no sign of life for 8"):
            run.result(60)


def test_nobody_is_accused_of_a_gap_in_the_watch_itself(ground):
    skipped = 0.0
    with ground.worker():
        watch = WorkerWatch(ground.client, STALL, clock=lambda: time.monotonic() + skipped)
        for _ in range(3):
            until(lambda: watch.look() or watch.live, 30, "a look at the worker")
            skipped += 1000.0
        watch.look()
        assert len(watch.live) == 1


@pytest.mark.parametrize(
    ("number", "says"),
    [(signal.SIGSTOP, "has not answered for"), (signal.SIGKILL, "was lost")],
    ids=["stopped", "killed"],
)
def test_a_scheduler_that_is(number, says, ground):
    address = ground.client.scheduler.address
    with ground.worker() as worker, ThreadPoolExecutor(1) as pool:
        ground.hang(worker)
        run = pool.submit(map_on_workers(ground.client, STALL), ground.function(), [1])
        until(lambda: ground.begun_by(worker), 60, "work", run)
        ground.scheduler.process.send_signal(number)
        with pytest.raises(ClusterError, match=f"scheduler at {address} {says}.*start it and"):
            run.result(60)
