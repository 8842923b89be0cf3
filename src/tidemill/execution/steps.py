"""The steps of a run as plain functions of its address: chunks and the spill of the input."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tidemill.calculators.registry import find
from tidemill.execution.plans import load_plan, missing_parts
from tidemill.execution.spill import check_space, check_spill, run_spill_task, spill_tasks
from tidemill.model.logs import engine_log
from tidemill.model.plan import Plan
from tidemill.model.progress import Progress, emit
from tidemill.planning.chunks import LEAST_CHUNK_SECONDS, deal_chunks, size_chunks
from tidemill.storage.layout import indexed
from tidemill.storage.markers import attempted, attempts, committed
from tidemill.storage.run_address import Run
from tidemill.storage.transient import is_transient

__all__ = ["MapFunction", "PartsWatch", "choose_chunks", "partition"]

log = engine_log(__name__)

#: Applies a plain function to items, on Dask workers or on threads of this process.
MapFunction = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]

#: Seconds between reads of the markers, and of the marks of parts that are in work for long.
LOOK_SECONDS = 0.5
NOTES_SECONDS = 20.0


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
    """Whether a calculator is a plain function, of unknown cost; then parts are spread widely."""
    named = {name for features in plan.features.values() for name, _ in features}
    return any(find(name).function is not None for name in named)


def partition(run: Run, map_function: MapFunction) -> dict[str, Any]:
    """Spill the input by id range, unless it can be read in place or nothing is missing.

    Returns
    -------
    dict
        ``layout``, ``tasks``, ``reused`` (tasks found complete), ``bytes`` and ``rows`` of spill.
    """
    plan = load_plan(run)
    facts: dict[str, Any] = {"layout": plan.layout, "tasks": 0, "reused": 0, "bytes": 0, "rows": 0}
    if plan.layout == "clustered":
        log.info("partition: the input is read in place; no row is copied")
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
        """Spill the task's share of the input, unless this is already done."""
        self.run.lease_view().check()
        return run_spill_task(load_plan(self.run), task, self.run.work_dir)


class PartsWatch:
    """Reports how many parts of a run are committed, and what holds others up, now and then."""

    def __init__(self, run: Run) -> None:
        self.run = run
        plan = load_plan(run)
        self._total = len(plan.parts)
        self._about = plan.interval.name if plan.interval else ""
        self._rows: dict[int, int] = {}
        self._last = float("-inf")
        self._in_work: set[int] = set()  # parts that had a mark when notes were looked for
        self._next_notes = time.monotonic() + NOTES_SECONDS
        self._told: set[str] = set()

    @property
    def done(self) -> Collection[int]:
        """Indexes of the parts that were committed at the last look."""
        return self._rows.keys()

    def look(self, *, now: bool = False) -> None:
        """Read new markers and report the progress."""
        if not now and time.monotonic() - self._last < LOOK_SECONDS:
            return
        self._last = time.monotonic()
        try:
            self._read_new()
            self._say_notes()
        except Exception as error:
            if not is_transient(error):  # a failed look must not end the run
                raise
            log.debug("could not read the markers: %s", error)
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

    def _say_notes(self) -> None:
        """Show what is noted in the marks of parts that have been in work since the last look."""
        if time.monotonic() < self._next_notes:
            return
        self._next_notes = time.monotonic() + NOTES_SECONDS
        key, before = self.run.key, self._in_work
        self._in_work = attempted(key) - self._rows.keys()
        lasting = before & self._in_work
        for mark in attempts(key, lasting) if lasting else ():
            if mark.note and mark.run_id == self.run.run_id and mark.note not in self._told:
                self._told.add(mark.note)
                emit(Progress("", note=mark.note))
