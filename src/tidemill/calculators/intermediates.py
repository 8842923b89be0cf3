"""What several calculators need, computed once per block: ragged arrays (values, starts, stops).

Transforms and sorts go to numpy in batches of series of one length, which gives the same bits as
row by row at a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from tidemill.blocks import SeriesBlock
from tidemill.calculators.kernels import load_kernel
from tidemill.calculators.needs import INTERMEDIATES
from tidemill.calculators.spec import Intermediate

__all__ = ["Ragged", "Workspace"]

Index = npt.NDArray[np.int64]
#: Values, and where each series starts and stops in them.
Ragged = tuple[npt.NDArray[Any], Index, Index]


def transform(block: SeriesBlock) -> Ragged:
    """The spectrum of every series: complex128, n // 2 + 1 values each."""
    return _batched(block, block.lengths // 2 + 1, np.complex128, np.fft.rfft)


def sort(block: SeriesBlock) -> Ragged:
    """The sorted values of every series."""
    return _batched(block, block.lengths, np.float64, np.sort)


def _batched(
    block: SeriesBlock,
    widths: Index,
    dtype: type[np.generic],
    function: Callable[[npt.NDArray[np.float64]], npt.NDArray[Any]],
) -> Ragged:
    stops = np.cumsum(widths)
    starts = stops - widths
    out = np.empty(int(stops[-1]) if len(stops) else 0, dtype=dtype)
    for length, rows in _groups(block.lengths):
        results = function(_rectangle(block, rows, length))
        if len(rows) == len(starts):
            return results.reshape(-1), starts, stops
        for row, result in zip(rows, results, strict=True):
            out[starts[row] : stops[row]] = result
    return out, starts, stops


def _groups(lengths: Index) -> Iterator[tuple[int, Index]]:
    """Series by length; empty ones are left out."""
    if len(lengths) and lengths[0] > 0 and (lengths == lengths[0]).all():
        yield int(lengths[0]), np.arange(len(lengths))
        return
    order = np.argsort(lengths, kind="stable")
    unique, first = np.unique(lengths[order], return_index=True)
    for length, rows in zip(unique, np.split(order, first[1:]), strict=True):
        if length > 0:
            yield int(length), rows


def _rectangle(block: SeriesBlock, rows: Index, length: int) -> npt.NDArray[np.float64]:
    """The series ``rows``, all of one length, as float64[len(rows), length]."""
    first = block.starts[rows[0]]
    if np.array_equal(block.starts[rows], first + length * np.arange(len(rows))):
        return block.values[first : first + length * len(rows)].reshape(len(rows), length)
    gathered: npt.NDArray[np.float64] = block.values[
        block.starts[rows][:, None] + np.arange(length)
    ]
    return gathered


class Workspace:
    """The intermediates of one block, each made when first asked for."""

    def __init__(self, block: SeriesBlock, planned: frozenset[str], lags: int) -> None:
        self.block = block
        self.lengths = np.ascontiguousarray(block.lengths)
        self._planned = planned  # names of all intermediates that will be asked for
        self._lags = lags  # autocovariance reaches up to this lag
        starts = np.ascontiguousarray(block.starts, dtype=np.int64)
        stops = np.ascontiguousarray(block.stops, dtype=np.int64)
        self._made: dict[str, Ragged] = {
            "values": (np.ascontiguousarray(block.values), starts, stops)
        }
        row = np.arange(len(starts), dtype=np.int64)
        self._made["length"] = (self.lengths.astype(np.float64), row, row + 1)
        if block.times is not None:
            self._made["times"] = (np.ascontiguousarray(block.times), starts, stops)

    def has(self, name: str) -> bool:
        """Whether the intermediate has been made."""
        return name in self._made

    def get(self, name: str) -> Ragged:
        """The intermediate of that name; its own needs must have been made."""
        return self._made[name]

    def make(self, name: str) -> None:
        """Make the intermediate of that name."""
        row = INTERMEDIATES[name]
        if row.batch:
            module, _, function = row.batch.partition(":")
            maker = getattr(import_module(f"tidemill.calculators.{module}"), function)
            self._made[name] = maker(self.block)
        else:
            self._made[name] = self._by_kernel(row)

    def _by_kernel(self, row: Intermediate) -> Ragged:
        path, needs = choose(row, self._planned)
        width = row.width or self._width_of_lags()
        out = np.empty((len(self.lengths), width))
        self.run(path, needs, (), (), 1, out, 0, width)
        starts = np.arange(len(out), dtype=np.int64) * width
        return out.reshape(-1), starts, starts + width

    def _width_of_lags(self) -> int:
        longest = int(self.lengths.max()) if len(self.lengths) else 0
        return max(1, min(self._lags + 1, longest))

    def pick(self, name: str, element: int, minimum: int) -> npt.NDArray[np.float64]:
        """One element of a kernel's intermediate, float64[k]; NaN for shorter series."""
        values = self._made[name][0].reshape(len(self.lengths), -1)[:, element]
        return np.where(self.lengths < minimum, np.nan, values)

    def run(
        self,
        path: str,
        needs: tuple[str, ...],
        dtypes: tuple[str, ...],
        params: tuple[npt.NDArray[Any], ...],
        minimum: int,
        out: npt.NDArray[np.float64],
        first: int,
        last: int,
    ) -> None:
        """Run a kernel over the series of the block into the columns first to last of out."""
        loop = load_kernel(path).loop(input_dtypes(needs), dtypes)
        arrays = [array for need in needs for array in self._made[need]]
        loop(self.lengths, minimum, *arrays, params, out, first, last)


def choose(row: Intermediate, planned: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """The kernel that makes the intermediate, and what that kernel needs."""
    other, path = row.shortcut
    return (path, (other,)) if other in planned else (row.kernel, row.needs)


def input_dtypes(needs: tuple[str, ...]) -> tuple[str, ...]:
    """The element types of inputs."""
    return tuple(INTERMEDIATES[n].dtype if n in INTERMEDIATES else "float64" for n in needs)
