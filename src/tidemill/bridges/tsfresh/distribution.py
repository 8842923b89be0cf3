"""The chunks of a call on their way to workers, and the results on their way back.

Groups of chunks are task runs; the result of each chunk comes by a queue as soon as it is there. So
a worker that dies costs the chunk that it was at, and the progress bar moves chunk by chunk.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from distributed import Client, Event, Future, Queue
from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from tidemill.bridges.tsfresh.calls import Call
from tidemill.bridges.tsfresh.work import (
    Shipped,
    WorkerTest,
    distribute_group,
    name_of,
    versions_of_call,
)
from tidemill.errors import ClusterError
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.orchestration.cluster import ClusterSpec
from tidemill.orchestration.dispatch import run_chunks
from tidemill.orchestration.scheduler_calls import quietly, within
from tidemill.orchestration.server import api_url
from tidemill.orchestration.steps import current_client
from tidemill.orchestration.worker_watch import WorkerWatch
from tidemill.orchestration.workers import count_threads, fit_workers, wait_for_workers

__all__ = ["Distribution"]

log = engine_log(__name__)

#: Task runs for each thread, at most: one takes 0.1 to 0.35 s beside its work.
GROUPS_PER_THREAD = 2
#: Times that chunks are given out whose workers died.
ROUNDS = 4
#: Seconds between two looks for results.
LOOK_SECONDS = 0.2
#: For one answer of the scheduler.
CALL_SECONDS = 10.0


def _name_of_group() -> str:
    numbers = task_run.parameters["numbers"]
    return f"distribute-from-chunk-{numbers[0]}" if numbers else "distribute-nothing"


_distribute: Any = Task(
    distribute_group,
    name="distribute",
    task_run_name=_name_of_group,
    cache_policy=NO_CACHE,
    persist_result=False,
)


@dataclass(slots=True)
class Distribution:
    """Gives out the chunks of a call, and takes the results."""

    call: Call
    watch: WorkerWatch
    queue: Queue  # of (number, pickled result)
    bar: Any
    work: Future[Any] | None = None  # on all workers
    events: list[Event] = field(default_factory=list)  # set: the call is not over; not begun
    futures: list[Future[Any]] = field(default_factory=list)  # of groups, and of their chunks
    looked: float = 0.0

    @classmethod
    @contextmanager
    def prepared(cls, call: Call, spec: ClusterSpec) -> Iterator[Self]:
        """Look over the workers; on the way out, nothing of the call stays on the scheduler.

        Raises
        ------
        ClusterError
            If there is no worker, or one is not fit.
        """
        client = current_client(spec)
        wait_for_workers(client)
        watch = WorkerWatch(client)
        url = None if spec.kind == "threads" else api_url()
        test = WorkerTest(versions_of_call(), url, os.getpid())
        name = f"tidemill-tsfresh-{call.name}"
        with fit_workers(watch, test, name), call.bar(len(call.chunks)) as bar:
            distribution = cls(call, watch, Queue(name, client=client), bar)
            distribution.announce(name)
            call.release = distribution.close
            try:
                yield distribution
            finally:
                quietly(CALL_SECONDS, call.release)

    @property
    def client(self) -> Client:
        """The client of the flow."""
        return self.watch.client

    def carry_out(self) -> None:
        """Distribute the chunks, those of dead workers again, until all results are there.

        Raises
        ------
        ClusterError
            If there are no workers, or chunks are lost too often.
        """
        rounds = 0
        while self.call.chunks:
            if rounds == ROUNDS:
                raise self._lost_too_often()
            run_chunks(self._groups(), self._submit, self.watch, self._look, bool)
            self._take_results()
            rounds += 1

    def announce(self, name: str) -> str:
        """Set an event, which workers find as long as nothing has cleared it; its name."""
        event = Event(name, client=self.client)
        self.events.append(event)
        event.set()
        return name

    def close(self) -> None:
        """Let the scheduler forget the call; what has not begun does not, and the rest ends."""
        self.call.release = bool
        for event in self.events:
            event.clear()
        self.queue.close()
        for future in (*self.futures, *filter(None, [self.work])):
            future.release()  # an error that somebody keeps would keep them

    def _groups(self) -> list[list[int]]:
        """The chunks that are left, dealt into groups: long series may lie side by side."""
        numbers = sorted(self.call.chunks)
        count = min(len(numbers), GROUPS_PER_THREAD * max(count_threads(self.client), 1))
        return [numbers[place::count] for place in range(count)]

    def _submit(self, numbers: Sequence[int]) -> Any:
        """Submit those of the chunks that are not done; their data go to one worker."""
        self._take_results()
        left = [number for number in numbers if number in self.call.chunks]
        home = self._home()
        chunks = [self._scatter(self.call.chunks[number], home) for number in left]
        attempt = self.announce(f"{self.queue.name}-{len(self.events)}")
        work = self._scattered_work()
        group = _distribute.submit(left, attempt, self.queue.name, work, chunks)
        self.futures += [*chunks, group.wrapped_future]
        return group

    def _home(self) -> str:
        """The worker whose turn it is."""
        wait_for_workers(self.client)
        threads: Mapping[str, int] = self.client.nthreads()
        here = [address for address in sorted(threads) for _ in range(threads[address])]
        return here[len(self.events) % len(here)]

    def _scatter(self, chunk: Shipped, home: str) -> Future[Any]:
        """One chunk to its worker; to any other if that has just died."""
        scatter: Callable[..., Future[Any]] = partial(self.client.scatter, hash=False)
        with suppress(OSError, KeyError):
            return scatter(chunk, workers=[home])
        return scatter(chunk)

    def _scattered_work(self) -> Future[Any]:
        """The function and its options, sent once to all workers that are there."""
        if self.work is None or self.work.status != "finished":
            work = Shipped(self.call.work)
            self.work = self.client.scatter(work, broadcast=True, hash=False)
        return self.work

    def _look(self) -> None:
        if time.monotonic() - self.looked > LOOK_SECONDS:
            self._take_results()

    def _take_results(self) -> None:
        """Take what has come; of two attempts at a chunk, the first."""
        try:
            come = within(CALL_SECONDS, partial(self.queue.get, batch=True))
        except OSError as error:  # the watch judges when a scheduler is lost
            log.debug("the scheduler does not answer: %s", error)
            come = []
        for number, pickled in come:
            if self.call.chunks.pop(number, None) is not None:
                self.call.results[number] = pickle.loads(pickled)  # noqa: S301  of our workers
                self.bar.update(1)
        self.looked = time.monotonic()

    def _lost_too_often(self) -> ClusterError:
        left = counted(len(self.call.chunks), "chunk")
        first = self.call.chunks[min(self.call.chunks)].value[0]
        return ClusterError(
            f"{left} took the worker along {ROUNDS} times, the first begins with "
            f"{name_of(first)}; check the workers' memory and logs, take that item out, or give a "
            "smaller chunk_size"
        )
