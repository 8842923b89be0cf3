"""From a batch of series to rows of the feature matrix, tile by tile.

A tile is a range of ids whose rows fit in :data:`TILE_BYTES`, so that memory does not depend on
how many short series a batch holds. Values of a row do not depend on the tile it is in.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tidemill.calculators.costs import predict
from tidemill.calculators.program import Checkpoint, Program
from tidemill.calculators.recipe import Recipe
from tidemill.errors import CalculationError
from tidemill.model.aliases import Features, Floats, Index
from tidemill.model.feature_names import check_kinds
from tidemill.model.ids import id_name
from tidemill.model.policies import OnError
from tidemill.model.series import Batch, SeriesBlock

__all__ = ["CASES_KEPT", "ErrorTable", "MatrixCalculator"]

#: Bytes of one tile of the matrix.
TILE_BYTES = 32 * 2**20
#: Failures kept one by one; beyond that they are only counted.
CASES_KEPT = 1_000


@dataclass(slots=True)
class ErrorTable:
    """Failures of calculators: counts of all, and the ids of the first cases."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    # (kind, calculator, message) -> series on which the calculator failed
    ids: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    kept: int = 0  # ids kept, at most CASES_KEPT

    def add(self, series_id: object, kind: str, calculator: str, message: str) -> None:
        """Count one failure and keep its id while there is room."""
        key = (kind, calculator, message)
        if key not in self.counts and len(self.counts) >= CASES_KEPT:
            key = (kind, calculator, "other messages")
        self.counts[key] += 1
        if self.kept < CASES_KEPT:
            self.ids.setdefault(key, []).append(str(series_id))
            self.kept += 1

    def to_json(self) -> list[dict[str, Any]]:
        """One entry ``{kind, calculator, message, count, ids}`` for each kind of failure."""
        names = ("kind", "calculator", "message")
        return [
            {**dict(zip(names, key, strict=True)), "count": n, "ids": self.ids.get(key, [])}
            for key, n in self.counts.items()
        ]


class MatrixCalculator:
    """Calculates the columns of all kinds. Threads may share one if each gives its own ``out``.

    Parameters
    ----------
    features : mapping of kind to its (calculator, parameters), kinds in the matrix's order
    on_error : "raise" or "nan"
    """

    def __init__(self, features: Mapping[str, Features], on_error: OnError = "raise") -> None:
        check_kinds(features)
        self.programs = _make_programs(features, on_error)
        self.columns: tuple[str, ...] = tuple(
            f"{kind}__{column}"
            for kind, program in self.programs.items()
            for column in program.columns
        )
        self.errors = ErrorTable()
        self._cells = np.empty(0)
        self._lock = threading.Lock()

    @property
    def needs_times(self) -> bool:
        """Whether any calculator reads the series' times."""
        return any(program.needs_times for program in self.programs.values())

    def take_seconds(self) -> dict[str, float]:
        """Seconds per calculator and shared intermediate since the last call."""
        total: Counter[str] = Counter()
        for program in set(self.programs.values()):
            total.update(program.take_seconds())
        return dict(total)

    def take_errors(self) -> list[dict[str, Any]]:
        """The failures since the last call, as JSON values."""
        taken, self.errors = self.errors, ErrorTable()
        return taken.to_json()

    def predict(self, batch: Batch, first: int, last: int) -> float:
        """Predicted seconds of one thread for the rows ``first`` to ``last`` (exclusive)."""
        ones = np.ones(last - first)
        lengths = {kind: block.lengths[first:last] for kind, block in batch.blocks.items()}
        return sum(
            predict(program.features, lengths[kind], ones)
            for kind, program in self.programs.items()
            if kind in lengths
        )

    def tiles(self, batch: Batch, n_columns: int | None = None) -> Iterator[tuple[int, int]]:
        """Ranges ``(first, last)`` of ids, each with rows of at most :data:`TILE_BYTES`.

        ``n_columns`` is the width of a row if it has more columns than are calculated.
        """
        n_ids = len(batch.ids)
        step = max(TILE_BYTES // (8 * max(n_columns or len(self.columns), 1)), 1)
        for first in range(0, n_ids, step):
            yield first, min(first + step, n_ids)

    def calculate(
        self,
        batch: Batch,
        first: int,
        last: int,
        checkpoint: Checkpoint | None = None,
        out: Floats | None = None,
    ) -> Floats:
        """Rows ``first`` to ``last`` (exclusive) of the batch's matrix, float64[last - first, m].

        ``checkpoint`` is called between blocks, and between series that a custom calculator
        sees; it may raise to stop the work. Without ``out``,
        of the shape of what is returned, the array is a view that the next call overwrites.
        """
        tile = self._tile(last - first) if out is None else out
        column = 0
        for kind, program in self.programs.items():
            part = tile[:, column : column + len(program.columns)]
            column += len(program.columns)
            self._fill(part, batch, kind, first, last, checkpoint)
        return tile

    def _tile(self, rows: int) -> Floats:
        """Memory for a tile, used again: new pages cost as much as the cheapest calculators."""
        cells = rows * len(self.columns)
        if len(self._cells) < cells:
            self._cells = np.empty(cells)
        return self._cells[:cells].reshape(rows, len(self.columns))

    def _fill(
        self,
        out: Floats,
        batch: Batch,
        kind: str,
        first: int,
        last: int,
        checkpoint: Checkpoint | None,
    ) -> None:
        if kind not in batch.blocks:
            out[:] = np.nan
            return
        block = batch.blocks[kind].cut(first, last)
        present = batch.present.get(kind)
        if present is None or present[first:last].all():
            self._run(block, out, batch, np.arange(first, last), checkpoint)
            return
        rows = np.flatnonzero(present[first:last])
        chosen = SeriesBlock(kind, block.values, block.starts[rows], block.stops[rows], block.times)
        filled = np.empty((len(rows), out.shape[1]))
        self._run(chosen, filled, batch, rows + first, checkpoint)
        out[:] = np.nan
        out[rows] = filled

    def _run(
        self,
        block: SeriesBlock,
        out: Floats,
        batch: Batch,
        rows: Index,
        checkpoint: Checkpoint | None,
    ) -> None:
        program = self.programs[block.kind]
        try:
            failures = program.calculate(block, out, checkpoint)
        except CalculationError as error:
            if error.series is None:
                raise
            series_id = id_name(batch.ids[int(rows[error.series])])
            raise CalculationError(f"id={series_id}: {error.args[0]}") from error.__cause__
        with self._lock:
            for failure in failures:
                series_id = id_name(batch.ids[int(rows[failure.series])])
                self.errors.add(series_id, block.kind, failure.calculator, failure.message)


def _make_programs(features: Mapping[str, Features], on_error: OnError) -> dict[str, Program]:
    """A program per kind; kinds with the same features share one."""
    shared: dict[Recipe, Program] = {}
    made = {kind: Program(chosen, on_error) for kind, chosen in features.items()}
    return {kind: shared.setdefault(one.recipe, one) for kind, one in made.items()}
