"""Work on Dask workers that may die: submit it, watch it, and resubmit what was lost."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import distributed
from prefect.client.schemas.objects import State

from tidemill.errors import ClusterError, InputError
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.orchestration.chunk_watch import ChunkWatch
from tidemill.orchestration.scheduler_calls import quietly, within
from tidemill.orchestration.worker_watch import STALL_SECONDS, WorkerWatch
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
#: Seconds between two checks of the chunks.
POLL_SECONDS = 0.05
#: For calls of Dask's client that have no limit of their own.
CALL_SECONDS = 10.0
_STOPS = (signal.SIGINT, signal.SIGTERM)
_SETTLED = frozenset({"finished", "error", "cancelled", "lost"})


@dataclass(slots=True)
class _Chunk:
    """A chunk and the task runs it took."""

    parts: list[int]
    submissions: int = 0
    causes: list[str] = field(default_factory=list)

    @property
    def is_suspect(self) -> bool:
        """Whether several workers were lost with it: Dask itself starts a task on four of them."""
        return len(self.causes) > 1 or any(one.startswith("KilledWorker") for one in self.causes)


def run_chunks(
    chunks: Sequence[Sequence[int]],
    submit: Callable[[list[int]], Any],
    watch: WorkerWatch,
    on_wait: Callable[[], None],
    on_loss: Callable[[list[int]], object],
    chunk_watch: ChunkWatch | None = None,
) -> int:
    """Submit all chunks and wait for them.

    Prefect's retries are not used when a Dask worker dies, and its futures hide that error; so
    this loop watches the Dask futures and resubmits what was lost with its worker.

    Parameters
    ----------
    chunks : part indexes of each chunk
    submit : submits one chunk; a ``PrefectDaskFuture``
    watch : of the workers of the client that the futures belong to
    on_wait : called about twice a second (progress)
    on_loss : called with the parts of a chunk that took several workers with it
    chunk_watch : looks for chunks without progress, if they are to be given to other workers

    Returns
    -------
    int
        Task runs that were needed.

    Raises
    ------
    ClusterError
        If there is no live worker or scheduler any more, or a chunk was lost too often.
    Exception
        The first error of a chunk.
    """
    waiting: dict[Any, _Chunk] = {}
    task_runs = 0

    def submit_chunk(chunk: _Chunk) -> None:
        nonlocal task_runs
        with _interrupt_afterwards():
            waiting[submit(list(chunk.parts))] = chunk
        task_runs += 1

    def look() -> None:
        watch.look()
        on_wait()
        if chunk_watch is not None:
            keys = {str(_dask(future).key): chunk.parts for future, chunk in waiting.items()}
            if watch.relieve(chunk_watch.look(keys)):
                chunk_watch.begin_anew()

    try:
        with watch.explaining():
            for parts in chunks:
                submit_chunk(_Chunk(list(parts), 1))
                look()
            while waiting:
                look()
                for lost, cause in _settle_all(waiting, watch):
                    again = _resubmission(lost, cause, task_runs)
                    if again.is_suspect:
                        on_loss(lost.parts)
                    submit_chunk(again)
                time.sleep(POLL_SECONDS)
    finally:
        quietly(CALL_SECONDS, _cancel, [_dask(future) for future in waiting])
    return task_runs


def _settle_all(waiting: dict[Any, _Chunk], watch: WorkerWatch) -> Iterator[tuple[_Chunk, str]]:
    """Take what is settled out of ``waiting``; lost chunks, with the cause."""
    if watch.is_reconnecting:  # all futures count as cancelled until that has succeeded
        return
    for future in [one for one in waiting if _dask(one).status in _SETTLED]:
        chunk = waiting.pop(future)
        try:
            cause = _settle(_dask(future))
        except _NotGatheredError:
            waiting[future] = chunk
            return  # its worker may be silent: look at once
        if cause is not None:
            log.warning("a chunk of %d parts was lost: %s", len(chunk.parts), cause)
            yield chunk, cause


def _cancel(futures: Sequence[distributed.Future[Any]]) -> None:
    for future in futures:
        future.cancel()


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
    except (TimeoutError, CancelledError) as error:
        raise _NotGatheredError from error


def _settle(future: distributed.Future[Any]) -> str | None:
    """None if the chunk is done; why it was lost otherwise. Raises the chunk's own error."""
    if future.status == "finished":
        state: State[Any] = _gather(future)
        state.result(raise_on_failure=True)
        return None
    if future.status == "error":
        error = future.exception(timeout=CALL_SECONDS)
        if isinstance(error, InputError):
            raise error
        return f"{type(error).__name__}: {error}"
    return f"its task was {future.status}"


def _resubmission(chunk: _Chunk, cause: str, task_runs: int) -> _Chunk:
    causes = [*chunk.causes, cause]
    if chunk.submissions >= SUBMISSIONS or task_runs >= MOST_TASK_RUNS - OTHER_TASK_RUNS:
        raise ClusterError(
            f"a chunk of {counted(len(chunk.parts), 'part')} was lost {chunk.submissions} times, "
            f"and the run needed {task_runs} task runs for chunks: {'; '.join(causes)}. Check the "
            "workers' memory and logs, then run again: finished parts are kept"
        )
    return _Chunk(chunk.parts, chunk.submissions + 1, causes)


def map_on_workers(
    client: distributed.Client, stall_seconds: float = STALL_SECONDS
) -> Callable[..., list[Any]]:
    """A ``map`` that runs plain functions on the workers: 3 ms each against 300 ms a task run.

    The scheduler repeats what was lost with its worker. Errors that may pass are retried here, a
    few times; errors of the input are not.
    """

    def run_all(function: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
        futures = client.map(function, items, pure=False)
        try:
            watch = WorkerWatch(client, stall_seconds)
            with watch.explaining():
                results = _wait_for_all(watch, futures)
            return [results[future] for future in futures]
        finally:
            quietly(CALL_SECONDS, client.cancel, futures)

    return run_all


def _wait_for_all(watch: WorkerWatch, futures: Sequence[Any]) -> dict[Any, Any]:
    waiting = dict.fromkeys(futures, 1)  # future -> submissions
    results: dict[Any, Any] = {}
    while waiting:
        watch.look()
        for future in [one for one in waiting if one.status in _SETTLED]:
            if watch.is_reconnecting:
                break
            submissions = waiting.pop(future)
            if future.status == "finished":
                try:
                    results[future] = _gather(future)
                except _NotGatheredError:
                    waiting[future] = submissions
                    break  # its worker may be silent: look at once
                continue
            error = _error_of(future)
            if error is not None and not is_transient(error):
                raise _lost_worker(error) if isinstance(error, distributed.KilledWorker) else error
            if submissions >= SUBMISSIONS:
                raise error or ClusterError(f"the partition step's task was {future.status}")
            within(CALL_SECONDS, future.retry)
            waiting[future] = submissions + 1
        time.sleep(POLL_SECONDS)
    return results


def _error_of(future: distributed.Future[Any]) -> BaseException | None:
    return future.exception(timeout=CALL_SECONDS) if future.status == "error" else None


def _lost_worker(error: BaseException) -> ClusterError:
    return ClusterError(
        f"the partition step lost its worker too often ({error}); check the workers' memory and "
        "logs, then run again: finished map tasks are kept"
    )
