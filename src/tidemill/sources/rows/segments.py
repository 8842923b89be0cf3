"""Find segments, the slices of rows that make up the series, from ids and kinds.

Segments tile the rows; their numbers ascend with the id, then with the kind's place among kinds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import DataError, shorten
from tidemill.model.aliases import Index
from tidemill.sources.rows.casts import ordinals
from tidemill.sources.rows.ordering import (
    Ints,
    Layout,
    counting_order,
    dense_codes,
    grid_layout,
    pieces,
    ranges,
)

__all__ = ["boundaries", "group"]


def group(
    ids: pa.Array,
    kind: pa.Array | None,
    kinds: tuple[str, ...],
    keys: npt.NDArray[Any] | None = None,
) -> tuple[pa.Array, Layout]:
    """Find the segments of all (id, kind) pairs; rows move only if a segment is not contiguous.

    Runs of rows with equal (id, kind) are found first. Where there are few, only they are
    sorted; where the order of runs alone is wrong, no row moves. Scattered rows are brought into
    the order of the keys at once where these lie on a grid.

    Parameters
    ----------
    ids : Array[n] without nulls
    kind : Array[n] of strings or integers without nulls, or None for one segment per id
    kinds : the kinds in order; segment ``i * len(kinds) + j`` is of id ``i`` and kind ``j``
    keys : [n], the sort keys, if there are any

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
    if heads is None:
        unique, codes, n_segments = _segment_codes(ids, kind, kinds)
        return unique, _scattered(codes, n_segments, keys)
    at = pa.array(heads)
    unique, codes, n_segments = _segment_codes(
        ids.take(at), None if kind is None else kind.take(at), kinds
    )
    if (codes[1:] > codes[:-1]).all():
        return unique, _stay(codes, n_segments, heads, len(ids))
    order, offsets = counting_order(codes, n_segments)
    if (np.diff(offsets) <= 1).all():
        return unique, _stay(codes, n_segments, heads, len(ids))
    return unique, _move_runs(heads[order], np.diff(heads, append=len(ids))[order], offsets)


def _segment_codes(
    ids: pa.Array, kind: pa.Array | None, kinds: tuple[str, ...]
) -> tuple[pa.Array, Index, int]:
    """Unique ids, the segment of each row, and the number of segments."""
    codes, unique = dense_codes(ids)
    if kind is None:
        return unique, codes, len(unique)
    return unique, codes * len(kinds) + _kind_codes(kind, kinds), len(unique) * len(kinds)


def _scattered(codes: Index, n_segments: int, keys: npt.NDArray[Any] | None) -> Layout:
    """Layout of rows of which most have another segment than the row before."""
    on_grid = None if keys is None else grid_layout(codes, n_segments, keys)
    if on_grid is not None:
        return on_grid
    order, offsets = counting_order(codes, n_segments)
    return Layout(order, offsets[:-1].astype(np.int64), offsets[1:].astype(np.int64))


def _run_heads(ids: pa.Array, kind: pa.Array | None) -> Index | None:
    """First row of every run of equal (id, kind); None if most rows are one."""
    columns = [_comparable(array) for array in (ids, kind) if array is not None]
    found = [np.zeros(min(len(ids), 1), np.int64)]
    count = 1
    for piece in pieces(len(ids), 1):
        changed = _changes(columns[0], piece)
        for column in columns[1:]:
            changed |= _changes(column, piece)
        heads = np.flatnonzero(changed)
        heads += piece.start
        found.append(heads)
        count += len(heads)
        if 2 * count > piece.stop:
            return None
    return np.concatenate(found)


def _comparable(array: pa.Array) -> npt.NDArray[Any] | pa.Array:
    """Numbers where there are any: NumPy compares them without copies."""
    if pt.is_dictionary(array.type):
        array = array.indices
    numbers = ordinals(array)
    return array if numbers is None else numbers


def _changes(array: npt.NDArray[Any] | pa.Array, piece: slice) -> npt.NDArray[np.bool_]:
    """Whether each value of the piece differs from the one before, bool[]."""
    here, before = array[piece], array[piece.start - 1 : piece.stop - 1]
    if isinstance(array, np.ndarray):
        return np.asarray(here != before)
    return np.array(pc.not_equal(here, before).to_numpy(zero_copy_only=False), np.bool_)


def _kind_codes(kind: pa.Array, kinds: tuple[str, ...]) -> Index:
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


def boundaries(layout: Layout) -> Index:
    """List the first row of every segment that has rows, ascending."""
    return np.sort(layout.starts[layout.stops > layout.starts])
