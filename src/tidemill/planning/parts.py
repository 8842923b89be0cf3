"""Cut an input into parts: consecutive whole ids, the unit of commit, resume and quarantine.

Parts depend on source and settings only, never on workers, memory or cluster.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tidemill.model.aliases import Floats
from tidemill.model.plan import Part
from tidemill.model.source import Source
from tidemill.sources.files.spill_files import merge_groups
from tidemill.sources.files.statistics import Group, Statistics
from tidemill.sources.rows.id_keys import KeyArray, plain, sums

__all__ = [
    "Seconds",
    "make_parts",
    "part_memory_bytes",
]

#: Predicted seconds of one thread for ``counts[i]`` ids whose series, one of each kind, have
#: ``lengths[i]`` values.
Seconds = Callable[[Floats, Floats], float]

#: Input bytes of a part, in memory: a thousandth of the input, within these bounds.
LEAST_PART_BYTES = 32 * 2**20
MOST_PART_BYTES = 256 * 2**20
PARTS_BY_BYTES = 1000
#: Predicted seconds of a part: a 250th of the run, within these bounds, so that small inputs keep
#: every core busy.
LEAST_PART_SECONDS = 1.0
MOST_PART_SECONDS = 60.0
PARTS_BY_SECONDS = 250
#: A row group is read once for each part it has rows of, at 10 to 20 ns per row. That pays while it
#: costs less than the partition step, or little compared with the calculation.
READ_SECONDS, SPILL_SECONDS = 20e-9, 120e-9
READ_SHARE = 0.05
#: Memory that streaming takes besides the rows: one Parquet batch, and Arrow's own buffers.
STREAM_BYTES = 192 * 2**20

#: Number of lengths at which the cost model is evaluated; costs in between are interpolated.
COST_POINTS = 40


@dataclass(frozen=True, slots=True, eq=False)
class _Items:
    """What parts are made of, ascending by key: parts may be cut before any of them."""

    keys: KeyArray  # [k] ascending, unique
    rows: Floats
    ids: Floats
    seconds: Floats


@dataclass(frozen=True, slots=True)
class _PartLimits:
    """The limits of a part."""

    row_bytes: float
    part_bytes: float
    part_seconds: float

    def load(self, items: _Items) -> Floats:
        """The share of a part that each item fills."""
        by_bytes = items.rows * (self.row_bytes / self.part_bytes)
        return np.maximum(by_bytes, items.seconds / self.part_seconds)

    def cut(self, items: _Items) -> list[slice]:
        """Slices within the limits, unless a single item exceeds them."""
        ends = np.cumsum(self.load(items))
        slices: list[slice] = []
        first = 0
        while first < len(ends):
            taken = ends[first - 1] if first else 0.0
            last = max(int(np.searchsorted(ends, taken + 1 + 1e-9, side="right")), first + 1)
            slices.append(slice(first, last))
            first = last
        return slices


def make_parts(
    source: Source, statistics: Statistics, seconds: Seconds, *, part_bytes: int | None = None
) -> tuple[str, tuple[Part, ...]]:
    """Choose the layout of an input and cut it into parts.

    Parameters
    ----------
    source : an opened input
    statistics : of its row groups
    seconds : the cost model
    part_bytes : int, optional
        Bytes of input per part, instead of a thousandth of the input within 32 and 256 MiB.

    Returns
    -------
    layout : "clustered" or "spilled"
        Clustered if the id ranges of the row groups ascend and share at most one id: such parts
        are read from the input. All others go through the partition step.
    parts
        Half-open ranges of ids, strictly ascending; the first and last have no outer bound.

    Examples
    --------
    >>> import tempfile, pyarrow as pa, pyarrow.parquet as pq
    >>> from tidemill.sources.files.open import open_source
    >>> from tidemill.sources.files.statistics import gather_statistics
    >>> folder = tempfile.mkdtemp()
    >>> table = pa.table({"id": [1, 1, 2, 3], "x": [0.5, 1.5, 2.0, 3.0]})
    >>> pq.write_table(table, f"{folder}/a.parquet", row_group_size=2)
    >>> source = open_source(folder, column_id="id")
    >>> layout, parts = make_parts(
    ...     source, gather_statistics(source), lambda lengths, counts: 0.0, part_bytes=32
    ... )
    >>> layout, [(part.lower, part.upper, part.spans) for part in parts]
    ('clustered', [(None, 2, (GroupSpan(file=0, first=0, last=1),)), (2, None, \
(GroupSpan(file=0, first=1, last=2),))])
    """
    points = _price(statistics, seconds, len(source.kinds) if source.columns.kind else 1)
    limits = _limits(statistics, float(points.seconds.sum()), part_bytes)
    if source.format == "parquet" and _is_ordered(statistics.groups):
        pieces = [_of_group(group, points) for group in statistics.groups]
        if all(_is_readable(piece, limits) for piece in pieces):
            items = _by_group(statistics.groups, pieces, limits)
            parts = _parts(items, limits.cut(items), statistics.groups, limits.row_bytes)
            return "clustered", parts
    return "spilled", _parts(points, limits.cut(points), (), limits.row_bytes)


def _limits(statistics: Statistics, seconds: float, part_bytes: int | None) -> _PartLimits:
    total = statistics.profile.rows * statistics.row_bytes
    share = min(max(total / PARTS_BY_BYTES, LEAST_PART_BYTES), MOST_PART_BYTES)
    slow = min(max(seconds / PARTS_BY_SECONDS, LEAST_PART_SECONDS), MOST_PART_SECONDS)
    return _PartLimits(statistics.row_bytes, float(part_bytes or share), slow)


def _price(statistics: Statistics, seconds: Seconds, n_kinds: int) -> _Items:
    """The sampled ids with their cost; all other rows at the mean cost of the sample."""
    met = statistics.ids > 0
    ids, cost = statistics.ids.copy(), np.zeros_like(statistics.rows)
    curve = _cost_curve(statistics.lengths[met] / n_kinds, seconds)
    cost[met] = ids[met] * curve
    known = ids * statistics.lengths
    rest = (statistics.rows - known).clip(0) / known.sum()
    return _Items(
        statistics.keys, statistics.rows, ids + rest * ids.sum(), cost + rest * cost.sum()
    )


def _cost_curve(lengths: Floats, seconds: Seconds) -> Floats:
    """Seconds for one id of each length; the model is evaluated at a few lengths only."""
    low, high = max(float(lengths.min()), 1.0), max(float(lengths.max()), 1.0)
    at = np.unique(np.geomspace(low, high, COST_POINTS))
    one = np.ones(1)
    cost = np.array([max(seconds(np.array([length]), one), 1e-12) for length in at])
    curve: Floats = np.exp(np.interp(np.log(np.maximum(lengths, 1.0)), np.log(at), np.log(cost)))
    return curve


# Layout


def _is_ordered(groups: Sequence[Group]) -> bool:
    """Whether the id ranges of the row groups ascend and share at most one id."""
    return all(_follows(one, other) for one, other in itertools.pairwise(groups))


def _follows(one: Group, other: Group) -> bool:
    """Whether ranges are disjoint, or share one id whose rows are in the input's order."""
    if one.upper == other.lower:
        return (one.file, one.group) < (other.file, other.group)
    return bool(one.upper < other.lower)


def _of_group(group: Group, points: _Items) -> _Items:
    """The ids of one row group."""
    first = int(np.searchsorted(points.keys, group.lower, side="left"))
    last = int(np.searchsorted(points.keys, group.upper, side="right"))
    inside = slice(first, last)
    share = group.rows / points.rows[inside].sum()
    return _Items(
        points.keys[inside],
        points.rows[inside] * share,
        points.ids[inside] * share,
        points.seconds[inside] * share,
    )


def _is_readable(piece: _Items, limits: _PartLimits) -> bool:
    """Whether reading a row group once per part is faster than the partition step."""
    n_parts = min(float(limits.load(piece).sum()), len(piece.keys))
    worth = max(SPILL_SECONDS, READ_SHARE * float(piece.seconds.sum() / piece.rows.sum()))
    return n_parts * READ_SECONDS <= worth


def _by_group(groups: Sequence[Group], pieces: Sequence[_Items], limits: _PartLimits) -> _Items:
    """One item per row group, so that parts start with row groups; large groups item by id."""
    kept = [
        piece if limits.load(piece).sum() > 1 else _sum_at(group.lower, piece)
        for group, piece in zip(groups, pieces, strict=True)
    ]
    keys, places = np.unique(np.concatenate([one.keys for one in kept]), return_inverse=True)
    return _Items(
        keys,
        sums(places, np.concatenate([one.rows for one in kept])),
        sums(places, np.concatenate([one.ids for one in kept])),
        sums(places, np.concatenate([one.seconds for one in kept])),
    )


def _sum_at(key: Any, items: _Items) -> _Items:
    totals = (np.array([array.sum()]) for array in (items.rows, items.ids, items.seconds))
    return _Items(np.array([key], dtype=items.keys.dtype), *totals)


def _parts(
    items: _Items, slices: Sequence[slice], groups: Sequence[Group], row_bytes: float
) -> tuple[Part, ...]:
    lowers = _as_keys([group.lower for group in groups], items.keys)
    uppers = _as_keys([group.upper for group in groups], items.keys)
    bounds = [None, *(items.keys[one.start] for one in slices[1:]), None]
    parts = []
    for index, one in enumerate(slices):
        lower, upper = bounds[index], bounds[index + 1]
        first = 0 if lower is None else int(np.searchsorted(uppers, lower, side="left"))
        last = len(groups) if upper is None else int(np.searchsorted(lowers, upper, side="left"))
        rows = items.rows[one].sum()
        part = Part(
            index=index,
            lower=None if lower is None else plain(lower),
            upper=None if upper is None else plain(upper),
            spans=merge_groups([(group.file, group.group) for group in groups[first:last]]),
            rows=round(float(rows)),
            ids=max(round(float(items.ids[one].sum())), 1),
            bytes=round(float(rows) * row_bytes),
            seconds=float(items.seconds[one].sum()),
        )
        parts.append(part)
    return tuple(parts)


def _as_keys(keys: Sequence[Any], like: KeyArray) -> KeyArray:
    return np.array(keys, dtype=like.dtype)


def part_memory_bytes(source: Source, layout: str, part: Part) -> int:
    """Memory that reading a part takes: streamed if clustered, as a whole if spilled.

    Measured, without what the calculators need; see docs/architecture.md.
    """
    if layout == "spilled":
        return STREAM_BYTES + 3 * part.bytes
    rows = max(file.rows / max(file.groups, 1) for file in source.files)
    group_bytes = int(rows * part.bytes / max(part.rows, 1))
    return STREAM_BYTES + 2 * min(part.bytes, group_bytes)
