"""Notices workers and schedulers that stop without dying: a hung host, a paused machine, SIGSTOP.

A scheduler keeps the tasks of a silent worker for minutes. Here a worker whose signs of life have
not reached the scheduler for ``stall_seconds`` is taken off it, and its tasks go to others. Of two
attempts on a part the first to commit wins, so a worker that wakes up later does no harm.

A worker in which a series keeps the interpreter's lock is silent, too. If it is the last one and
nobody would restart it, it is left to the limit of series, as long as its process runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from distributed import Client

from tidemill.errors import ClusterError, InputError, shorten
from tidemill.model.logs import engine_log
from tidemill.model.progress import Progress, emit
from tidemill.orchestration import scheduler_calls
from tidemill.orchestration.chunk_watch import StuckChunk
from tidemill.orchestration.scheduler_calls import address_of, restart_workers, workers_of

__all__ = ["NO_WORKER_SECONDS", "STALL_SECONDS", "WorkerWatch"]

log = engine_log(__name__)

#: A cluster without any worker for this long is an error, at the start and in mid-run.
NO_WORKER_SECONDS = 60.0
#: The same once silent workers were given up: those that a nanny restarts need a while.
RESTART_SECONDS = 35.0
REPLACEMENT_SECONDS = 15.0  # nobody restarts the others, unless a cluster manager does
#: If all are silent, that may be the load of one machine, and nobody else could take their work.
ALL_SILENT = 1.25  # times stall_seconds
#: Seconds without progress on all workers, which live, until the run ends.
STUCK_SECONDS = 600.0
#: The default of ``stall_seconds``.
STALL_SECONDS = 60.0
#: Seconds between two looks, and those after which this process itself must have been stopped.
LOOK_SECONDS = 2.0
GAP_SECONDS = 20.0


@dataclass(slots=True)
class WorkerWatch:
    """Looks at the workers of a run now and then.

    How long a worker is silent is measured here, by this process's clock. After a gap, in which
    this process or the scheduler stood still, the count begins anew.
    """

    client: Client
    stall_seconds: float = STALL_SECONDS
    clock: Callable[[], float] = time.monotonic
    grace_seconds: float = 0.0  # that stall_seconds has at least, while workers import modules
    is_busy: Callable[[], bool] = bool  # whether a worker's process is known to run, though silent
    _given_up: dict[str, tuple[str, float]] = field(default_factory=dict)  # (became, at)
    _beats: dict[str, tuple[float, float]] = field(default_factory=dict)  # (beat, seen at)
    _looked: float = float("-inf")  # end of the last look
    _answered: float = 0.0
    _had_workers: float = 0.0
    _address: str = ""
    _told: set[str] = field(default_factory=set)
    _busy: str = ""  # workers that were waited for although they were silent

    def __post_init__(self) -> None:
        self._answered = self._had_workers = self.clock()
        self._address = address_of(self.client)

    def look(self) -> None:
        """Look, unless that was done a moment ago.

        Raises
        ------
        ClusterError
            If the scheduler is lost, or there has been no live worker for too long.
        """
        began = self.clock()
        if began - self._looked < LOOK_SECONDS:
            return
        if began - self._looked > GAP_SECONDS:
            self._begin_anew(began)
        try:
            workers = workers_of(self.client)
        except OSError as error:
            self._without_answer(error)
        else:
            now = self.clock()
            if now - self._answered > GAP_SECONDS:
                self._begin_anew(now)
            self._answered = now
            self._count(workers, now)
        self._looked = self.clock()

    @property
    def live(self) -> frozenset[str]:
        """Addresses of the workers that were there, and not silent, at the last look."""
        return frozenset(self._beats) - frozenset(self._given_up)

    @property
    def is_reconnecting(self) -> bool:
        """Whether the client has lost the scheduler and still tries to find it again."""
        return self.client.status == "connecting"

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn what a client raises that has lost its scheduler into the error for that."""
        try:
            yield
        except (ClusterError, InputError):
            raise
        except (Exception, asyncio.CancelledError) as error:
            if self.client.status not in {"closing", "closed"}:
                raise
            raise scheduler_calls.scheduler_lost(self._address, "was lost") from error

    def _begin_anew(self, now: float) -> None:
        self._beats.clear()
        self._answered = self._had_workers = now

    def _without_answer(self, error: Exception) -> None:
        log.debug("the scheduler at %s does not answer: %s", self._address, error)
        silent = self.clock() - self._answered
        if silent > scheduler_calls.SCHEDULER_SECONDS:
            how = "was lost" if self.is_reconnecting else f"has not answered for {silent:.0f} s"
            raise scheduler_calls.scheduler_lost(self._address, how) from error

    def _count(self, workers: Mapping[str, Mapping[str, Any]], now: float) -> None:
        limit = max(self.stall_seconds, self.grace_seconds)
        silent = self._silent(workers, now, limit)
        if len(silent) == len(workers):
            silent = self._silent(workers, now, ALL_SILENT * limit)
            silent = self._leave_busy(silent, workers)
        if sum(one["nthreads"] for name, one in workers.items() if name not in silent):
            self._had_workers = now
        if silent:
            self._give_up(silent, now)
        recent = self._recently_given_up(now)
        limit = _patience(recent.values())
        if now - self._had_workers > limit:
            raise self._no_worker(sorted(recent), limit)

    def _silent(
        self, workers: Mapping[str, Mapping[str, Any]], now: float, limit: float
    ) -> list[str]:
        """Workers without a new sign of life for ``limit`` seconds."""
        for address, worker in workers.items():
            beat = float(worker["last_seen"])
            if self._beats.get(address, (None, 0.0))[0] != beat:
                self._beats[address] = beat, now
                self._given_up.pop(address, None)
        for address in self._beats.keys() - workers.keys():
            del self._beats[address]
        seen = {address: at for address, (_, at) in self._beats.items()}
        return sorted(
            address
            for address, at in seen.items()
            if now - at > limit and not address.startswith("inproc://")
        )

    def _leave_busy(self, silent: list[str], workers: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Leave out those that nobody would restart, while a process of theirs is busy."""
        alone = [one for one in silent if not workers[one].get("nanny")]
        if not alone or not self.is_busy():
            return silent
        self._busy, seconds = shorten(alone), ALL_SILENT * self.stall_seconds
        self._tell(
            f"worker {self._busy} has given no sign of life for {seconds:.0f} s, but its "
            "process runs: a series keeps the interpreter's lock. There is no other worker, so it "
            "is waited for"
        )
        return [one for one in silent if one not in alone]

    def _tell(self, text: str) -> None:
        """Log a line, and show it; but only once."""
        if text not in self._told:
            self._told.add(text)
            log.warning("%s", text)
            emit(Progress("", note=text))

    def relieve(self, stuck: Collection[StuckChunk]) -> bool:
        """Give the chunks of workers that live but are stuck to others; False if nobody is there.

        Raises
        ------
        ClusterError
            If there is no other worker, and has been none for too long.
        """
        workers = sorted({one.worker for one in stuck})
        if not stuck:
            return False
        if self.live - set(workers):
            log.warning("%s; its work is given to others", shorten(map(str, stuck)))
            try:
                restart_workers(self.client, workers, "tidemill-stuck-worker")
            except OSError as error:  # it is tried again
                log.debug("the stuck workers could not be taken off: %s", error)
                return False
            return True
        longest = max(stuck, key=lambda one: one.seconds)
        if longest.seconds > STUCK_SECONDS:
            raise ClusterError(
                f"{longest}, and there is no other worker; check its storage, and run again: "
                "finished parts are kept"
            )
        for worker in workers:
            self._tell(
                f"worker {worker} makes no progress, though it lives; does its storage answer? "
                "There is no other worker, so it is waited for"
            )
        return False

    def _give_up(self, addresses: list[str], now: float) -> None:
        self._tell(
            f"no sign of life from worker {shorten(addresses)} for {self.stall_seconds:.0f} s; its "
            "work is given to others"
        )
        try:
            became = restart_workers(self.client, addresses, "tidemill-silent-worker")
        except OSError as error:  # it is tried again
            log.debug("the silent workers could not be taken off: %s", error)
            became = {}
        self._given_up.update({one: (became.get(one, ""), now) for one in addresses})

    def _recently_given_up(self, now: float) -> dict[str, str]:
        """What became of workers that were given up in about the time that is measured now."""
        span = 2 * (self.stall_seconds + NO_WORKER_SECONDS)
        return {one: became for one, (became, at) in self._given_up.items() if now - at < span}

    def _no_worker(self, silent: list[str], seconds: float) -> ClusterError:
        if silent:
            return ClusterError(
                f"worker {shorten(silent)} of the scheduler at {self._address} gave no sign of "
                f"life for {self.stall_seconds:.0f} s, and there is no other worker; check its "
                "host and restart it, then run again: finished parts are kept"
            )
        last = f"; on the last, {self._busy}, a series kept the interpreter's lock"
        return ClusterError(
            f"the scheduler at {self._address} has had no worker for {seconds:.0f} s"
            f"{last if self._busy else ''}; start one with: dask worker {self._address}, and run "
            "again: finished parts are kept"
        )


def _patience(given_up: Collection[str]) -> float:
    """Seconds without a worker that are an error, by what became of the silent ones."""
    if not given_up:
        return NO_WORKER_SECONDS
    restarted = "OK" in given_up
    return min(RESTART_SECONDS if restarted else REPLACEMENT_SECONDS, NO_WORKER_SECONDS)
