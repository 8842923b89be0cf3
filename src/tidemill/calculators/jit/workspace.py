"""What several calculators need, computed once per block: ragged arrays (values, starts, stops).

Transforms and sorts go to numpy in batches of series of one length, which gives the same bits as
row by row at a tenth of the time. Lengths that few series have are not worth a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from tidemill.calculators.jit.kernel import load_kernel
from tidemill.calculators.table.needs import INTERMEDIATES
from tidemill.calculators.table.spec import Intermediate, load
from tidemill.model.aliases import Floats, Index
from tidemill.model.series import SeriesBlock

__all__ = ["Ragged", "Workspace"]

_SORTED = 300  # values; shorter series are sorted for their median

#: Unless all lengths are equal, fewer or longer series than these are not gathered to a batch:
#: that costs 5 ns a value, a single transform 4 us.
_FEW, _LONG = 8, 500
#: The largest by the smallest length of series that are padded to one.
_ALIKE = 1.125

#: Values, and where each series starts and stops in them.
Ragged = tuple[npt.NDArray[Any], Index, Index]


def transform(block: SeriesBlock) -> Ragged:
    """The spectrum of every series: complex128, n // 2 + 1 values each."""
    widths = block.lengths // 2 + 1
    return _batched(block, widths, np.complex128, np.fft.rfft, _transform_into)


def _transform_into(x: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
    np.fft.rfft(x, out=out)


def sort(block: SeriesBlock) -> Ragged:
    """The sorted values of every series; -0.0 is 0.0 there."""
    lengths = block.lengths
    starts, pieces, offset = np.zeros(len(lengths), dtype=np.int64), [np.empty(0)], 0
    for rows in _alike(lengths, np.argsort(lengths, kind="stable")):
        x = _padded(block, rows)
        x.sort(axis=1)
        left = (x.shape[1] - lengths[rows]) // 2
        starts[rows] = offset + np.arange(len(rows)) * x.shape[1] + left
        pieces.append(x.reshape(-1))
        offset += x.size
    values = pieces[-1] if len(pieces) <= 2 else np.concatenate(pieces)
    return values, starts, starts + lengths


def middle(block: SeriesBlock) -> Ragged:
    """The median of every series; NaN of an empty one.

    numpy's partition is vectorised: 1.4 us for 1,000 values, where a compiled select takes 4.5.
    """
    lengths = block.lengths
    starts = np.arange(block.n_series, dtype=np.int64)
    out = np.full(block.n_series, np.nan)
    order = np.argsort(lengths, kind="stable")
    for odd in (False, True):  # apart, so that padding leaves the middle in the middle
        for rows in _alike(lengths, order[lengths[order] % 2 == odd]):
            out[rows] = _medians(_padded(block, rows))
    return out, starts, starts + 1


def _medians(x: Floats) -> Floats:
    """The medians of rows; changes their order."""
    half = x.shape[1] // 2
    if x.shape[1] < _SORTED:  # a whole sort is faster than a partition of few values
        x.sort(axis=1)
    else:
        x.partition(half, axis=1)
    high: Floats = x[:, half]
    if x.shape[1] % 2:
        return high  # half of twice the largest double would be infinite
    low: Floats = (x[:, :half].max(axis=1) + high) / 2
    return low


def _alike(lengths: Index, order: Index) -> Iterator[Index]:
    """Series in the order of their lengths, by lengths of which the largest is little larger."""
    ascending = lengths[order]
    first = int(np.searchsorted(ascending, 1))  # empty ones are left out
    while first < len(order):
        last = int(np.searchsorted(ascending, ascending[first] * _ALIKE, side="right"))
        yield order[first:last]
        first = last


def _padded(block: SeriesBlock, rows: Index) -> Floats:
    """Series of about one length as the rows of a new array, in the middle of infinities."""
    lengths, starts, stops = block.lengths[rows], block.starts[rows], block.stops[rows]
    out = np.empty((len(rows), int(lengths.max())))
    values = np.ascontiguousarray(block.values)
    loop = _loop("numerics.padding:padded", ("values",), ())
    loop(lengths, 0, values, starts, stops, (), out, 0, out.shape[1])
    return out


def argsort(block: SeriesBlock) -> Ragged:
    """The places of every series' values in ascending order."""
    return _batched(block, block.lengths, np.int64, np.argsort)


def _batched(
    block: SeriesBlock,
    widths: Index,
    dtype: type[np.generic],
    function: Callable[[Floats], npt.NDArray[Any]],
    into: Callable[[npt.NDArray[Any], npt.NDArray[Any]], None] | None = None,
) -> Ragged:
    """A function of rows of equal length for all series; ``into`` is the same for one row."""
    stops = np.cumsum(widths)
    starts = stops - widths
    out = np.empty(int(stops[-1]) if len(stops) else 0, dtype=dtype)
    for length, rows in _groups(block.lengths):
        if into and len(rows) < len(starts) and (len(rows) < _FEW or length > _LONG):
            for row in rows.tolist():
                x = block.values[block.starts[row] : block.stops[row]]
                into(x, out[starts[row] : stops[row]])
            continue
        results = function(_rectangle(block, rows, length))
        if len(rows) == len(starts):
            return results.reshape(-1), starts, stops
        out[starts[rows][:, None] + np.arange(results.shape[1])] = results
    return out, starts, stops


def _groups(lengths: Index) -> Iterator[tuple[int, Index]]:
    """Series by length; empty ones are left out."""
    if len(lengths) == 0:
        return
    if lengths[0] > 0 and (lengths == lengths[0]).all():
        yield int(lengths[0]), np.arange(len(lengths))
        return
    order = np.argsort(lengths, kind="stable")
    unique, first = np.unique(lengths[order], return_index=True)
    for length, rows in zip(unique, np.split(order, first[1:]), strict=True):
        if length > 0:
            yield int(length), rows


def _rectangle(block: SeriesBlock, rows: Index, length: int) -> Floats:
    """The series ``rows``, all of one length, as float64[len(rows), length]."""
    starts, values = block.starts[rows], block.values
    steps = starts[1:] - starts[:-1]
    if (steps == steps[:1]).all():
        # Series that follow each other, and rolling windows. A copy makes the minimal settings
        # take 4.7 instead of 3.3 us for a window of 1,000 values.
        width = values.strides[0]
        strides = (width * int(steps[0]) if len(steps) else 0, width)
        return as_strided(values[starts[0] :], (len(rows), length), strides, writeable=False)
    gathered: Floats = values[starts[:, None] + np.arange(length)]
    return gathered


class Workspace:
    """The intermediates of one block, each made when first asked for."""

    def __init__(self, block: SeriesBlock, planned: frozenset[str], lags: int) -> None:
        self.block = block
        self.lengths = np.ascontiguousarray(block.lengths)
        self._shortest = int(self.lengths.min()) if len(self.lengths) else 0
        self._planned = planned  # names of all intermediates that will be asked for
        self._lags = lags  # autocovariance reaches up to this lag
        starts = np.ascontiguousarray(block.starts, dtype=np.int64)
        stops = np.ascontiguousarray(block.stops, dtype=np.int64)
        self._made: dict[str, Ragged] = {
            "values": (np.ascontiguousarray(block.values), starts, stops)
        }
        self._rows = np.arange(len(starts) + 1, dtype=np.int64)
        self._made["length"] = (self.lengths.astype(np.float64), self._rows[:-1], self._rows[1:])
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
        if row.batch and row.shortcut[0] not in self._planned:
            with np.errstate(all="ignore"):  # huge values may overflow, as in kernels
                self._made[name] = load(row.batch)(self.block)
        else:
            self._made[name] = self._by_kernel(row)

    def _by_kernel(self, row: Intermediate) -> Ragged:
        path, needs = choose(row, self._planned)
        width = row.width or self._width_of_lags()
        out = np.empty((len(self.lengths), width))
        self.run(path, needs, (), (), 1, out, 0, width)
        edges = self._rows * width
        return out.reshape(-1), edges[:-1], edges[1:]

    def _width_of_lags(self) -> int:
        longest = int(self.lengths.max()) if len(self.lengths) else 0
        return max(1, min(self._lags + 1, longest))

    def pick(self, name: str, triples: Iterable[tuple[int, int, int]], out: Floats) -> None:
        """Elements of an intermediate of equal widths into columns; NaN for shorter series.

        ``triples`` are (element, column, minimum length). Column by column: 0.7 us each for 32
        series, where one assignment by index arrays takes 9.
        """
        made = self._made[name][0].reshape(len(self.lengths), -1)
        for element, column, minimum in triples:
            out[:, column] = made[:, element]
            if minimum > self._shortest:
                out[self.lengths < minimum, column] = np.nan

    def run(
        self,
        path: str,
        needs: tuple[str, ...],
        dtypes: tuple[str, ...],
        params: tuple[npt.NDArray[Any], ...],
        minimum: int,
        out: Floats,
        first: int,
        last: int,
    ) -> None:
        """Run a kernel over the series of the block into the columns first to last of out."""
        arrays = [array for need in needs for array in self._made[need]]
        _loop(path, needs, dtypes)(self.lengths, minimum, *arrays, params, out, first, last)


@cache
def _loop(path: str, needs: tuple[str, ...], dtypes: tuple[str, ...]) -> Callable[..., None]:
    """A kernel's loop. Looking for it anew takes as long as some kernels do for a block."""
    return load_kernel(path).loop(input_dtypes(needs), dtypes)


def choose(row: Intermediate, planned: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """The kernel that makes the intermediate, and what that kernel needs."""
    other, path = row.shortcut
    return (path, (other,)) if other in planned else (row.kernel, row.needs)


def input_dtypes(needs: tuple[str, ...]) -> tuple[str, ...]:
    """The element types of inputs."""
    return tuple(INTERMEDIATES[n].dtype if n in INTERMEDIATES else "float64" for n in needs)
