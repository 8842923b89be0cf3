"""Turn rows of complete ids, in any order, into a batch of series.

The steps: check the ids, find the segments of all (id, kind) pairs, order each by the sort
column, join duplicates, move the values once, and apply the policy for values that are not
finite. Rows that already lie in order are not copied.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import DataError, InputError, SourceError, shorten
from tidemill.model.aliases import Floats, Index
from tidemill.model.counts import counted
from tidemill.model.ids import id_name, id_text
from tidemill.model.series import Batch, Lengths, Quarantined, SeriesBlock, kinds_present
from tidemill.model.source import ColumnRoles
from tidemill.sources.rows.casts import (
    ArrowColumn,
    as_float64,
    check_nulls,
    contiguous,
    normal_ids,
    ordinals,
    sound_ids,
)
from tidemill.sources.rows.clocks import SortKeys, is_time, nanoseconds, window_keys
from tidemill.sources.rows.composite_ids import split_ids
from tidemill.sources.rows.ordering import (
    Ints,
    Layout,
    compose,
    dense_codes,
    order_within,
    pieces,
    strictly_ascend,
)
from tidemill.sources.rows.segments import boundaries, group

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tidemill.model.policies import Policies

__all__ = ["assemble"]


#: Ids and values in a message.
SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class _KeyedRows:
    """What is known of the rows before their values are read."""

    names: ColumnRoles
    ids: pa.Array  # [k], ascending and unique, as the sink holds them; composite ids as structs
    kinds: tuple[str, ...]  # of the segments of one id; empty in the wide format
    layout: Layout
    sort: pa.Array | None  # [n], in the order of the input
    keys: npt.NDArray[Any] | None  # [n], numbers of the same order
    joined: Ints | None = None  # first row of each group of duplicates that becomes its mean

    def series(self, segment: int) -> str:
        """Name a series in a message."""
        id_, kind = divmod(int(segment), max(len(self.kinds), 1))
        name = id_name(self.ids[id_])
        text = f"id={name if pt.is_struct(self.ids.type) else id_text(name)}"
        return f"{text}, kind={self.kinds[kind]!r}" if self.kinds else text


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """The segments of one column of values, after its policies."""

    values: Floats  # float64[n]
    starts: Index
    stops: Index
    times: Index | None
    keys: SortKeys | None  # by which windows are cut
    faulty: Index  # number of values that are not finite, per segment


def assemble(
    ids: ArrowColumn,
    sort: ArrowColumn | None,
    kind: ArrowColumn | None,
    values: Mapping[str, ArrowColumn],
    *,
    kinds: tuple[str, ...],
    policies: Policies,
    needs_times: bool,
    where: str,
    times: ArrowColumn | None = None,
    names: ColumnRoles | None = None,
    for_windows: bool = False,
    id_types: Sequence[pa.DataType] = (),
) -> Batch:
    """Make a batch of the rows of complete ids.

    Parameters
    ----------
    ids : Array[n], in any order
    sort : Array[n], the key by which a series is ordered; None keeps the order of the rows
    kind : Array[n] of strings in the long format, else None
    values : column to Array[n]; one per kind in the wide format, exactly one in the long format
    kinds : all kinds of the result, in order
    policies : what happens to duplicates (first) and to values that are not finite (then)
    needs_times : whether the blocks need times, which come from ``times`` or else from ``sort``
    where : the rows' origin, for messages
    times : Array[n] of dates or timestamps, where these are not the sort column
    names : names of the columns, for messages
    for_windows : add the sort keys to the batch, and leave quarantine to the code that cuts windows
    id_types : types of the columns of composite ids; none for ids of one column

    Returns
    -------
    Batch
        Series are slices of shared arrays; these are read-only where they are the input's own,
        and slices need not ascend.

    Raises
    ------
    SourceError
        If a column has an unsupported type, or times are needed and there are none.
    DataError
        If ids or sort keys are null, or duplicates or values break a policy.

    Examples
    --------
    >>> from tidemill.model.policies import Policies
    >>> batch = assemble(
    ...     pa.array([7, 5, 7]), pa.array([2, 1, 1]), None, {"x": pa.array([1.0, 2.0, 3.0])},
    ...     kinds=("x",), policies=Policies(), needs_times=False, where="example",
    ... )
    >>> batch.ids.to_pylist(), batch.blocks["x"].values, batch.blocks["x"].lengths
    ([5, 7], array([2., 3., 1.]), array([1, 2]))
    """
    names = names or _default_names(sort, kind, values)
    with _located(where):
        rows = _ordered(_arranged(ids, sort, kind, kinds, names, id_types), policies)
        clock = _moved(_clock(times, sort, names), rows) if needs_times else None
        keys = _window_keys(rows) if for_windows else None
        series = {
            column: _read(rows, array, clock, keys, name, policies)
            for (column, array), name in zip(values.items(), names.values, strict=True)
        }
        return _batch(rows, series, kinds, len(ids))


def _default_names(
    sort: ArrowColumn | None, kind: ArrowColumn | None, values: Mapping[str, ArrowColumn]
) -> ColumnRoles:
    return ColumnRoles(
        id="id",
        sort=None if sort is None else "sort",
        kind=None if kind is None else "kind",
        values=tuple(values),
    )


@contextmanager
def _located(where: str) -> Iterator[None]:
    """Put the rows' origin before the message of an error."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{where}: {error}") from None


def _arranged(
    ids: ArrowColumn,
    sort: ArrowColumn | None,
    kind: ArrowColumn | None,
    kinds: tuple[str, ...],
    names: ColumnRoles,
    id_types: Sequence[pa.DataType],
) -> _KeyedRows:
    """Check the keys and find the segments."""
    sound = sound_ids(ids, names.key)
    whole_kind = None if kind is None else _sound_kind(kind, str(names.kind))
    of_segments = () if kind is None else kinds
    whole_sort = None if sort is None else contiguous(sort)
    keys = None if whole_sort is None else _sort_keys(whole_sort, str(names.sort))
    unique, layout = group(sound, whole_kind, of_segments, keys)
    found = normal_ids(unique, names.key)
    if id_types:
        found = split_ids(found, names.ids, id_types)
    return _KeyedRows(names, found, of_segments, layout, whole_sort, keys)


def _sound_kind(kind: ArrowColumn, name: str) -> pa.Array:
    whole = contiguous(kind)
    type_ = whole.type.value_type if pt.is_dictionary(whole.type) else whole.type
    if not (pt.is_string(type_) or pt.is_large_string(type_) or pt.is_integer(type_)):
        raise SourceError(
            f"column {name!r} has type {whole.type}, but kinds must be strings or integers: cast "
            "it to strings"
        )
    check_nulls(whole, name, "every row needs a kind; drop these rows")
    return whole


def _ordered(rows: _KeyedRows, policies: Policies) -> _KeyedRows:
    """Order every segment by the sort key and join duplicates."""
    layout, keys = rows.layout, rows.keys
    if keys is None or layout.ascends:
        return rows
    edges = boundaries(layout)
    if layout.order is not None:
        keys = keys[layout.order]
    if strictly_ascend(keys, edges):
        return rows
    within = order_within(keys, edges)
    if within is not None:
        keys = keys[within]
    rows = _replaced(rows, Layout(compose(layout.order, within), layout.starts, layout.stops))
    same = keys[1:] == keys[:-1]
    same[edges[1:] - 1] = False
    return _without_duplicates(rows, same, policies) if same.any() else rows


def _replaced(rows: _KeyedRows, layout: Layout, joined: Ints | None = None) -> _KeyedRows:
    return replace(rows, layout=layout, joined=joined)


def _sort_keys(array: pa.Array, name: str) -> npt.NDArray[Any]:
    """Turn the sort column into numbers of its order, in the order of the input."""
    check_nulls(array, name, "every row needs a sort value; drop these rows or fill it in")
    if pt.is_nested(array.type) or pt.is_null(array.type):
        raise SourceError(f"column {name!r} has type {array.type}, which has no order to sort by")
    numbers = ordinals(array)
    return dense_codes(array)[0] if numbers is None else numbers


def _without_duplicates(
    rows: _KeyedRows, same: npt.NDArray[np.bool_], policies: Policies
) -> _KeyedRows:
    """Join rows whose sort value is the ``same`` as that of the row before in their segment.

    Those that are kept stay in the order of the input.
    """
    if policies.on_duplicate == "keep":
        return rows
    if policies.on_duplicate == "raise":
        _refuse_duplicates(rows, same)
    last = policies.on_duplicate == "last"
    keep = np.concatenate([~same, [True]] if last else [[True], ~same])
    starts, stops = _compacted(rows.layout.starts, rows.layout.stops, keep)
    kept = np.flatnonzero(keep)
    if policies.on_duplicate == "mean":
        return _replaced(rows, Layout(rows.layout.order, starts, stops), kept)
    return _replaced(rows, Layout(compose(rows.layout.order, kept), starts, stops))


def _refuse_duplicates(rows: _KeyedRows, same: npt.NDArray[np.bool_]) -> None:
    assert rows.sort is not None
    places = np.flatnonzero(same) + 1
    shown = places[:SHOWN]
    segments = _segments_at(rows.layout, shown)
    origin = shown if rows.layout.order is None else rows.layout.order[shown]
    cases = [
        f"({rows.series(segment)}, {rows.names.sort}={rows.sort[int(row)].as_py()!s})"
        for segment, row in zip(segments, origin, strict=True)
    ]
    keys = "id, kind and sort value" if rows.kinds else "id and sort value"
    raise DataError(
        f"{counted(len(places), 'row has', 'rows have')} the same {keys} as another row: "
        f"{_cut(cases, len(places))}; "
        "drop them, or set on_duplicate to 'keep', 'first', 'last' or 'mean'"
    )


def _segments_at(layout: Layout, places: Ints) -> Ints:
    """Find the segment of each place in the ordered rows."""
    filled = np.flatnonzero(layout.stops > layout.starts)
    filled = filled[np.argsort(layout.starts[filled])]
    return np.asarray(filled[np.searchsorted(layout.starts[filled], places, side="right") - 1])


def _cut(shown: list[str], total: int) -> str:
    """As ``shorten``, for a list that is already cut."""
    text = shorten(shown)
    return text if total <= len(shown) else f"{text}, ... ({total} in all)"


def _compacted(starts: Index, stops: Index, keep: npt.NDArray[np.bool_]) -> tuple[Index, Index]:
    """Where segments lie once only the rows to ``keep`` are left."""
    before = np.append(0, np.cumsum(keep))
    return before[starts], before[stops]


def _clock(times: ArrowColumn | None, sort: ArrowColumn | None, names: ColumnRoles) -> Index:
    """Read times as nanoseconds since the epoch, in the order of the input."""
    source, name = (times, "times") if times is not None else (sort, str(names.sort))
    if source is None or not is_time(source.type):
        found = "there is no sort column" if source is None else f"{name!r} is {source.type}"
        raise SourceError(
            f"a calculator needs times, but {found}: name a column of dates or timestamps as "
            "column_sort, or leave such calculators (linear_trend_timewise) out of the settings"
        )
    whole = contiguous(source)
    check_nulls(whole, name, "every row needs a time; drop these rows or fill it in")
    return nanoseconds(whole, name)


def _window_keys(rows: _KeyedRows) -> SortKeys:
    """Read the keys of windows, in the order of the segments."""
    assert rows.sort is not None
    keys = window_keys(rows.sort, str(rows.names.sort))
    moved = keys if rows.layout.order is None else keys.take(rows.layout.order)
    return moved if rows.joined is None else moved[rows.joined]


def _read(
    rows: _KeyedRows,
    array: ArrowColumn,
    clock: Index | None,
    keys: SortKeys | None,
    name: str,
    policies: Policies,
) -> _Series:
    """Cast, move, join and check one column of values."""
    values, layout = _moved(as_float64(array, name), rows), rows.layout
    if all(np.isfinite(values[piece]).all() for piece in pieces(len(values))):
        clean = np.zeros(len(layout.starts), np.int64)
        return _Series(values, layout.starts, layout.stops, clock, keys, clean)
    finite = np.isfinite(values)
    if policies.on_nan == "omit":
        starts, stops = _compacted(layout.starts, layout.stops, finite)
        clock, keys = (None if one is None else one[finite] for one in (clock, keys))
        return _Series(values[finite], starts, stops, clock, keys, np.zeros(len(starts), np.int64))
    faults = np.append(0, np.cumsum(~finite))
    faulty = faults[layout.stops] - faults[layout.starts]
    if policies.on_nan == "raise":
        _refuse_values(rows, name, faulty)
    return _Series(values, layout.starts, layout.stops, clock, keys, faulty)


def _moved(column: npt.NDArray[Any], rows: _KeyedRows) -> npt.NDArray[Any]:
    """Bring a column into the order of the segments and join its duplicates."""
    moved = column if rows.layout.order is None else column.take(rows.layout.order)
    if rows.joined is None:
        return moved
    if column.dtype.kind == "i":  # times are equal within a group, up to a separate index
        return moved[rows.joined]
    counts = np.diff(rows.joined, append=len(moved))
    with np.errstate(all="ignore"):
        return np.asarray(np.add.reduceat(moved, rows.joined) / counts)


def _refuse_values(rows: _KeyedRows, name: str, faulty: Index) -> None:
    bad = np.flatnonzero(faulty)
    cases = [f"({rows.series(segment)})" for segment in bad[:SHOWN]]
    raise DataError(
        f"column {name!r} holds {counted(int(faulty.sum()), 'null, NaN or infinite value')} in "
        f"{len(bad):,} series: {_cut(cases, len(bad))}; fill or drop them, or set on_nan to 'omit' "
        "(drop the values) or 'quarantine' (leave these ids out)"
    )


def _batch(
    rows: _KeyedRows, series: Mapping[str, _Series], kinds: tuple[str, ...], input_rows: int
) -> Batch:
    """Make the blocks of all kinds, without the ids that are quarantined."""
    per_kind = {kind: _of_kind(rows, series, kind, place) for place, kind in enumerate(kinds)}
    keys = {kind: one.keys for kind, one in per_kind.items() if one.keys is not None}
    quarantined = {} if keys else _quarantined(rows, per_kind)
    keep = np.ones(len(rows.ids), np.bool_)
    keep[list(quarantined)] = False
    blocks = {kind: _block(kind, one, keep) for kind, one in per_kind.items()}
    ids = rows.ids if keep.all() else rows.ids.filter(pa.array(keep))
    lengths = Lengths(rows.ids, {kind: one.stops - one.starts for kind, one in per_kind.items()})
    return Batch(
        ids,
        blocks,
        kinds_present(blocks),
        tuple(quarantined.values()),
        input_rows,
        keys,
        (lengths,),
    )


def _of_kind(rows: _KeyedRows, series: Mapping[str, _Series], kind: str, place: int) -> _Series:
    """Select the series of one kind, one per id."""
    if not rows.kinds:
        return series[kind]
    (every,) = series.values()
    mine = slice(place, None, len(rows.kinds))
    starts, stops, faulty = (
        np.ascontiguousarray(array[mine]) for array in (every.starts, every.stops, every.faulty)
    )
    return _Series(every.values, starts, stops, every.times, every.keys, faulty)


def _quarantined(rows: _KeyedRows, per_kind: Mapping[str, _Series]) -> dict[int, Quarantined]:
    """Place of each id that is left out, ascending, and why: the first kind at fault counts."""
    found: dict[int, Quarantined] = {}
    for kind, one in per_kind.items():
        for place in np.flatnonzero(one.faulty).tolist():
            length = one.stops[place] - one.starts[place]
            reason = f"{one.faulty[place]} of {length} values are null, NaN or infinite"
            found.setdefault(place, Quarantined(id_name(rows.ids[place]), kind, reason))
    return dict(sorted(found.items()))


def _block(kind: str, one: _Series, keep: npt.NDArray[np.bool_]) -> SeriesBlock:
    if keep.all():
        return SeriesBlock(kind, one.values, one.starts, one.stops, one.times)
    return SeriesBlock(kind, one.values, one.starts[keep], one.stops[keep], one.times)
