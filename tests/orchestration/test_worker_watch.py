"""Workers and schedulers that stop without dying are noticed, given up and named."""

from __future__ import annotations

import os
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from prefect.states import Completed
from prefect_dask.task_runners import PrefectDaskFuture

from tidemill.errors import ClusterError
from tidemill.model.progress import subscribe
from tidemill.orchestration import scheduler_calls
from tidemill.orchestration.dispatch import map_on_workers, run_chunks
from tidemill.orchestration.worker_watch import WorkerWatch

from ..support.grounds import STALL, ground_of
from ..support.waiting import until


@pytest.fixture
def ground(monkeypatch, tmp_path):
    with ground_of(tmp_path, monkeypatch) as ground:
        yield ground


@pytest.mark.slow
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
        ground.release(silent)
        os.kill(silent.pid, signal.SIGCONT)
        silent.wait(60)  # the scheduler has told it to close


@pytest.mark.slow
def test_if_all_are_stopped_the_error_names_them(ground):
    with ground.worker() as silent, ThreadPoolExecutor(1) as pool:
        ground.hang(silent)
        call = map_on_workers(ground.client, STALL)
        run = pool.submit(call, ground.function(), [1, 2])
        until(lambda: ground.begun_by(silent), 60, "work", run)
        (address,) = ground.client.nthreads()
        os.kill(silent.pid, signal.SIGSTOP)
        with pytest.raises(
            ClusterError, match=f"worker {address} of .* gave no sign of life for 8"
        ):
            run.result(60)


@pytest.mark.slow
def test_the_last_worker_is_waited_for_while_its_process_is_busy(ground):
    """A series keeps the interpreter's lock there, which its own limit will end."""
    told, busy = [], [True]
    with ground.worker() as silent, subscribe(lambda progress: told.append(progress.note)):
        watch = WorkerWatch(ground.client, STALL, is_busy=lambda: busy[0])
        until(lambda: watch.look() or watch.live, 30, "a look at the worker")
        os.kill(silent.pid, signal.SIGSTOP)
        until(lambda: watch.look() or told, 60, "it to be said")
        assert "a series keeps the interpreter's lock" in told[0]
        began = time.monotonic()
        while time.monotonic() - began < 5.0:  # longer than one is waited for in vain
            watch.look()
        assert len(told) == 1
        assert len(ground.client.nthreads()) == 1
        busy[0] = False
        with pytest.raises(ClusterError, match="gave no sign of life for 8"):
            until(watch.look, 60, "an error")


def test_nobody_is_accused_of_a_gap_in_the_watch_itself(ground):
    skipped = 0.0
    with ground.worker():
        watch = WorkerWatch(ground.client, STALL, clock=lambda: time.monotonic() + skipped)
        for _ in range(3):
            until(lambda: watch.look() or watch.live, 30, "a look at the worker")
            skipped += 1000.0
        watch.look()
        assert len(watch.live) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "says"),
    [(signal.SIGSTOP, "has not answered for"), (signal.SIGKILL, "was lost")],
    ids=["stopped", "killed"],
)
def test_a_scheduler_that_is(number, says, ground, monkeypatch):
    monkeypatch.setattr(scheduler_calls, "ANSWER_SECONDS", 3.0)
    monkeypatch.setattr(scheduler_calls, "SCHEDULER_SECONDS", 8.0)
    address = ground.client.scheduler.address
    with ground.worker() as worker, ThreadPoolExecutor(1) as pool:
        ground.hang(worker)
        run = pool.submit(map_on_workers(ground.client, STALL), ground.function(), [1])
        until(lambda: ground.begun_by(worker), 60, "work", run)
        ground.scheduler.process.send_signal(number)
        with pytest.raises(ClusterError, match=f"scheduler at {address} {says}.*start it and"):
            run.result(60)
