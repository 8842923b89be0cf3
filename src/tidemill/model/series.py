"""The ragged container that kernels see: one array of values plus offsets.

Kernels see neither pandas nor Arrow. A :class:`Batch` holds complete ids; a :class:`SeriesBlock`
holds the series of one kind, one per id of its batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["BLOCK_VALUES", "Batch", "Lengths", "Quarantined", "SeriesBlock", "kinds_present"]

#: Values per block, so that a block of float64 fits in a core's cache (512 KiB). Half as many take
#: 2 to 10 % longer for all calculators, 30 % for the cheapest ones at 1,000 values per series.
BLOCK_VALUES = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class SeriesBlock:
    """Series of one kind. Series ``i`` is ``values[starts[i]:stops[i]]``; slices may overlap."""

    kind: str
    values: npt.NDArray[np.float64]  # float64[n]
    starts: npt.NDArray[np.int64]  # int64[k], first value of each series
    stops: npt.NDArray[np.int64]  # int64[k], one past the last value
    times: npt.NDArray[np.int64] | None = None  # int64[n], nanoseconds since the epoch

    @property
    def n_series(self) -> int:
        """Number of series k."""
        return len(self.starts)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Lengths of the series, int64[k]."""
        return self.stops - self.starts

    def cut(self, first: int, last: int) -> SeriesBlock:
        """The series ``first`` to ``last`` (exclusive) as a block of views."""
        return SeriesBlock(
            self.kind, self.values, self.starts[first:last], self.stops[first:last], self.times
        )

    def take(self, rows: npt.NDArray[np.int64]) -> SeriesBlock:
        """The series at these positions, in this order, as a block of views."""
        return SeriesBlock(self.kind, self.values, self.starts[rows], self.stops[rows], self.times)

    def split(self, n_values: int = BLOCK_VALUES) -> Iterator[tuple[int, int]]:
        """Ranges ``(first, last)`` of series that hold about ``n_values`` values each.

        Examples
        --------
        >>> stops = np.array([3, 6, 9])
        >>> block = SeriesBlock("x", np.zeros(9), stops - 3, stops)
        >>> list(block.split(6))
        [(0, 2), (2, 3)]
        """
        ends = np.cumsum(self.lengths)
        first = 0
        while first < self.n_series:
            taken = ends[first - 1] if first else 0
            last = max(int(np.searchsorted(ends, taken + n_values, side="right")), first + 1)
            yield first, last
            first = last


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An id without a row, and the reason."""

    id: object
    kind: str | None
    reason: str
    is_poison: bool = False  # its process died or hung; not: its values are unclean
    since: str = ""  # when it was first quarantined, ISO 8601, UTC; "" before that is looked up

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The entry of a marker or record; those of version 0.1.0 tell poison by the reason.

        Examples
        --------
        >>> old = {"id": "7", "kind": None, "reason": "its process died of signal 11"}
        >>> Quarantined.from_json(old).is_poison
        True
        """
        is_poison = values["kind"] is None and str(values["reason"]).startswith("its process ")
        return cls(**{"is_poison": is_poison, **values})


@dataclass(frozen=True, slots=True, eq=False)
class Lengths:
    """How many values ids have, those that are quarantined included."""

    ids: pa.Array  # [k]; composite ids are structs
    by_kind: Mapping[str, npt.NDArray[np.int64]]  # kind -> int64[k]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Complete ids, ascending and unique, and one block per kind with one series per id."""

    ids: pa.Array  # [k]; composite ids are structs
    blocks: Mapping[str, SeriesBlock]  # kind -> k series
    present: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)
    # kind -> bool[k]: False where the id lacks the kind, or on_nan="omit" left no value of it: all
    # its features are NaN. Kinds not listed are present everywhere.
    quarantined: tuple[Quarantined, ...] = ()  # ids left out of ``ids``
    input_rows: int = 0  # it was made from, before any policy dropped some
    keys: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    # kind -> int64[n] or float64[n], sort keys of the block's values, if it is cut into windows
    lengths: tuple[Lengths, ...] = ()  # of rows that were read from files; each of other kinds

    @property
    def n_rows(self) -> int:
        """Values over all kinds."""
        return int(sum(block.lengths.sum() for block in self.blocks.values()))


def kinds_present(blocks: Mapping[str, SeriesBlock]) -> dict[str, npt.NDArray[np.bool_]]:
    """Which ids have values of each kind, for kinds that some id lacks.

    Examples
    --------
    >>> one = SeriesBlock("x", np.ones(2), np.array([0, 2]), np.array([2, 2]))
    >>> kinds_present({"x": one})["x"].tolist()
    [True, False]
    """
    filled = {kind: block.lengths > 0 for kind, block in blocks.items()}
    return {kind: has for kind, has in filled.items() if not has.all()}
