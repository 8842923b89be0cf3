"""The main job, step by step, without Prefect and without Dask.

A :class:`Job` is one attempt: it owns the sink's lease from :meth:`Job.open` to the end of its
``with`` block. The steps take the :class:`~tidemill.storage.run_address.Run`, an address in JSON
values, so that they can be tasks: ``choose_chunks``, ``partition``, ``run_chunk`` and ``reduce``.
"""

from __future__ import annotations

import getpass
import hashlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from tidemill.calculators.registry import find
from tidemill.errors import LeaseLostError, ResourceError
from tidemill.execution.chunk import (
    announce_kernels,
    forget_stopped,
    load_kernels,
    load_plan,
    run_chunk,
)
from tidemill.execution.memory import check_memory
from tidemill.execution.ordered_pool import Turn
from tidemill.execution.reduce import RunSummary, already_published, reduce, write_failure
from tidemill.execution.spill import check_space, check_spill, run_spill_task, spill_tasks
from tidemill.model.plan import Plan
from tidemill.model.progress import Progress, emit
from tidemill.planning.chunks import LEAST_CHUNK_SECONDS, deal_chunks, size_chunks
from tidemill.planning.plan_json import plan_from_json, plan_to_json
from tidemill.planning.prepare import prepare, warning_of
from tidemill.planning.request import Request
from tidemill.storage.check_sink import check_sink
from tidemill.storage.intervals import read_intervals
from tidemill.storage.layout import KeyLayout, SinkLayout, indexed
from tidemill.storage.lease import Lease, acquire
from tidemill.storage.markers import committed
from tidemill.storage.publish import last_published
from tidemill.storage.run_address import Run
from tidemill.storage.transient import is_transient

__all__ = [
    "Job",
    "PartsWatch",
    "choose_chunks",
    "extract_here",
    "missing_parts",
    "partition",
    "stop_jobs",
    "stop_workers",
    "take_turn",
]

log = logging.getLogger(__name__)

#: How a step runs plain functions over items: on Dask workers, or on threads of this process.
MapFunction = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]

#: Seconds between two looks at the markers.
LOOK_SECONDS = 0.5

_OPEN: dict[str, Job] = {}  # run id -> job of this process


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt to carry out a request, as the one writer of its sink."""

    request: Request
    run: Run
    lease: Lease
    turn: Turn

    @classmethod
    @contextmanager
    def open(
        cls,
        request: Request,
        wait_for_sink: float = 0.0,
        cluster: str = "none",
        turn: Turn | None = None,
    ) -> Iterator[Self]:
        """Plan the request, become the writer of the sink or interval, and record the plan.

        Parameters
        ----------
        request : what to do
        wait_for_sink : seconds to wait while another run is the writer
        cluster : for the record
        turn : of this job among several; by default it has not to wait for others

        Raises
        ------
        InputError
            If input, columns or settings cannot be used; nothing was written.
        SinkError
            If the sink holds something else, or another live run owns it.
        ResourceError
            If the matrix does not fit on the disk.
        """
        now = datetime.now(UTC)
        emit(Progress("plan"))
        layout = SinkLayout.of(request.sink, request.storage_options)
        check_sink(layout, request.locations, intervals=request.interval is not None)
        interval = request.interval.name if request.interval else None
        before = _publisher(layout, interval)
        plan, statistics = prepare(request)
        check_room(layout, plan)
        _warn(layout, plan, warning_of(plan, statistics))
        run_id = f"{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        turn = turn or Turn()
        turn.wait_to_hold()
        with acquire(
            layout.lease_of(interval),
            owner=f"{getpass.getuser()} (cluster={cluster})",
            run_id=run_id,
            wait_seconds=wait_for_sink,
            sleep=turn.sleep,
        ) as lease:
            turn.holds.set()
            if _publisher(layout, interval) != before:  # its rows may be newer than the plan's
                plan, _ = prepare(request)
            run = Run(
                run_id=run_id,
                started=now.isoformat(timespec="seconds"),
                sink=request.sink,
                result_key=plan.result_key,
                generation=lease.generation,
                work_dir=_work_dir(request, layout, plan),
                storage_options=dict(request.storage_options),
                interval=interval,
                isolation_seconds=request.isolation_seconds,
                reason=request.reason,
            )
            plan = record_plan(run, plan)
            job = cls(request, run, lease, turn)
            _OPEN[run_id] = job
            try:
                turn.sleep(0.0)  # a stop before this line knew of no job to stop
                yield job
            except BaseException as error:
                write_failure(run, plan, error, cluster)
                if not isinstance(error, Exception):
                    forget_stopped(run)
                raise
            finally:
                del _OPEN[run_id]


def _publisher(layout: SinkLayout, interval: str | None) -> str | None:
    """Id of the run that published an interval; None if there is none, or nothing is published."""
    record = read_intervals(layout, [interval]).get(interval) if interval else None
    return record.run_id if record else None


def _warn(layout: SinkLayout, plan: Plan, text: str) -> None:
    """Log a warning and show it, if anything is still to be calculated."""
    if text and _missing(layout, plan):
        log.warning("%s", text)
        emit(Progress("plan", note=text))


def output_bytes(plan: Plan, parts: Iterable[int] | None = None) -> int:
    """Bytes that the rows of some parts take, about: features hardly compress."""
    wanted = range(len(plan.parts)) if parts is None else parts
    return 8 * sum(plan.parts[index].ids for index in wanted) * len(plan.columns)


def check_room(layout: SinkLayout, plan: Plan) -> None:
    """Check that what is still to be written fits on the disk of a local sink.

    Raises
    ------
    ResourceError
        If it does not, naming the bytes needed and free.
    """
    free = disk_free(layout)
    needed = output_bytes(plan, _missing(layout, plan))
    if layout.kind == "file" and needed:
        needed += output_bytes(plan)  # the file is written beside its parts
    if free is not None and needed > free:
        raise ResourceError(
            f"about {needed:,} bytes are still to be written, and {free:,} are free for "
            f"{layout.url}; choose a sink on a larger disk, or settings with fewer features"
        )


def disk_free(layout: SinkLayout) -> int | None:
    """Bytes free where a local sink lies; None for object storage."""
    path = layout.home.local_path("")
    if path is None:
        return None
    return shutil.disk_usage(next(one for one in (path, *path.parents) if one.exists())).free


def stop_workers(run: Run, reason: str) -> None:
    """Give the lease of a job of this process back, so that its workers stop between blocks."""
    if run.run_id in _OPEN:
        _OPEN[run.run_id].lease.release(reason)


def stop_jobs(sink: str, reason: str) -> None:
    """Stop the workers of all jobs of this process on a sink, as :func:`stop_workers` does."""
    for job in [one for one in list(_OPEN.values()) if one.request.sink == sink]:
        try:
            job.lease.release(reason)
        except Exception:  # it is not renewed any more either; the others must hear of it
            log.exception("the lease of run %s could not be given back", job.run.run_id)


def take_turn(run: Run) -> None:
    """Wait until the jobs whose turn comes before this one's are done, before publishing."""
    _OPEN[run.run_id].turn.wait()


def _work_dir(request: Request, layout: SinkLayout, plan: Plan) -> str:
    if request.work_dir is None:
        return layout.key(plan.result_key).work.url
    sink = hashlib.sha256(layout.url.encode()).hexdigest()[:8]  # sinks may share a work_dir
    return f"{request.work_dir.rstrip('/')}/tidemill-{sink}-{plan.result_key[:16]}"


def record_plan(run: Run, plan: Plan) -> Plan:
    """Write the plan where workers read it; the plan that holds.

    Parts are a pure function of source and settings, but also of part_bytes and of the version of
    tidemill. Where parts are committed already, the rest is finished as they were cut. Markers
    without a plan that can be read say nothing about ids, so they go before the plan is written.
    """
    key = run.key
    recorded = _recorded_plan(key)
    if recorded is None:
        key.state.delete_all(key.markers)
    elif committed(key):
        if recorded.parts != plan.parts:
            log.warning("going on with the %d parts that were recorded first", len(recorded.parts))
        # What is kept may be replaced already, if an attempt ended right after it published.
        plan = replace(
            plan,
            parts=recorded.parts,
            layout=recorded.layout,
            kept=recorded.kept,
            features=recorded.features,
        )
    key.state.write(key.plan, plan_to_json(plan).encode())
    return plan


def _recorded_plan(key: KeyLayout) -> Plan | None:
    """The plan of an earlier attempt; None if there is none or it is damaged."""
    try:
        return plan_from_json(key.state.read(key.plan))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        log.warning("%s/%s is damaged (%s); starting over", key.state.url, key.plan, error)
        return None


def missing_parts(run: Run) -> list[int]:
    """Indexes of parts without a commit marker; none if a file sink shows the result already."""
    return _missing(run.layout, load_plan(run))


def _missing(layout: SinkLayout, plan: Plan) -> list[int]:
    shown = last_published(layout)
    if shown is not None and already_published(layout, plan.result_key, shown):
        return []
    done = committed(layout.key(plan.result_key))
    return [part.index for part in plan.parts if part.index not in done]


def choose_chunks(run: Run, threads: int) -> dict[str, Any]:
    """Deal the missing parts into chunks for ``threads`` threads.

    Returns
    -------
    dict
        The fields of :class:`~tidemill.planning.chunks.ChunkSize`, with ``chunks`` the part indexes
        of each chunk.
    """
    plan = load_plan(run)
    missing = frozenset(missing_parts(run))
    parts = [part for part in plan.parts if part.index in missing]
    if _has_plain_functions(plan):
        parts = [replace(part, seconds=max(part.seconds, LEAST_CHUNK_SECONDS)) for part in parts]
    size = size_chunks(parts, threads)
    log.info(
        "chunk size: %d parts with %d ids are missing, %.1f s predicted, %d threads; %s; %s",
        size.parts,
        size.ids,
        size.seconds,
        size.threads,
        size.formula,
        size.reason,
    )
    chunks = [list(chunk) for chunk in deal_chunks(parts, threads)] if parts else []
    return {**asdict(size), "chunks": chunks}


def _has_plain_functions(plan: Plan) -> bool:
    """Whether a calculator is a plain function: its cost is not known, so parts are spread."""
    named = {name for features in plan.features.values() for name, _ in features}
    return any(find(name).function is not None for name in named)


def partition(run: Run, map_function: MapFunction) -> dict[str, Any]:
    """Spill the input by id range, unless it can be used as it lies or nothing is missing.

    Returns
    -------
    dict
        ``layout``, ``tasks``, ``reused`` (tasks found complete), ``bytes`` and ``rows`` of spill.
    """
    plan = load_plan(run)
    facts: dict[str, Any] = {"layout": plan.layout, "tasks": 0, "reused": 0, "bytes": 0, "rows": 0}
    if plan.layout == "clustered":
        log.info("partition: the input is used as it lies; no row is copied")
        return facts
    if not missing_parts(run):
        log.info("partition: all parts are committed; nothing to do")
        return facts
    check_space(plan, run.work_dir)
    results = map_function(SpillTask(run), spill_tasks(plan))
    check_spill(plan, run.work_dir)
    facts["tasks"] = len(results)
    for name in ("reused", "bytes", "rows"):
        facts[name] = sum(int(result[name]) for result in results)
    log.info(
        "partition: %(tasks)d map tasks (%(reused)d reused), %(rows)d rows, %(bytes)d bytes", facts
    )
    return facts


@dataclass(frozen=True, slots=True)
class SpillTask:
    """One map task of the partition step, for a worker."""

    run: Run

    def __call__(self, task: int) -> Any:
        """Spill the task's share of the input, unless that was done before."""
        self.run.lease_view().check()
        return run_spill_task(load_plan(self.run), task, self.run.work_dir)


class PartsWatch:
    """Tells how many parts of a run are committed; looks now and then."""

    def __init__(self, run: Run) -> None:
        self.run = run
        plan = load_plan(run)
        self._total = len(plan.parts)
        self._about = plan.interval.name if plan.interval else ""
        self._rows: dict[int, int] = {}
        self._last = float("-inf")

    def look(self, *, now: bool = False) -> None:
        """Read the markers that are new and tell the progress."""
        if not now and time.monotonic() - self._last < LOOK_SECONDS:
            return
        self._last = time.monotonic()
        try:
            self._read_new()
        except Exception as error:
            if not is_transient(error):  # a look is no reason to end a run
                raise
            log.debug("could not look at the parts: %s", error)
            return
        ids = sum(self._rows.values())
        parts = len(self._rows), self._total
        emit(Progress("calculate_features", *parts, ids, about=self._about))

    def _read_new(self) -> None:
        key = self.run.key
        names = (indexed(entry.path) for entry in key.state.list(key.markers))
        new = {name[0] for name in names if name is not None} - set(self._rows)
        found = committed(key, new) if new else {}
        self._rows.update({index: marker.rows for index, marker in found.items()})


def extract_here(
    request: Request,
    *,
    wait_for_sink: float = 0.0,
    threads: int | None = None,
    turn: Turn | None = None,
) -> RunSummary:
    """Carry out a request in this process, on threads; the summary.

    Raises
    ------
    TidemillError
        As the steps do; parts that were committed stay for the next attempt.
    """
    threads = threads or os.cpu_count() or 1
    seconds: dict[str, float] = {}
    with Job.open(request, wait_for_sink, turn=turn) as job:
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
        take_turn(job.run)
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
    """Raise the first error, one with a cause of its own before a mere order to stop."""
    errors = [error for future in done if (error := future.exception()) is not None]
    if errors:
        raise min(errors, key=lambda error: isinstance(error, LeaseLostError))
