"""Estimate the ids and their lengths from statistics and a small sample.

Where statistics of the id column are missing, that column alone is read. If there are several id
columns, the range of their tuples follows from the statistics of each; where it is too wide to
show whether row groups ascend, the id columns are read. Everything here is a deterministic function
of the source.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.model.aliases import Floats, Index
from tidemill.model.id_types import parse_type
from tidemill.model.ids import decode
from tidemill.model.plan import GroupSpan
from tidemill.model.source import Source
from tidemill.sources.files.access import file_name, located
from tidemill.sources.files.fingerprint import in_threads
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.read import read_span
from tidemill.sources.files.spill_files import row_width, text_width
from tidemill.sources.rows.id_keys import KeyArray, Keys, merge_counts, plain, read_keys, sums
from tidemill.storage.stores import Store

__all__ = ["Group", "Profile", "Statistics", "gather_statistics"]

#: Rows and row groups whose ids are read for the sample.
SAMPLE_ROWS = 4_000_000
SAMPLE_GROUPS = 256
#: Row groups that are read regardless of their size.
LEAST_GROUPS = 4
#: Points that stand for a row group of which only the range is known.
POINTS = 16
#: Lengths of a profile.
PROFILE_BINS = 512

Counts = tuple[KeyArray, Index]  # keys, rows of each
Weighed = tuple[KeyArray, Floats, Floats, Floats]  # keys, rows, lengths, ids


@dataclass(frozen=True, slots=True)
class Group:
    """One row group (of a CSV file: all of it) and the range of its ids."""

    file: int
    group: int
    rows: int
    lower: Any  # key; no id is below
    upper: Any  # key; no id is above (text may be cut short and rounded up)
    is_wide: bool = field(
        default=False, repr=False
    )  # of a composite id: its rows may keep to a narrower range


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A weighted histogram of the lengths of series, for the cost model."""

    lengths: Floats  # float64[k], values per series
    counts: Floats  # float64[k], ids with series of that length
    rows: int
    ids: float  # estimate; exact if everything was read


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Ranges of all row groups, and a sample of ids with the rows that each represents."""

    groups: tuple[Group, ...]  # by range, then by place in the input; those without rows left out
    keys: KeyArray  # [k] ascending and unique: ids met
    rows: Floats  # float64[k], rows that each stands for; they sum to all rows
    lengths: Floats  # float64[k], estimated rows of one id there; 0 where only a range is known
    ids: Floats  # float64[k], estimated ids of that length; other rows are of ids not met
    profile: Profile
    row_bytes: float  # of the used columns, in memory


def gather_statistics(source: Source, sample_rows: int = SAMPLE_ROWS) -> Statistics:
    """Read the statistics of all row groups, and the ids of some.

    Parameters
    ----------
    source : an opened input
    sample_rows : most rows whose ids are read, unless single row groups are larger

    Raises
    ------
    DataError
        If ids are null or not supported.
    SourceError
        If a file is damaged.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow.parquet as pq
    >>> from tidemill.sources.files.open import open_source
    >>> folder = tempfile.mkdtemp()
    >>> pq.write_table(pa.table({"id": [1, 1, 2], "x": [0.5, 1.5, 2.0]}), f"{folder}/a.parquet")
    >>> found = gather_statistics(open_source(folder, column_id="id"))
    >>> found.groups
    (Group(file=0, group=0, rows=3, lower=1, upper=2),)
    >>> found.profile.lengths, found.profile.counts
    (array([1., 2.]), array([1., 1.]))
    """
    store = Store.open(source.url, source.storage_options)
    known = [group for file in _all_ranges(source, store) for group in file]
    known = _narrowed(source, store, known)
    groups = tuple(sorted(known, key=lambda one: (one.lower, one.upper, one.file, one.group)))
    chosen = _choose(groups, sample_rows)
    counted = in_threads(lambda i: _count(source, groups[i]), chosen, store)
    sample = dict(zip(chosen, counted, strict=True)) | _free(groups)
    weighed = _weigh(groups, sample)
    profile = _profile(weighed, len(source.kinds) if source.columns.kind else 1)
    return Statistics(groups, *weighed, profile, _row_bytes(source, weighed[0]))


# Ranges


def _all_ranges(source: Source, store: Store) -> list[list[Group]]:
    return in_threads(lambda index: _file_ranges(source, index), range(len(source.files)), store)


def _file_ranges(source: Source, index: int) -> list[Group]:
    known: list[Group] = []
    unknown: list[int] = []
    for group, rows, bounds in FORMATS[source.format].group_bounds(source, index):
        if bounds is None:
            unknown.append(group)
        elif rows:
            known.append(Group(index, group, rows, *bounds))
    return known + list(_scanned(source, index, unknown))


def _narrowed(source: Source, store: Store, groups: list[Group]) -> list[Group]:
    """The same row groups; those with wide ranges are read if that can show that they ascend.

    It cannot where ranges overlap in their first column, as they do in input that is sorted by
    time: such input goes through the partition step, whatever the ranges are.
    """
    wide = [one for one in groups if one.is_wide]
    if not wide or not _cross([(one.lower, one.upper) for one in groups]):
        return groups
    if _cross(_first_ranges(source, groups)):
        return groups
    read = in_threads(lambda one: list(_scanned(source, one.file, [one.group])), wide, store)
    return [one for one in groups if not one.is_wide] + [one for found in read for one in found]


def _cross(ranges: Iterable[tuple[Any, Any]]) -> bool:
    """Whether ranges overlap in more than one key."""
    return any(one[1] > other[0] for one, other in itertools.pairwise(sorted(ranges)))


def _first_ranges(source: Source, groups: Sequence[Group]) -> list[tuple[Any, Any]]:
    """Ranges of the first of several id columns."""
    first = [parse_type(source.id_types[0])]
    ends = ([group.lower for group in groups], [group.upper for group in groups])
    lowers, uppers = (decode(pa.array(end, pa.string()), first)[0].to_pylist() for end in ends)
    return list(zip(lowers, uppers, strict=True))


def _scanned(source: Source, index: int, groups: Iterable[int]) -> Iterator[Group]:
    """Ranges of row groups from their ids."""
    for group in groups:
        rows = 0
        bounds: list[Any] = []
        for n_rows, keys in _stream_keys(source, index, group):
            rows += n_rows
            bounds += keys.bounds()
        if rows:
            yield Group(index, group, rows, plain(min(bounds)), plain(max(bounds)))


def _stream_keys(source: Source, index: int, group: int) -> Iterator[tuple[int, Keys]]:
    name = source.columns.key
    with located(file_name(source, index)):
        for batch in read_span(source, GroupSpan(index, group, group + 1), [name], 2**20):
            if batch.num_rows:
                yield batch.num_rows, read_keys(batch.column(name), name)


# The sample


def _choose(groups: Sequence[Group], sample_rows: int) -> list[int]:
    """Positions of the row groups to read, evenly spread over their ranges."""
    several = [i for i, group in enumerate(groups) if group.lower != group.upper]
    rows = sum(groups[i].rows for i in several)
    if not several:
        return []
    fit = max(int(sample_rows / (rows / len(several))), LEAST_GROUPS)
    n_chosen = min(fit, SAMPLE_GROUPS, len(several))
    places = np.linspace(0, len(several) - 1, n_chosen).round().astype(int)
    return [several[place] for place in np.unique(places)]


def _count(source: Source, group: Group) -> Counts:
    counted = [keys.counts() for _, keys in _stream_keys(source, group.file, group.group)]
    return merge_counts([keys for keys, _ in counted], [rows for _, rows in counted])


def _free(groups: Sequence[Group]) -> dict[int, Counts]:
    """Count row groups of one id without reading them, as long series have them."""
    return {
        i: (_key_array([group.lower]), np.array([group.rows]))
        for i, group in enumerate(groups)
        if group.lower == group.upper
    }


def _key_array(keys: Sequence[Any]) -> KeyArray:
    return np.array(keys, dtype=object if keys and isinstance(keys[0], str) else None)


def _weigh(groups: Sequence[Group], sample: Mapping[int, Counts]) -> Weighed:
    """Keys, the rows each stands for, lengths and ids of that length.

    A row group that was not read is taken to hold the sample's ids of its range, in the same
    proportions, if row groups that were read reach into that range. Of others only the range
    is known.
    """
    met, rows = merge_counts([keys for keys, _ in sample.values()], [n for _, n in sample.values()])
    growth = np.zeros(len(met) + 1)
    mass = np.concatenate([[0], np.cumsum(rows)])
    read = [groups[i] for i in sample]
    unread = [group for i, group in enumerate(groups) if i not in sample]
    alone: list[Group] = []
    for group, is_met in zip(unread, _reached(unread, read), strict=True):
        first = int(np.searchsorted(met, group.lower, side="left"))
        last = int(np.searchsorted(met, group.upper, side="right"))
        if last > first and is_met:
            growth[[first, last]] += np.array([1, -1]) * group.rows / (mass[last] - mass[first])
        else:
            alone.append(group)
    factor = 1 + np.cumsum(growth)[:-1].clip(0)
    lengths = rows * factor ** _overlap(groups, sample, len(met))
    return _with_ranges((met, rows * factor, lengths, rows * factor / lengths), alone)


def _reached(unread: Sequence[Group], read: Sequence[Group]) -> npt.NDArray[np.bool_]:
    """Whether the range of any row group that was read overlaps, in more than one key."""
    lowers = np.sort(_key_array([group.lower for group in read]))
    uppers = np.sort(_key_array([group.upper for group in read]))
    begun = np.searchsorted(lowers, _key_array([group.upper for group in unread]), side="left")
    ended = np.searchsorted(uppers, _key_array([group.lower for group in unread]), side="right")
    return begun > ended


def _overlap(groups: Sequence[Group], sample: Mapping[int, Counts], n_met: int) -> float:
    """How many ids the row groups share: 0 none, 1 each holds all of them.

    It decides whether ids of the sample continue in row groups that were not read, or whether
    those hold other ids.
    """
    sizes = [len(sample[i][0]) for i in sample if groups[i].lower != groups[i].upper]
    most = sum(sizes) - max(sizes, default=0)
    shared = sum(sizes) - n_met
    return min(max(shared / most, 0.0), 1.0) if most else 1.0


def _with_ranges(weighed: Weighed, alone: Sequence[Group]) -> Weighed:
    """Add the rows of row groups of which only the range is known, at points in it."""
    if not alone:
        return weighed
    met, rows, lengths, ids = weighed
    points = [_points(group) for group in alone]
    shares = [np.full(len(p), group.rows / len(p)) for p, group in zip(points, alone, strict=True)]
    keys, places = np.unique(np.concatenate([met, *points]), return_inverse=True)
    of_met = places[: len(met)]
    spread_lengths, spread_ids = np.zeros(len(keys)), np.zeros(len(keys))
    spread_lengths[of_met], spread_ids[of_met] = lengths, ids
    return keys, sums(places, np.concatenate([rows, *shares])), spread_lengths, spread_ids


def _points(group: Group) -> KeyArray:
    if isinstance(group.lower, str):
        return _key_array([group.lower, group.upper])
    if isinstance(group.lower, int):  # exact: floats would leave the range of int64 at its ends
        width = group.upper - group.lower
        inner = [group.lower + width * i // POINTS for i in range(POINTS)]
    else:  # the difference of two floats may be infinite
        inner = [group.lower * (1 - i / POINTS) + group.upper * (i / POINTS) for i in range(POINTS)]
    return _key_array([*inner, group.upper])


def _profile(weighed: Weighed, n_kinds: int) -> Profile:
    """Histogram of the lengths; ids outside the sample are assumed to be like those in it."""
    _, rows, lengths, ids = weighed
    met = ids > 0
    counts = ids[met] * (rows.sum() / (ids[met] * lengths[met]).sum())
    per_series = np.maximum(lengths[met] / n_kinds, 1.0)
    return Profile(*_binned(per_series, counts), round(float(rows.sum())), float(counts.sum()))


def _binned(lengths: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Join equal lengths, and near ones where there are many; the sum of values stays."""
    unique, places = np.unique(lengths, return_inverse=True)
    if len(unique) > PROFILE_BINS:
        edges = np.geomspace(unique[0], unique[-1] * (1 + 1e-9), PROFILE_BINS + 1)
        places = np.searchsorted(edges, lengths, side="right")
    joined = sums(places, counts)
    filled = joined > 0
    values = sums(places, counts * lengths)
    return values[filled] / joined[filled], joined[filled]


def _row_bytes(source: Source, keys: KeyArray) -> float:
    """Bytes of a row in memory; text as long as in the sample."""
    if keys.dtype != object:
        return float(row_width(source))
    some = keys[:: max(len(keys) // 1000, 1)]
    text = float(np.mean([len(key) for key in some]))
    return row_width(source) - float(text_width(source)) + text
