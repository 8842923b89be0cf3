"""From windows to rows of the feature matrix, one tile of windows at a time.

Windows are slices of the series, which overlap without copies. The matrix is collected in memory,
or written to files tile by tile.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.calculators.batches import MatrixCalculator
from tidemill.calculators.costs import LONG_SERIES, quadratic_warning
from tidemill.errors import QuadraticWarning
from tidemill.frames.calculate import Fill, filling
from tidemill.frames.windows import Cutoffs, Track, WindowSpan, longest_windows, slices, tracks_of
from tidemill.model.aliases import Features, Index
from tidemill.model.policies import OnError
from tidemill.model.series import Batch
from tidemill.storage.part_writer import by_column
from tidemill.storage.streamed_tables import table_output

if TYPE_CHECKING:
    import pandas as pd

    from tidemill.sources.frames.clocks import Clock

__all__ = ["WindowJob", "WindowedSeries", "deliver"]

#: Bytes of the matrix that are calculated, and written to a sink, at once.
TILE_BYTES = 8 * 2**20
#: Windows whose lengths represent those of all, in the warning about long series.
SAMPLED = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class WindowedSeries:
    """Series and their sort keys, as read from a frame, and the features to calculate."""

    batch: Batch
    tracks: Mapping[str, Track]  # kind -> sort keys of its series
    faults: Mapping[str, Index]
    # kind -> int64[n + 1], number of non-finite values before each position; only kinds with any
    clock: Clock
    ids: pd.Index[Any]  # of the batch, with the frame's dtype
    features: Mapping[str, Features]
    on_error: OnError

    @classmethod
    def of(
        cls,
        batch: Batch,
        clock: Clock,
        ids: pd.Index[Any],
        features: Mapping[str, Features],
        on_error: OnError,
    ) -> Self:
        """Find the tracks and the faults of a batch that was read with its sort keys."""
        faults = {
            kind: np.append(0, np.cumsum(~np.isfinite(block.values)))
            for kind, block in batch.blocks.items()
            if not np.isfinite(block.values).all()
        }
        return cls(batch, tracks_of(batch), faults, clock, ids, features, on_error)


@dataclass(frozen=True, slots=True, eq=False)
class WindowJob:
    """The windows to calculate, and how to label their rows."""

    series: WindowedSeries
    cutoffs: Cutoffs
    window: WindowSpan | None  # None: all rows before the cutoff
    least: int  # rows that a kind must have in a window
    include_cutoff: bool
    names: tuple[Hashable, ...]  # of the index's levels: those of the id, and the cutoff
    label: Callable[[Index, Index, Any], Sequence[Any]]
    # (windows, positions of their ids, their cutoffs) -> the values of each level of the index
    keeps_empty: bool = False  # whether a window without data gets a row of NaN

    def tiles(self, n_columns: int) -> Iterator[_Tile]:
        """All windows, in tiles of :data:`TILE_BYTES` of features."""
        step = max(TILE_BYTES // (8 * max(n_columns, 1)), 1)
        for first in range(0, self.cutoffs.n_windows, step):
            yield self._tile(np.arange(first, min(first + step, self.cutoffs.n_windows)))

    def lengths(self, windows: Index) -> dict[str, Index]:
        """Rows of each kind in these windows."""
        edges = self._edges(*self.cutoffs.take(windows))
        return {kind: stops - starts for kind, (starts, stops) in edges.items()}

    def index(self, windows: Index, ids: Index, cutoffs: Any) -> pd.MultiIndex:
        """The index of these windows' rows."""
        import pandas as pd

        return pd.MultiIndex.from_arrays(self.label(windows, ids, cutoffs), names=self.names)

    def _tile(self, windows: Index) -> _Tile:
        """These windows, except those that get no row."""
        ids, cutoffs = self.cutoffs.take(windows)
        edges = self._edges(ids, cutoffs)
        present = {kind: stops - starts >= self.least for kind, (starts, stops) in edges.items()}
        kept = np.full(len(windows), self.keeps_empty)
        for has in present.values():
            kept |= has
        for kind, faults in self.series.faults.items():
            starts, stops = edges[kind]
            kept &= faults[starts] == faults[stops]
        rows = np.flatnonzero(kept)
        batch = self._batch(ids[rows], {k: (a[rows], b[rows]) for k, (a, b) in edges.items()})
        batch = replace(batch, present={kind: has[rows] for kind, has in present.items()})
        return _Tile(batch, windows[rows], ids[rows], cutoffs[rows])

    def _edges(self, ids: Index, cutoffs: Any) -> dict[str, tuple[Index, Index]]:
        """Starts and stops of the windows by kind; kinds that share rows are searched once."""
        found: dict[int, tuple[Index, Index]] = {}
        for track in self.series.tracks.values():
            if id(track) not in found:
                found[id(track)] = slices(
                    track, ids, cutoffs, self.window, include_cutoff=self.include_cutoff
                )
        return {kind: found[id(track)] for kind, track in self.series.tracks.items()}

    def _batch(self, ids: Index, edges: Mapping[str, tuple[Index, Index]]) -> Batch:
        blocks = {
            kind: replace(block, starts=edges[kind][0], stops=edges[kind][1])
            for kind, block in self.series.batch.blocks.items()
        }
        return Batch(self.series.batch.ids.take(pa.array(ids, mask=ids < 0)), blocks)


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    """Windows that are calculated together."""

    batch: Batch
    windows: Index  # their numbers
    ids: Index  # positions of their ids in the batch
    cutoffs: npt.NDArray[Any]


def deliver(
    job: WindowJob, sink: Path | None, threads: int, *, show_progress: bool
) -> pd.DataFrame | None:
    """Calculate all windows: a frame, or None if written to ``sink``.

    Raises
    ------
    CalculationError
        If a calculator raises and ``on_error="raise"``.
    """
    _warn_of_long_windows(job)
    calculator = MatrixCalculator(job.series.features, job.series.on_error)
    n_windows = job.cutoffs.n_windows
    with filling(calculator, threads, n_windows, show_progress=show_progress) as fill:
        if sink is None:
            return _collected(job, calculator.columns, fill)
        _write(job, calculator.columns, fill, sink)
    return None


def _warn_of_long_windows(job: WindowJob) -> None:
    """Warn, before they run, that calculators of quadratic time got long windows."""
    n_windows = job.cutoffs.n_windows
    if longest_windows(job.series.tracks.values(), job.window) <= LONG_SERIES or not n_windows:
        return
    some = np.unique(np.linspace(0, n_windows - 1, SAMPLED).astype(np.int64))
    weights = np.full(len(some), n_windows / len(some))
    if text := quadratic_warning(job.series.features, job.lengths(some), weights):
        warnings.warn(text, QuadraticWarning, stacklevel=4)


def _collected(job: WindowJob, columns: Sequence[str], fill: Fill) -> pd.DataFrame:
    import pandas as pd

    matrix = np.empty((job.cutoffs.n_windows, len(columns)))
    rows = 0
    labels: list[list[npt.NDArray[Any]]] = [[], [], []]
    for tile in job.tiles(len(columns)):
        fill(tile.batch, matrix[rows : rows + len(tile.windows)])
        rows += len(tile.windows)
        for found, own in zip(labels, (tile.windows, tile.ids, tile.cutoffs), strict=True):
            found.append(own)
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64), job.cutoffs.take(np.arange(0))[1])
    index = job.index(
        *(np.concatenate([empty, *own]) for empty, own in zip(none, labels, strict=True))
    )
    return pd.DataFrame(matrix[:rows], index, list(columns), copy=False)


def _write(job: WindowJob, columns: Sequence[str], fill: Fill, sink: Path) -> None:
    schema = _schema(job, columns)
    # As in parts: dictionaries do not compress features, statistics only bloat the footer.
    how: dict[str, Any] = {
        "use_dictionary": False,
        "write_statistics": schema.names[-len(job.names) :],
    }
    with table_output(sink, schema, **how) as write:
        for tile in job.tiles(len(columns)):
            if len(tile.windows):
                write(_table(job, tile, schema, fill))


def _table(job: WindowJob, tile: _Tile, schema: pa.Schema, fill: Fill) -> pa.Table:
    """The rows of a tile; its matrix is freed before they are written."""
    n_levels = len(job.names)
    matrix = np.empty((len(tile.windows), len(schema) - n_levels))
    fill(tile.batch, matrix)
    labels = job.label(tile.windows, tile.ids, tile.cutoffs)
    levels = [
        pa.array(own, type_, from_pandas=True)
        for own, type_ in zip(labels, schema.types[-n_levels:], strict=True)
    ]
    return pa.Table.from_arrays([*map(pa.array, by_column(matrix)), *levels], schema=schema)


def _schema(job: WindowJob, columns: Sequence[str]) -> pa.Schema:
    """Columns and index, as pandas reads them back."""
    import pandas as pd

    cutoff = job.cutoffs.take(np.zeros(0, np.int64))[1]
    first = np.zeros(1, np.int64)
    index = job.index(first, first, np.zeros(1, cutoff.dtype))
    row = pd.DataFrame(np.zeros((1, len(columns))), index, list(columns))
    return pa.Table.from_pandas(row).schema
