"""Permutations that bring rows into order: by series, then by sort key.

A *segment* is the slice of rows that one series takes. Segments tile the rows; their
numbers ascend with the id, then with the kind's place among the kinds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from scipy import sparse

from tidemill.errors import DataError, shorten
from tidemill.sources.values import ordinals

__all__ = [
    "Layout",
    "boundaries",
    "compose",
    "counting_order",
    "dense_codes",
    "group",
    "order_within",
    "ranges",
]

Ints: TypeAlias = npt.NDArray[np.integer[Any]]

#: Codes this far apart beyond the number of rows still go through a table of all codes.
SPARE_CODES = 65_536
#: Rows that are sorted by key at once: they stay in a core's cache.
SORTED_ROWS = 131_072


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where each segment lies after the rows were taken in ``order``."""

    order: Ints | None  # [n], the row to take at each place; None: rows stay where they are
    starts: npt.NDArray[np.int64]  # [s]
    stops: npt.NDArray[np.int64]  # [s]; equal to the start where a segment has no row


def counting_order(codes: Ints, n_codes: int) -> tuple[Ints, Ints]:
    """Find the stable order of the rows by code, and the offsets of the codes in it.

    SciPy's transposition of a sparse matrix is a counting sort in C. At 1e6 to 3e6 rows it
    takes 3 to 14 ns a row; NumPy's 16-bit radix passes take 8 to 40, a sort of packed
    (code, row) integers 9 to 13 with AVX-512 and several times that without.

    Examples
    --------
    >>> counting_order(np.array([2, 0, 2]), 3)
    (array([1, 0, 2], dtype=int32), array([0, 1, 1, 3], dtype=int32))
    """
    index = np.int32 if max(len(codes), n_codes) < 2**31 else np.int64
    ones = np.ones(len(codes), np.int8)
    pointers = np.arange(len(codes) + 1, dtype=index)
    parts: Any = (ones, codes.astype(index), pointers)
    rows = sparse.csr_array(parts, shape=(len(codes), n_codes))
    by_code = rows.tocsc()
    return by_code.indices, by_code.indptr


def dense_codes(array: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Rank the values densely; give the unique values, ascending, too.

    Examples
    --------
    >>> codes, unique = dense_codes(pa.array(["b", "a", "b"]))
    >>> codes.tolist(), unique.to_pylist()
    ([1, 0, 1], ['a', 'b'])
    """
    if pt.is_dictionary(array.type):
        return _dictionary_codes(array)
    numbers = ordinals(array)
    if _ascends(array, numbers):
        return np.arange(len(array)), array
    if numbers is not None and numbers.dtype.kind in "iu":
        low, spread = int(numbers.min()), int(numbers.max()) - int(numbers.min()) + 1
        if spread <= len(numbers) + SPARE_CODES:
            return _table_codes(numbers, low, spread, array.type)
    return _hashed_codes(array)


def _ascends(array: pa.Array, numbers: npt.NDArray[Any] | None) -> bool:
    """Whether the values ascend strictly."""
    if len(array) <= 1:
        return True
    if numbers is not None:
        return bool((numbers[1:] > numbers[:-1]).all())
    return bool(pc.all(pc.less(array[:-1], array[1:])).as_py())


def _table_codes(
    numbers: npt.NDArray[Any], low: int, spread: int, type_: pa.DataType
) -> tuple[npt.NDArray[np.int64], pa.Array]:
    shifted = _offsets(numbers, low).view(np.int64)
    seen = np.bincount(shifted, minlength=spread) > 0
    found = np.flatnonzero(seen).view(np.uint64) + np.uint64(low % 2**64)
    unique = pa.array(found.astype(numbers.dtype))
    unique = unique.cast(type_) if pt.is_boolean(type_) else unique.view(type_)
    return shifted if seen.all() else (np.cumsum(seen) - 1)[shifted], unique


def _offsets(numbers: npt.NDArray[Any], low: int) -> npt.NDArray[np.uint64]:
    """How far integers lie above the lowest of them.

    Widened first, since a difference of int8 seldom fits int8; then in modular arithmetic, which
    is right even where the difference does not fit int64.

    Examples
    --------
    >>> _offsets(np.array([-128, 127], np.int8), -128)
    array([  0, 255], dtype=uint64)
    """
    widened: npt.NDArray[np.uint64] = numbers.astype(np.int64).view(np.uint64)
    return widened - np.uint64(low % 2**64)


def _hashed_codes(array: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    encoded = array.dictionary_encode()
    ascending = pc.array_sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(ascending), np.int64)
    rank[ascending] = np.arange(len(ascending))
    return rank[encoded.indices.to_numpy()], encoded.dictionary.take(ascending)


def _dictionary_codes(array: pa.Array) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Codes of a dictionary array, whose dictionary may hold unused or equal entries."""
    indices = array.indices.to_numpy()
    used = np.flatnonzero(np.bincount(indices, minlength=len(array.dictionary)))
    codes, unique = dense_codes(array.dictionary.take(pa.array(used)))
    table = np.zeros(len(array.dictionary), np.int64)
    table[used] = codes
    return table[indices], unique


def ranges(starts: Ints, lengths: Ints) -> npt.NDArray[np.int64]:
    """Count from ``start`` to ``start + length`` for all pairs, one after the other.

    Examples
    --------
    >>> ranges(np.array([7, 2]), np.array([2, 3]))
    array([7, 8, 2, 3, 4])
    """
    ends = np.cumsum(lengths)
    steps = np.arange(ends[-1] if len(ends) else 0)
    return np.asarray(steps + np.repeat(starts - ends + lengths, lengths), np.int64)


def group(ids: pa.Array, kind: pa.Array | None, kinds: tuple[str, ...]) -> tuple[pa.Array, Layout]:
    """Find the segments of all (id, kind) pairs; rows move only if a segment lies in pieces.

    Runs of rows with equal (id, kind) are found first. Where there are few, only they are
    sorted; where the order of runs alone is wrong, no row moves.

    Parameters
    ----------
    ids : Array[n] without nulls
    kind : Array[n] of strings or integers without nulls, or None for one segment per id
    kinds : the kinds in order; segment ``i * len(kinds) + j`` is of id ``i`` and kind ``j``

    Returns
    -------
    unique : Array[k], the ids in ascending order
    layout : segments [k * max(1, len(kinds))]

    Examples
    --------
    >>> unique, layout = group(pa.array([2, 2, 2, 1, 1]), None, ())
    >>> unique.to_pylist(), layout.order, layout.starts.tolist(), layout.stops.tolist()
    ([1, 2], None, [3, 0], [5, 3])
    """
    heads = _run_heads(ids, kind)
    scattered = 2 * len(heads) > len(ids)
    codes, unique = dense_codes(ids if scattered else ids.take(pa.array(heads)))
    n_segments = len(unique)
    if kind is not None:
        of_heads = kind if scattered else kind.take(pa.array(heads))
        codes = codes * len(kinds) + _kind_codes(of_heads, kinds)
        n_segments *= len(kinds)
    if (codes[1:] > codes[:-1]).all():
        return unique, _stay(codes, n_segments, heads, len(ids))
    order, offsets = counting_order(codes, n_segments)
    if scattered:
        return unique, Layout(order, offsets[:-1].astype(np.int64), offsets[1:].astype(np.int64))
    if (np.diff(offsets) <= 1).all():
        return unique, _stay(codes, n_segments, heads, len(ids))
    return unique, _move_runs(heads[order], np.diff(heads, append=len(ids))[order], offsets)


def _run_heads(ids: pa.Array, kind: pa.Array | None) -> npt.NDArray[np.int64]:
    """First row of every run of equal (id, kind)."""
    changed = _changes(ids)
    if kind is not None:
        changed |= _changes(kind)
    first = np.zeros(min(len(ids), 1), np.int64)
    return np.concatenate([first, np.flatnonzero(changed) + 1])


def _changes(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Whether each value differs from the one before, bool[n - 1]."""
    if pt.is_dictionary(array.type):
        array = array.indices
    numbers = ordinals(array)
    if numbers is not None:
        return np.asarray(numbers[1:] != numbers[:-1])
    differs = pc.not_equal(array[1:], array[: max(len(array) - 1, 0)])
    return np.array(differs.to_numpy(zero_copy_only=False), np.bool_)


def _kind_codes(kind: pa.Array, kinds: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Place of each row's kind among ``kinds``."""
    names = kind.dictionary if pt.is_dictionary(kind.type) else kind
    if pt.is_integer(names.type):
        names = names.cast(pa.string())
    places = pc.index_in(names, pa.array(kinds, names.type)).fill_null(-1).to_numpy()
    codes = places[kind.indices.to_numpy()] if pt.is_dictionary(kind.type) else places
    if (codes < 0).any():
        unknown = kind.take(pa.array(np.flatnonzero(codes < 0))).unique().to_pylist()
        raise DataError(
            f"the kinds {shorten(map(repr, unknown))} are not among those of the input "
            f"({shorten(map(repr, kinds))}): the input changed, plan again"
        )
    return np.asarray(codes, np.int64)


def _stay(codes: Ints, n_segments: int, heads: Ints, n_rows: int) -> Layout:
    """Layout of runs that are whole segments: they stay where they are."""
    starts = np.zeros(n_segments, np.int64)
    stops = np.zeros(n_segments, np.int64)
    starts[codes] = heads
    stops[codes] = np.append(heads[1:], n_rows) if len(heads) else heads
    return Layout(None, starts, stops)


def _move_runs(heads: Ints, lengths: Ints, offsets: Ints) -> Layout:
    """Layout of runs, given in the order of their segments, that have to be joined."""
    ends = np.append(0, np.cumsum(lengths))
    return Layout(ranges(heads, lengths), ends[offsets[:-1]], ends[offsets[1:]])


def boundaries(layout: Layout) -> npt.NDArray[np.int64]:
    """List the first row of every segment that has rows, ascending."""
    return np.sort(layout.starts[layout.stops > layout.starts])


def order_within(keys: npt.NDArray[Any], edges: npt.NDArray[np.int64]) -> Ints | None:
    """Find the stable order of the rows by key in each segment; None if they are in order.

    Only segments that are out of order are sorted.

    Parameters
    ----------
    keys : [n], sortable numbers
    edges : first row of every segment, ascending

    Examples
    --------
    >>> order_within(np.array([1, 2, 9, 8]), np.array([0, 2]))
    array([0, 1, 3, 2])
    >>> order_within(np.array([8, 9, 1, 2]), np.array([0, 2]))
    """
    falls = keys[1:] < keys[:-1]
    falls[edges[1:] - 1] = False
    if not falls.any():
        return None
    unsorted = np.unique(np.searchsorted(edges, np.flatnonzero(falls), side="right") - 1)
    starts, lengths = edges[unsorted], np.diff(edges, append=len(keys))[unsorted]
    order = np.arange(len(keys))
    pieces = np.cumsum(lengths) // SORTED_ROWS
    for piece in np.split(np.arange(len(unsorted)), np.flatnonzero(np.diff(pieces)) + 1):
        rows = ranges(starts[piece], lengths[piece])
        by_key = _stable_order(keys[rows])
        segment = np.repeat(np.arange(len(piece)), lengths[piece])
        by_segment, _ = counting_order(segment[by_key], len(piece))
        order[rows] = rows[by_key[by_segment]]
    return order


def _stable_order(keys: npt.NDArray[Any]) -> Ints:
    """Stable order of the keys.

    Times on a grid, once divided by its step, mostly fit a counting sort: 13 against 97 ns a
    row for 1e6 shuffled timestamps.
    """
    if keys.dtype.kind in "iu":
        offsets = _offsets(keys, int(keys.min()))
        step = max(int(np.gcd.reduce(offsets)), 1)
        spread = int(offsets.max()) // step + 1
        if spread <= len(keys) + SPARE_CODES:
            return counting_order((offsets // np.uint64(step)).astype(np.int64), spread)[0]
    return np.argsort(keys, kind="stable")


def compose(first: Ints | None, second: Ints | None) -> Ints | None:
    """Chain two orders: rows taken in ``first``, then in ``second``; None moves nothing.

    Examples
    --------
    >>> compose(np.array([2, 0, 1]), np.array([1, 0, 2]))
    array([0, 2, 1])
    """
    if first is None or second is None:
        return second if first is None else first
    return first[second]
