"""Work on Dask workers that may die: submit it, watch it, and resubmit what was lost."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import distributed
from prefect.client.schemas.objects import State

from tidemill.errors import ClusterError, InputError
from tidemill.model.logs import engine_log
from tidemill.orchestration.cluster import NO_WORKER_SECONDS, count_threads
from tidemill.storage.transient import is_transient

__all__ = ["OTHER_TASK_RUNS", "map_on_workers", "run_chunks"]

log = engine_log(__name__)

#: Submissions of one chunk whose task run was lost with its worker.
SUBMISSIONS = 4
#: Task runs of one run, all counted: beyond about 2,000 Prefect's server suffers.
MOST_TASK_RUNS = 500
OTHER_TASK_RUNS = 3  # calculate_chunk_size, partition and reduce
#: Seconds for a result to arrive. If its worker died, Dask's client would wait for it to be
#: calculated again, for as long as there is no worker.
GATHER_SECONDS = 10.0
#: Seconds between two checks of the chunks, and of the number of workers.
POLL_SECONDS = 0.05
WORKERS_SECONDS = 2.0
_STOPS = (signal.SIGINT, signal.SIGTERM)
_SETTLED = frozenset({"finished", "error", "cancelled", "lost"})


@dataclass(slots=True)
class _Chunk:
    """A chunk and the task runs it took."""

    parts: list[int]
    submissions: int = 0
    causes: list[str] = field(default_factory=list)


def run_chunks(
    chunks: Sequence[Sequence[int]],
    submit: Callable[[list[int]], Any],
    client: distributed.Client,
    on_wait: Callable[[], None],
) -> int:
    """Submit all chunks and wait for them.

    Prefect's retries are not used when a Dask worker dies, and its futures hide that error; so
    this loop watches the Dask futures and resubmits what was lost with its worker.

    Parameters
    ----------
    chunks : part indexes of each chunk
    submit : submits one chunk; a ``PrefectDaskFuture``
    client : the client that the futures belong to
    on_wait : called about twice a second (progress)

    Returns
    -------
    int
        Task runs that were needed.

    Raises
    ------
    ClusterError
        If there is no worker for 60 s, or a chunk was lost too often.
    Exception
        The first error of a chunk.
    """
    waiting: dict[Any, _Chunk] = {}
    task_runs = 0
    try:
        for parts in chunks:
            with _interrupt_afterwards():
                waiting[submit(list(parts))] = _Chunk(list(parts), 1)
            task_runs += 1
            on_wait()
        workers = _WorkerWatch(client)
        while waiting:
            workers.look()
            on_wait()
            for future in [one for one in waiting if _dask(one).status in _SETTLED]:
                chunk = waiting.pop(future)
                try:
                    cause = _settle(_dask(future))
                except _NotGatheredError:
                    waiting[future] = chunk
                    continue
                if cause is None:
                    continue
                log.warning("a chunk of %d parts was lost: %s", len(chunk.parts), cause)
                again = _resubmission(chunk, cause, task_runs)
                with _interrupt_afterwards():
                    waiting[submit(chunk.parts)] = again
                task_runs += 1
            time.sleep(POLL_SECONDS)
    finally:
        for future in waiting:
            _dask(future).cancel()
    return task_runs


@contextmanager
def _interrupt_afterwards() -> Iterator[None]:
    """Hold back signals that stop a run: serialisers would turn them into errors of their own.

    They are Ctrl-C and the signal that a Prefect worker sends to a cancelled run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {one: signal.signal(one, lambda caught, _: held.append(caught)) for one in _STOPS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    if held:
        _stop_as(held[0])


def _stop_as(number: int) -> None:
    """Do what the signal does; not by another signal, which would count as a second request."""
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, None)
    else:
        signal.raise_signal(number)


def _dask(future: Any) -> distributed.Future[Any]:
    wrapped: distributed.Future[Any] = future.wrapped_future
    return wrapped


class _NotGatheredError(Exception):
    """A result was lost with its worker, and the scheduler has to calculate it again."""


def _gather(future: distributed.Future[Any]) -> Any:
    """The result of a finished future.

    Raises
    ------
    _NotGatheredError
        If it does not arrive.
    """
    try:
        return future.result(timeout=GATHER_SECONDS)
    except TimeoutError as error:
        raise _NotGatheredError from error


def _settle(future: distributed.Future[Any]) -> str | None:
    """None if the chunk is done; why it was lost otherwise. Raises the chunk's own error."""
    if future.status == "finished":
        state: State[Any] = _gather(future)
        state.result(raise_on_failure=True)
        return None
    if future.status == "error":
        error = future.exception()
        if isinstance(error, InputError):
            raise error
        return f"{type(error).__name__}: {error}"
    return f"its task was {future.status}"


def _resubmission(chunk: _Chunk, cause: str, task_runs: int) -> _Chunk:
    causes = [*chunk.causes, cause]
    if chunk.submissions >= SUBMISSIONS or task_runs >= MOST_TASK_RUNS - OTHER_TASK_RUNS:
        raise ClusterError(
            f"a chunk of {len(chunk.parts)} parts was lost {chunk.submissions} times, and the run "
            f"needed {task_runs} task runs for chunks: {'; '.join(causes)}. Check the "
            "workers' memory and logs, then run again: finished parts are kept"
        )
    return _Chunk(chunk.parts, chunk.submissions + 1, causes)


class _WorkerWatch:
    """Notices when a cluster has had no worker for too long."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client
        self._looked = self._seen = time.monotonic()

    def look(self) -> None:
        """Count the workers now and then; ``ClusterError`` after a minute without any."""
        now = time.monotonic()
        if now - self._looked < WORKERS_SECONDS:
            return
        self._looked = now
        if count_threads(self._client):
            self._seen = now
        elif now - self._seen > NO_WORKER_SECONDS:
            address = self._client.scheduler.address if self._client.scheduler else "?"
            raise ClusterError(
                f"the scheduler at {address} has had no worker for {NO_WORKER_SECONDS:.0f} s; "
                f"start one with: dask worker {address}. Finished parts are kept"
            )


def map_on_workers(client: distributed.Client) -> Callable[..., list[Any]]:
    """A ``map`` that runs plain functions on the workers: 3 ms each against 300 ms a task run.

    The scheduler repeats what was lost with its worker. Errors that may pass are retried here, a
    few times; errors of the input are not.
    """

    def run_all(function: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
        futures = client.map(function, items, pure=False)
        try:
            results = _wait_for_all(client, futures)
            return [results[future] for future in futures]
        finally:
            client.cancel(futures)

    return run_all


def _wait_for_all(client: distributed.Client, futures: Sequence[Any]) -> dict[Any, Any]:
    waiting = dict.fromkeys(futures, 1)  # future -> submissions
    results: dict[Any, Any] = {}
    workers = _WorkerWatch(client)
    while waiting:
        workers.look()
        for future in [one for one in waiting if one.status in _SETTLED]:
            submissions = waiting.pop(future)
            if future.status == "finished":
                try:
                    results[future] = _gather(future)
                except _NotGatheredError:
                    waiting[future] = submissions
                continue
            error = future.exception() if future.status == "error" else None
            if error is not None and not is_transient(error):
                raise _lost_worker(error) if isinstance(error, distributed.KilledWorker) else error
            if submissions >= SUBMISSIONS:
                raise error or ClusterError(f"the partition step's task was {future.status}")
            future.retry()
            waiting[future] = submissions + 1
        time.sleep(POLL_SECONDS)
    return results


def _lost_worker(error: BaseException) -> ClusterError:
    return ClusterError(
        f"the partition step lost its worker too often ({error}); check the workers' memory and "
        "logs, then run again: finished map tasks are kept"
    )
