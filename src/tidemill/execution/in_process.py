"""A whole run in this process, on threads: without Prefect and without Dask."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from tidemill.errors import LeaseLostError
from tidemill.execution.chunk import run_chunk
from tidemill.execution.job import Job, OnEnd, stop_workers, wait_to_publish
from tidemill.execution.kernels import announce_kernels, load_kernels
from tidemill.execution.ordered_pool import Turn
from tidemill.execution.plans import load_plan
from tidemill.execution.records import RunSummary
from tidemill.execution.reduce import reduce
from tidemill.execution.resources import check_memory
from tidemill.execution.steps import PartsWatch, choose_chunks, partition
from tidemill.model.progress import Progress, emit
from tidemill.planning.request import Request

__all__ = ["extract_here"]


def extract_here(
    request: Request,
    *,
    wait_for_sink: float = 0.0,
    threads: int | None = None,
    turn: Turn | None = None,
    on_end: OnEnd | None = None,
) -> RunSummary:
    """Carry out a request in this process, on threads, and return the summary.

    The other arguments are those of :meth:`Job.open <tidemill.execution.job.Job.open>`.

    Raises
    ------
    TidemillError
        As the steps do; committed parts are kept for the next attempt.
    """
    threads = threads or os.cpu_count() or 1
    seconds: dict[str, float] = {}
    with Job.open(request, wait_for_sink, turn=turn, on_end=on_end) as job:
        check_memory(load_plan(job.run), threads)
        with _timed(seconds, "calculate_chunk_size"):
            chunks = choose_chunks(job.run, threads)["chunks"]
        with _timed(seconds, "partition"):
            partition(job.run, lambda function, items: _map_threads(function, items, threads))
        with _timed(seconds, "load_kernels"):
            announce_kernels(job.run)
            load_kernels(job.run)
        with _timed(seconds, "calculate_features"):
            _run_chunks(job, chunks, threads)
        wait_to_publish(job.run)
        facts = {"cluster": "none", "threads": threads, "task_runs": 0, "seconds": seconds}
        return reduce(job.run, facts)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    emit(Progress(step))
    began = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - began


def _map_threads(function: Callable[[Any], Any], items: Sequence[Any], threads: int) -> list[Any]:
    with ThreadPoolExecutor(threads, "tidemill-partition") as pool:
        return list(pool.map(function, items))


def _run_chunks(job: Job, chunks: Sequence[Sequence[int]], threads: int) -> None:
    """Run chunks on threads; the first error stops the others between blocks."""
    watch = PartsWatch(job.run)
    with ThreadPoolExecutor(threads, "tidemill-chunk") as pool:
        waiting = {pool.submit(run_chunk, job.run, chunk) for chunk in chunks}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                _raise_first(done)
                watch.look(now=not waiting)
        except BaseException as error:
            stop_workers(job.run, f"ended by {type(error).__name__}")
            for future in waiting:
                future.cancel()
            raise


def _raise_first(done: set[Future[Any]]) -> None:
    """Raise the first error, preferring real failures over ``LeaseLostError``."""
    errors = [error for future in done if (error := future.exception()) is not None]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, LeaseLostError))
