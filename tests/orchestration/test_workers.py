"""Workers are looked over before a run; those that fall silent are done without."""

from __future__ import annotations

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tidemill.errors import ClusterError
from tidemill.orchestration import scheduler_calls, workers
from tidemill.orchestration.worker_watch import WorkerWatch
from tidemill.orchestration.workers import count_threads, fit_workers, wait_for_workers

from ..support import programs
from ..support.grounds import STALL, ground_of
from ..support.waiting import until


@pytest.mark.slow
def test_a_worker_that_is_stopped_during_the_check_is_done_without(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "GRACE_SECONDS", STALL)
    with (
        ground_of(tmp_path, monkeypatch) as ground,
        ground.worker() as silent,
        ground.worker() as other,
        ThreadPoolExecutor(1) as pool,
    ):
        ground.hang(silent)
        work = ground.function()

        def check():
            work(1)
            return {"problems": [], "pid": os.getpid()}

        def fit():
            with fit_workers(WorkerWatch(ground.client, STALL), check, "trial") as reports:
                return reports

        assert wait_for_workers(ground.client) == count_threads(ground.client) == 2
        run = pool.submit(fit)
        until(lambda: ground.begun_by(silent) and ground.begun_by(other), 60, "checks", run)
        os.kill(silent.pid, signal.SIGSTOP)
        assert [report["pid"] for report in run.result(60).values()] == [other.pid]


def test_a_scheduler_that_is_stopped_does_not_hold_up_the_start(tmp_path, monkeypatch):
    with ground_of(tmp_path, monkeypatch) as ground:
        monkeypatch.setattr(scheduler_calls, "ANSWER_SECONDS", 3.0)
        os.kill(ground.scheduler.pid, signal.SIGSTOP)
        with pytest.raises(ClusterError, match=r"scheduler at tcp://.* does not answer"):
            wait_for_workers(ground.client)


@pytest.mark.slow
def test_a_worker_that_is_checked_for_long_while_it_joins_is_not_silent(tmp_path, monkeypatch):
    """It may have to compile kernels; Dask itself sends no sign of life until that is done."""
    folder = tmp_path

    def check():
        if (folder / "slowly").exists():
            (folder / "begun").touch()
            time.sleep(2 * STALL)
        return {"problems": []}

    with ground_of(tmp_path, monkeypatch) as ground, ground.worker():
        watch = WorkerWatch(ground.client, STALL)
        with fit_workers(watch, check, "trial"):
            (folder / "slowly").touch()
            with programs.worker(ground.client.scheduler.address, nanny=False, ready="trial"):
                until((folder / "begun").exists, 60, "the check of the second worker")
                give_up = time.monotonic() + 2 * STALL
                while time.monotonic() < give_up:
                    watch.look()
                    time.sleep(0.2)
                assert len(watch.live) == 2


@pytest.mark.slow
def test_a_run_that_ends_takes_no_worker_away_that_joins_meanwhile(tmp_path, monkeypatch):
    """The plan that its check reads is removed at the end of a run."""
    folder = tmp_path

    def check():
        if not (folder / "joining").exists():
            return {"problems": []}
        (folder / "begun").touch()
        while not (folder / "ended").exists():
            time.sleep(0.02)
        return {"problems": ["no plan"]}

    with ground_of(tmp_path, monkeypatch) as ground, ground.worker(), ExitStack() as stack:
        address = ground.client.scheduler.address
        with fit_workers(WorkerWatch(ground.client, STALL), check, "trial"):
            (folder / "joining").touch()
            joining = programs.worker(address, threads=3, nanny=False, ready="trial")
            second = stack.enter_context(joining)
            until((folder / "begun").exists, 60, "the check of the second worker", second)
        (folder / "ended").touch()
        second.says(r"Registered to:\s+tcp")
        at = re.search(r"Start worker at:\s+(tcp://\S+)", second.output)
        assert ground.client.submit(os.getpid, workers=[at[1]]).result(60) == second.pid
        assert "not fit" not in second.output
