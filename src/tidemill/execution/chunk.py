"""Run one chunk, part by part: read, calculate, write, commit.

The same functions run in this process, on Dask's threads and in worker processes. A part whose
earlier attempt died with its process, or in which a series hangs, is calculated in an isolated
process.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Protocol

from tidemill.calculators.batches import MatrixCalculator
from tidemill.calculators.blas_threads import one_pool_thread
from tidemill.execution.attempt import MarkedAttempt, suspects
from tidemill.execution.carryover import KeptRows
from tidemill.execution.coverage import CoverageGatherer
from tidemill.execution.guard import guarded
from tidemill.execution.isolation import Selection, calculate_isolated
from tidemill.execution.kernels import load_kernels
from tidemill.execution.part_watch import Hang, TilesInWork, storage_limit, watched
from tidemill.execution.plans import load_plan
from tidemill.model.logs import engine_log
from tidemill.model.plan import Part, Plan
from tidemill.model.series import Batch, Quarantined
from tidemill.planning.quarantine import made_with
from tidemill.sources.files.fingerprint import check_part_unchanged
from tidemill.sources.files.read import read_part
from tidemill.storage.markers import (
    Marker,
    clear_attempts,
    commit_part,
    committed,
)
from tidemill.storage.part_writer import PartWriter
from tidemill.storage.run_address import Run

__all__ = ["ChunkResult", "run_chunk"]

log = engine_log(__name__)


class TileObserver(Protocol):
    """Is told which range of ids is calculated, by positions in the part, and of its progress."""

    def begin(self, first: int, last: int, predict: Callable[[], float]) -> None:
        """``predict`` gives the predicted seconds."""

    def progress(self) -> None:
        """May raise to stop the work."""

    def end(self) -> None: ...


@dataclass(slots=True)
class ChunkResult:
    """What one chunk did; small, because it passes through Prefect."""

    calculated: int = 0  # parts
    reused: int = 0  # parts that were already committed
    quarantined: int = 0  # ids
    rows: int = 0
    seconds: float = 0.0


def run_chunk(run: Run, parts: Sequence[int]) -> ChunkResult:
    """Calculate the parts of one chunk that have no commit marker yet.

    Raises
    ------
    LeaseLostError
        If the run no longer owns its sink.
    InputError, CalculationError
        If the data violate a policy; parts committed before are kept.
    """
    started = time.perf_counter()
    work = _Work(run, load_plan(run), run.lease_view().check)
    result = ChunkResult()
    done = committed(run.key, parts)
    with guarded():
        for index in parts:
            work.checkpoint()
            marker = done.get(index)
            result.reused += marker is not None
            if marker is None:
                try:
                    marker = work.commit(work.plan.parts[index])
                except OSError:
                    run.lease_view().check(now=True)  # another run may have deleted the files
                    raise
                result.calculated += 1
            result.quarantined += len(marker.quarantined)
            result.rows += marker.rows
    result.seconds = time.perf_counter() - started
    return result


def _calculator(plan: Plan) -> MatrixCalculator:
    return MatrixCalculator(plan.features, plan.policies.on_error)


@dataclass(slots=True)
class _Work:
    """What a chunk does for each of its parts."""

    run: Run
    plan: Plan
    checkpoint: Callable[[], None]
    _calculator: MatrixCalculator | None = None  # 0.1 s for 3,558 columns: once per chunk

    def commit(self, part: Part) -> Marker:
        """Calculate one part and commit it; in isolation if a series in it may kill or hang."""
        key = self.run.key
        earlier = suspects(self.run, part.index)
        with MarkedAttempt.of(self.run, part.index) as attempt:
            if earlier:
                log.warning(
                    "part %d: an earlier attempt died or hung; isolating it", part.index + 1
                )
                written = self._isolated(part, attempt)
            else:
                written = self._watched(part, attempt)
            with self._discarding(written["path"]):
                self.checkpoint()
                check_part_unchanged(self.plan.source, part)
            made = Marker.from_values(written)
            marker = commit_part(key, replace(made, made_with=made_with()) if made.poison else made)
        clear_attempts(key, earlier)
        log.info(
            "part %d of %d: %d rows in %.2f s",
            part.index + 1,
            len(self.plan.parts),
            marker.rows,
            marker.seconds,
        )
        return marker

    def _watched(self, part: Part, attempt: MarkedAttempt) -> dict[str, Any]:
        """Calculate a part, in isolation once a series in it hangs."""
        run, plan, name = self.run, self.plan, self.run.key.part(part.index)
        calculator = self._calculator = self._calculator or _calculator(plan)

        def look(tiles: TilesInWork) -> None:
            attempt.look(tiles)
            self.checkpoint()

        written = watched(
            lambda tiles: calculate_part(run, plan, part, name, calculator, tiles),
            name=f"part {part.index + 1}",
            seconds=run.series_seconds,
            storage_seconds=storage_limit(run.stall_seconds, part.bytes),
            discard=lambda: run.key.data.delete(name),
            look=look,
        )
        if not isinstance(written, Hang):
            return written
        self._calculator = None  # the hanging thread still has this one
        told = (
            f"part {part.index + 1}: one of {written.last - written.first} series made no progress "
            f"for {written.seconds:.0f} s; isolating it"
        )
        attempt.renew(hangs=True, note=told)
        log.warning("%s", told)
        return self._isolated(part, attempt, solo=(written.first, written.last))

    def _isolated(
        self, part: Part, attempt: MarkedAttempt, solo: tuple[int, int] | None = None
    ) -> dict[str, Any]:
        def look() -> None:
            attempt.live()
            self.checkpoint()

        name = self.run.key.part(part.index)
        request = {"run": asdict(self.run), "part": part.index, "name": name}
        with self._discarding(name):
            return calculate_isolated(request, self.run.series_seconds, look, solo)

    @contextmanager
    def _discarding(self, name: str) -> Iterator[None]:
        """Delete a part's file if it cannot be committed: the next run may be of another result."""
        try:
            yield
        except BaseException:
            with suppress(Exception):  # must not hide why
                self.run.key.data.delete(name)
            raise


def calculate_for_parent(request: dict[str, Any], observer: TileObserver) -> dict[str, Any]:
    """Calculate one part in an isolated child process; see :mod:`tidemill.execution.isolation`."""
    run = Run(**request["run"])
    plan = load_plan(run)
    raw = request["selection"]
    skip = {int(position): reason for position, reason in raw["skip"].items()}
    selection = Selection(skip, [(first, last) for first, last in raw["solo"]], raw.get("only"))
    part = plan.parts[request["part"]]
    load_kernels(run)
    return calculate_part(run, plan, part, request["name"], _calculator(plan), observer, selection)


def calculate_part(
    run: Run,
    plan: Plan,
    part: Part,
    name: str,
    calculator: MatrixCalculator,
    observer: TileObserver,
    selection: Selection | None = None,
) -> dict[str, Any]:
    """Write the rows of one part to ``name``; the JSON values of its commit marker."""
    started = time.perf_counter()
    quarantined: list[Quarantined] = []
    coverage = CoverageGatherer()
    position = input_rows = 0
    kept = KeptRows(run.layout.home, plan, part, calculator.columns) if plan.kept else None
    with (
        one_pool_thread(),
        run.key.data.open_output(name) as sink,
        PartWriter(sink, plan) as writer,
    ):
        for batch in read_part(plan, part, run.work_dir, needs_times=calculator.needs_times):
            quarantined += batch.quarantined
            input_rows += batch.input_rows
            for lengths in batch.lengths if plan.interval is not None else ():
                coverage.add(lengths.ids, lengths.by_kind)
            for first, last in _ranges(calculator, batch, selection, position, len(plan.columns)):
                observer.begin(
                    position + first,
                    position + last,
                    partial(calculator.predict, batch, first, last),
                )
                ids = batch.ids[first:last]
                tile = calculator.calculate(batch, first, last, observer.progress)
                observer.end()
                if kept is not None:
                    ids, tile, missing = kept.join(ids, tile)
                    quarantined += missing
                writer.write(ids, tile)
            if selection is not None:
                quarantined += selection.skipped(batch.ids, position)
            position += len(batch.ids)
    return {
        "index": part.index,
        "path": name,
        "rows": writer.rows,
        "input_rows": input_rows,
        "bytes": writer.file.size,
        "checksum": writer.file.checksum,
        "seconds": time.perf_counter() - started,
        "seconds_by_calculator": calculator.take_seconds(),
        "digest": writer.digest.text,
        "lower": writer.id_range[0],
        "upper": writer.id_range[1],
        "quarantined": [{**asdict(one), "id": str(one.id)} for one in quarantined],
        "errors": calculator.take_errors(),
        "run_id": run.run_id,
        "kept": kept.finish() if kept is not None else "",
        **(_written(run, part, coverage) if plan.interval is not None else {}),
    }


def _written(run: Run, part: Part, coverage: CoverageGatherer) -> dict[str, str]:
    """Write the values per id and kind of one part; path and checksum of the file."""
    path, data = run.key.coverage(part.index), coverage.coverage().to_bytes()
    run.key.state.write(path, data)
    return {"coverage": path, "coverage_checksum": hashlib.sha256(data).hexdigest()}


def _ranges(
    calculator: MatrixCalculator,
    batch: Batch,
    selection: Selection | None,
    position: int,
    n_columns: int,
) -> Iterator[tuple[int, int]]:
    """Ranges of the batch's ids, each calculated at once."""
    if selection is None:
        yield from calculator.tiles(batch, n_columns)
        return
    for first, last in selection.ranges(position, position + len(batch.ids)):
        yield first - position, last - position
