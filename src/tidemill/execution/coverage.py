"""How many values each id has of each kind, and what share is missing since earlier intervals.

The counts of an interval are kept in a file of their own, so it is bounded: above
:data:`MOST_COUNTS` pairs of id and kind only totals per id are kept, and above as many ids only
totals of :data:`BUCKETS` buckets of ids. Intervals are compared at the coarsest of their grains.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import shorten
from tidemill.model.aliases import Index

__all__ = ["Coverage", "CoverageDrop", "CoverageGatherer", "coverage_drop"]

#: Counts that a file holds at most: about 4 MB compressed.
MOST_COUNTS = 1_000_000
#: Groups of ids, told apart by a digest of their text, if there are too many ids to name.
BUCKETS = 65_536
#: Pairs named in a sentence.
NAMED = 3

Grain = Literal["pairs", "ids", "buckets"]
_GRAINS: tuple[Grain, ...] = ("pairs", "ids", "buckets")  # finest first
_TOTAL = "all kinds"


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """The number of values per id and kind; ids that occur twice add up."""

    ids: pa.Array  # [k], as text; numbers of buckets if there are too many
    counts: Mapping[str, Index]  # kind -> int64[k]; above "pairs" of all kinds together
    grain: Grain = "pairs"

    @property
    def size(self) -> int:
        """How many counts it holds."""
        return len(self.ids) * len(self.counts)

    def to_bytes(self) -> bytes:
        """The counts as a compressed Arrow file."""
        arrays = [self.ids, *(pa.array(one) for one in self.counts.values())]
        about = json.dumps({"grain": self.grain, "kinds": list(self.counts)})
        names = [str(place) for place in range(len(arrays))]
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        batch = batch.replace_schema_metadata({"tidemill": about})
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
        with pa.ipc.new_file(sink, batch.schema, options=options) as file:
            file.write_batch(batch)
        content: bytes = sink.getvalue().to_pybytes()
        return content

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read back what :meth:`to_bytes` returned; ``ValueError`` if it is damaged."""
        try:
            options = pa.ipc.IpcReadOptions(use_threads=False)
            batch = pa.ipc.open_file(pa.BufferReader(data), options=options).get_batch(0)
            about = json.loads(batch.schema.metadata[b"tidemill"])
            columns = (one.to_numpy() for one in batch.columns[1:])
            counts = dict(zip(about["kinds"], columns, strict=True))
            return cls(batch.column(0), counts, about["grain"])
        except (pa.ArrowException, OSError, KeyError, TypeError) as error:
            raise ValueError(f"not the coverage of an interval: {error}") from error

    def at(self, grain: Grain) -> Coverage:
        """The same values, counted at a coarser grain.

        Examples
        --------
        >>> fine = Coverage(pa.array(["a", "b"]), {"x": np.array([2, 3]), "y": np.array([1, 0])})
        >>> fine.at("ids").counts["all kinds"].tolist()
        [3, 3]
        """
        if _GRAINS.index(grain) <= _GRAINS.index(self.grain):
            return self
        totals = np.zeros(len(self.ids), np.int64)
        for counts in self.counts.values():
            totals += counts
        if grain == "ids":
            return Coverage(self.ids, {_TOTAL: totals}, grain)
        found = _sums(_buckets(self.ids), totals, BUCKETS)
        return Coverage(pa.array(np.arange(BUCKETS).astype(str)), {_TOTAL: found}, grain)


def _buckets(ids: pa.Array) -> npt.NDArray[np.intp]:
    """The bucket of each id, the same in every process."""
    texts = ids.to_numpy(zero_copy_only=False)
    digests = pd.util.hash_array(texts, categorize=False)
    return (digests % np.uint64(BUCKETS)).astype(np.intp)


def _sums(places: npt.NDArray[np.intp], counts: Index, size: int) -> Index:
    sums = np.zeros(size, np.int64)
    np.add.at(sums, places, counts)
    return sums


class CoverageGatherer:
    """Counts the values of many ids, some at a time, in bounded memory.

    Examples
    --------
    >>> gatherer = CoverageGatherer()
    >>> gatherer.add(pa.array([7, 8]), {"x": np.array([24, 12])})
    >>> gatherer.add(pa.array([9]), {"y": np.array([24])})
    >>> found = gatherer.coverage()
    >>> found.ids.to_pylist(), found.counts["x"].tolist()
    (['7', '8', '9'], [24, 12, 0])
    """

    def __init__(self, most: int = MOST_COUNTS) -> None:
        self._most = most
        self._grain: Grain = "pairs"
        self._held: list[Coverage] = []
        self._size = 0

    def add(self, ids: pa.Array, lengths: Mapping[str, Index]) -> None:
        """Add ids, as the sink holds them, and their numbers of values by kind, int64[k] each."""
        self.merge(Coverage(_texts(ids), lengths))

    def merge(self, other: Coverage) -> None:
        """Add what was counted elsewhere."""
        if _GRAINS.index(other.grain) > _GRAINS.index(self._grain):
            self._coarsen(other.grain)
        self._held.append(other.at(self._grain))
        self._size += self._held[-1].size
        for grain in _GRAINS:
            if self._size <= self._most:
                break
            if _GRAINS.index(grain) >= _GRAINS.index(self._grain):
                self._coarsen(grain)

    def coverage(self) -> Coverage:
        """All counts so far; too many for one file are counted at a coarser grain."""
        self._coarsen(self._grain)
        return self._held[0]

    def _coarsen(self, grain: Grain) -> None:
        self._grain = grain
        whole = _joined(self._held, grain)
        self._held, self._size = [whole], whole.size


def _joined(held: Sequence[Coverage], grain: Grain) -> Coverage:
    """Several as one, at a grain that is not finer than any of theirs."""
    same = [one.at(grain) for one in held]
    if grain == "buckets" and same:
        totals = np.sum([one.counts[_TOTAL] for one in same], axis=0)
        return Coverage(pa.array(np.arange(BUCKETS).astype(str)), {_TOTAL: totals}, grain)
    ids = pa.concat_arrays([one.ids for one in same]) if same else pa.array([], pa.string())
    kinds = dict.fromkeys(kind for one in same for kind in one.counts)
    counts = {kind: np.concatenate([_of_kind(one, kind) for one in same]) for kind in kinds}
    return Coverage(ids, counts, grain)


def _of_kind(one: Coverage, kind: str) -> Index:
    found = one.counts.get(kind)
    return np.zeros(len(one.ids), np.int64) if found is None else found.astype(np.int64, copy=False)


def _texts(ids: pa.Array) -> pa.Array:
    """Ids as people read them: composite ones as tuples."""
    if not pt.is_struct(ids.type):
        return ids.cast(pa.string())
    parts = [part.cast(pa.string()) for part in ids.flatten()]
    joined = pc.binary_join_element_wise(*parts, ", ")
    return pc.binary_join_element_wise("(", joined, ")", "")


@dataclass(frozen=True, slots=True)
class CoverageDrop:
    """The share of the values per id and kind that are missing, compared with before."""

    share: Fraction
    reference: str  # what it was compared with, in words
    worst: tuple[str, ...] = ()  # the pairs that lack most, in words

    @property
    def text(self) -> str:
        """What is missing most, and compared with what."""
        named = f", most of {shorten(self.worst)}" if self.worst else ""
        return f"compared with {self.reference}{named}"


@dataclass(slots=True)
class _Missing:
    """What is missing compared with one reference, summed over kinds."""

    reference: str
    missing: float = 0.0
    expected: float = 0.0
    pairs: list[tuple[float, str]] = field(default_factory=list)  # that lack most, in words

    def add(self, short: npt.NDArray[np.float64], expected: float) -> None:
        self.missing += float(short.sum())
        self.expected += expected

    def drop(self) -> CoverageDrop | None:
        """Medians are whole or half numbers: the sums are exact."""
        if not self.expected:
            return None
        worst = sorted(self.pairs, key=lambda pair: -pair[0])[:NAMED]
        share = Fraction(int(2 * self.missing), int(2 * self.expected))
        return CoverageDrop(share, self.reference, tuple(text for _, text in worst))


def coverage_drop(
    now: Coverage, earlier: Sequence[Coverage], before: str | None
) -> CoverageDrop | None:
    """The share of values per id and kind that are missing; None if nothing was there before.

    It is the larger of two: compared with the interval before, and with each pair's median over
    the earlier intervals. A pair that has more values than before makes up for no other, and a new
    id is no drop.

    Parameters
    ----------
    now : the counts of this interval
    earlier : those of earlier intervals, the latest last
    before : the interval before, for people; None if its counts are not the last of ``earlier``

    Examples
    --------
    >>> ids = pa.array(["1", "2"])
    >>> yesterday = Coverage(ids, {"x": np.array([24, 24])})
    >>> drop = coverage_drop(Coverage(ids, {"x": np.array([30, 12])}), [yesterday], "2026-11-26")
    >>> drop.share, drop.text
    (Fraction(1, 4), 'compared with 2026-11-26, most of 2, x (24 to 12)')
    """
    if not earlier:
        return None
    n = len(earlier)
    median = f"the median of {n} intervals before" if n > 1 else "one interval before"
    references = [_Missing(median)]
    if before is not None:
        references.insert(0, _Missing(before))
    for kind, ids, counts in _aligned([now, *earlier]):
        expected = [np.median(counts[1:], axis=0)]
        if before is not None:
            expected.insert(0, counts[-1].astype(np.float64))
        for one, values in zip(references, expected, strict=True):
            short = np.maximum(values - counts[0], 0)
            one.add(short, float(values.sum()))
            one.pairs += _worst(kind, ids, short, values, counts[0])
    drops = [drop for one in references if (drop := one.drop()) is not None]
    return max(drops, key=lambda drop: drop.share, default=None)


def _aligned(several: Sequence[Coverage]) -> Iterator[tuple[str, pa.Array, Index]]:
    """Each kind, all ids, and the counts of each coverage, int64[n, k]."""
    grain = max((one.grain for one in several), key=_GRAINS.index)
    same = [one.at(grain) for one in several]
    coded = pa.concat_arrays([one.ids for one in same]).dictionary_encode()
    places = coded.indices.to_numpy().astype(np.intp)
    ends = np.cumsum([0, *(len(one.ids) for one in same)])
    own = [places[first:last] for first, last in pairwise(ends)]
    size = len(coded.dictionary)
    ids = coded.dictionary if grain != "buckets" else None
    for kind in dict.fromkeys(kind for one in same for kind in one.counts):
        pairs = zip(same, own, strict=True)
        yield kind, ids, np.stack([_sums(at, _of_kind(one, kind), size) for one, at in pairs])


def _worst(
    kind: str,
    ids: pa.Array | None,
    short: npt.NDArray[np.float64],
    expected: npt.NDArray[np.float64],
    now: Index,
) -> list[tuple[float, str]]:
    """The pairs of one kind that lack most, and how much."""
    if ids is None:
        return []
    most = np.argsort(-short, kind="stable")[:NAMED]
    return [
        (float(short[at]), f"{ids[int(at)]}, {kind} ({expected[at]:,.10g} to {now[at]:,})")
        for at in most
        if short[at]
    ]
