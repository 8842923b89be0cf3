"""Look over the workers of a cluster before a run gives them work."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from distributed import Client, Status, WorkerPlugin

from tidemill.errors import ClusterError, UnfitWorkerError, shorten
from tidemill.execution.resources import set_worker_memory
from tidemill.model.counts import counted
from tidemill.orchestration import worker_watch
from tidemill.orchestration.scheduler_calls import (
    ANSWER_SECONDS,
    address_of,
    quietly,
    scheduler_lost,
    workers_of,
)
from tidemill.orchestration.worker_watch import WorkerWatch

if TYPE_CHECKING:
    from distributed import Worker

__all__ = ["count_threads", "fit_workers", "wait_for_workers"]

#: What one worker reports: {"problems": [...], "may_pass": ..., "threads": n, ...}.
Report = Mapping[str, Any]

#: Workers that may be lost in the preflight, beyond one for each that was there.
LOST_WORKERS = 3
#: Seconds that a worker may be silent in any case, as it imports modules now.
GRACE_SECONDS = 30.0
#: Seconds between signs of life of a worker that is checked while it joins.
BEAT_SECONDS = 1.0
#: Seconds that a run may take to end, once it has removed what a worker that joins looks for.
ENDING_SECONDS = 10.0


def count_threads(client: Client) -> int:
    """Threads of all workers; ``scheduler_info()`` lists at most five of them.

    Raises
    ------
    ClusterError
        If the scheduler does not answer.
    """
    try:
        return sum(worker["nthreads"] for worker in workers_of(client).values())
    except OSError as error:
        raise scheduler_lost(address_of(client), "does not answer") from error


def wait_for_workers(client: Client, seconds: float | None = None) -> int:
    """Wait until the cluster has a worker; its threads.

    Raises
    ------
    ClusterError
        If none appears within ``seconds``.
    """
    seconds = worker_watch.NO_WORKER_SECONDS if seconds is None else seconds
    deadline = time.monotonic() + seconds
    while not (threads := count_threads(client)):
        if time.monotonic() > deadline:
            address = address_of(client)
            raise ClusterError(
                f"the scheduler at {address} has no worker for {seconds:.0f} s; "
                f"start one with: dask worker {address}"
            )
        time.sleep(0.2)
    return threads


@contextmanager
def fit_workers(
    watch: WorkerWatch,
    check: Callable[[], Report],
    name: str,
    seconds: float = 600.0,
    *,
    joining: Callable[[], Report] | None = None,
) -> Iterator[dict[str, Report]]:
    """Run ``check`` once on every worker; reports by address.

    While this context lasts, workers that join are checked too, and closed if there is a problem.

    Parameters
    ----------
    watch : of the cluster; workers that it gives up are done without
    check : reports what is wrong on the worker that it runs on, as ``{"problems": [...]}``
    name : distinguishes the checks of several runs on one scheduler
    seconds : for all workers to answer, kernels compiled
    joining : the check of workers that join; by default the same

    Raises
    ------
    ClusterError
        If a worker reports problems (all are named), or one does not answer in time;
        ``UnfitWorkerError`` where a retry would find the same problems.
    """
    client = watch.client
    reports = _Checks(watch, check, name).carry_out(seconds)
    _refuse_unfit(reports)
    # The scheduler forgets this with the client: a flow that is killed leaves no check behind.
    key = f"{name}-lives"
    token = client.submit(os.getpid, key=key, pure=False)
    # The scheduler knows the check before it tells the workers that are there.
    plugin = _plugin(joining or check, frozenset(reports), key)
    quietly(ANSWER_SECONDS, lambda: client.register_plugin(plugin, name=name))
    try:
        yield reports
    finally:
        quietly(ANSWER_SECONDS, token.release)
        quietly(ANSWER_SECONDS, client.unregister_worker_plugin, name)


class _Checks:
    """The check of each worker that is there, or joins while others are checked."""

    def __init__(self, watch: WorkerWatch, check: Callable[[], Report], name: str) -> None:
        self._watch, self._check, self._name = watch, check, name
        self._futures: dict[str, Any] = {}
        self._reports: dict[str, Report] = {}
        self._lost: list[str] = []

    def carry_out(self, seconds: float) -> dict[str, Report]:
        """Check all; their reports by address."""
        deadline = time.monotonic() + seconds
        self._watch.grace_seconds = GRACE_SECONDS
        with self._watch.explaining():
            while not self._is_done():
                if time.monotonic() > deadline:
                    raise self._too_slow()
                time.sleep(0.05)
        self._watch.grace_seconds = 0.0
        return self._reports

    def _is_done(self) -> bool:
        self._watch.look()
        if self._watch.is_reconnecting:
            return False
        self._forget_lost()
        for address in sorted(self._watch.live - self._futures.keys()):
            self._futures[address] = self._watch.client.submit(
                self._check, workers=[address], pure=False, key=f"{self._name}-{address}"
            )
        for address in self._futures.keys() - self._reports.keys():
            self._collect(address)
        return bool(self._reports) and self._futures.keys() == self._reports.keys()

    def _forget_lost(self) -> None:
        gone = self._futures.keys() - self._watch.live
        for address in gone:
            del self._futures[address]
            self._reports.pop(address, None)
        self._lost += gone
        if len(self._lost) > LOST_WORKERS + len(self._futures):
            raise ClusterError(
                f"{counted(len(self._lost), 'worker was', 'workers were')} lost in the preflight "
                f"check, last {self._lost[-1]}; check their memory and logs"
            )

    def _collect(self, address: str) -> None:
        future = self._futures[address]
        if future.status == "finished":
            try:
                self._reports[address] = future.result(timeout=ANSWER_SECONDS)
            except TimeoutError:
                return  # its worker may be silent
        elif future.status == "error":
            error = future.exception(timeout=ANSWER_SECONDS)
            raise ClusterError(
                f"worker {address} could not run the preflight check: {type(error).__name__}: "
                f"{error}; install the same version of tidemill there"
            ) from error
        elif future.status in {"cancelled", "lost"}:
            del self._futures[address]

    def _too_slow(self) -> ClusterError:
        slow = sorted(self._futures.keys() - self._reports.keys())
        return ClusterError(
            f"worker {shorten(slow)} did not answer the preflight check; restart it"
        )


def _refuse_unfit(reports: Mapping[str, Report]) -> None:
    problems = [
        f"worker {address}: {problem}"
        for address, report in reports.items()
        for problem in report["problems"]
    ]
    if problems:
        may_pass = all(
            report.get("may_pass", False) for report in reports.values() if report["problems"]
        )
        error = ClusterError if may_pass else UnfitWorkerError
        raise error("the cluster cannot carry out this run: " + shorten(problems))


def _plugin(check: Callable[[], Report], known: frozenset[str], token: str) -> Any:
    class Preflight(WorkerPlugin):
        """Checks a worker that joins while a run is under way."""

        async def setup(self, worker: Worker) -> None:
            set_worker_memory(worker.memory_manager.memory_limit)
            if worker.address in known or not await self.is_wanted(worker):
                return
            checking = asyncio.ensure_future(asyncio.to_thread(check))
            while not (await asyncio.wait({checking}, timeout=BEAT_SECONDS))[0]:
                await worker.heartbeat()  # Dask begins with that only afterwards
            report = await checking
            if report["problems"] and await self.stays_wanted(worker):
                # An error raised here would only be logged, and the worker would get chunks.
                worker.status = Status.paused
                reason = f"it is not fit for a run: {shorten(report['problems'])}"
                worker.loop.add_callback(worker.close, nanny=True, reason=reason)

        async def is_wanted(self, worker: Worker) -> bool:
            status = await worker.scheduler.get_task_status(keys=[token])
            return status[token] is not None

        async def stays_wanted(self, worker: Worker) -> bool:
            """Whether the run does not just end: that is no reason to take a worker away."""
            give_up = time.monotonic() + ENDING_SECONDS
            while wanted := await self.is_wanted(worker):
                if time.monotonic() > give_up:
                    break
                await asyncio.sleep(BEAT_SECONDS)
                await worker.heartbeat()
            return wanted

    return Preflight()
