"""Window arithmetic: from sort keys and cutoffs to slices of series, which may overlap.

Keys are int64 (times in nanoseconds, or integers) or float64. They ascend strictly within each
slice of a :class:`Track`. Nothing here loops over windows or ids, and nothing stores all windows:
:class:`Cutoffs` computes any of them on demand.
"""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidemill.errors import ArgumentError
from tidemill.model.aliases import Index
from tidemill.model.durations import parse_duration
from tidemill.model.series import Batch

__all__ = [
    "Cutoffs",
    "Track",
    "WindowSpan",
    "count_cutoffs",
    "grid_cutoffs",
    "join_tracks",
    "longest_windows",
    "parse_span",
    "places",
    "slices",
    "tracks_of",
]

#: Sort keys and cutoffs, int64 or float64.
WindowKeys: TypeAlias = npt.NDArray[Any]

_LOWEST, _HIGHEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class WindowSpan:
    """The length of a window or of a step, in rows or nanoseconds; the other is 0."""

    rows: int = 0
    nanoseconds: int = 0


def parse_span(argument: str, value: Any) -> WindowSpan:
    """Parse a number of rows or a duration.

    Raises
    ------
    ArgumentError
        If it is neither, or not above 0.

    Examples
    --------
    >>> parse_span("window", 1000), parse_span("step", "15min")
    (WindowSpan(rows=1000, nanoseconds=0), WindowSpan(rows=0, nanoseconds=900000000000))
    """
    # To numbers.Number, a timedelta64 is an integer.
    is_number = isinstance(value, numbers.Number) and not isinstance(value, np.timedelta64)
    if not is_number:
        return WindowSpan(nanoseconds=parse_duration(argument, value))
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ArgumentError(
            f"{argument}={value!r} is not allowed; give a whole number of rows from 1 up, or a "
            "duration such as '15min', '1h' or '7d'"
        )
    return WindowSpan(rows=int(value))


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The sort keys of series, one series per id."""

    keys: WindowKeys  # [n], strictly ascending within each series
    starts: Index  # int64[k]
    stops: Index  # int64[k]

    @property
    def lengths(self) -> Index:
        """Rows of each series, int64[k]."""
        return self.stops - self.starts

    def rows(self) -> tuple[Index, Index]:
        """Position of every row and of its id, series by series.

        Examples
        --------
        >>> Track(np.array([7, 9, 5]), np.array([2, 0]), np.array([3, 2])).rows()
        (array([2, 0, 1]), array([0, 1, 1]))
        """
        lengths = self.lengths
        ids = np.repeat(np.arange(len(lengths)), lengths)
        before = np.cumsum(lengths) - lengths
        return np.arange(len(ids)) + (self.starts - before)[ids], ids


def tracks_of(batch: Batch) -> dict[str, Track]:
    """The track of each kind; kinds that share their rows share a track."""
    made: dict[tuple[int, int], Track] = {}
    found = {}
    for kind, block in batch.blocks.items():
        keys = batch.keys[kind]
        track = Track(keys, block.starts, block.stops)
        found[kind] = made.setdefault((id(keys), id(block.starts)), track)
    return found


def join_tracks(tracks: Iterable[Track]) -> Track:
    """The moments of each id: the distinct keys that it has in any of the tracks.

    Examples
    --------
    >>> one = Track(np.array([1, 3]), np.array([0]), np.array([2]))
    >>> two = Track(np.array([2, 3]), np.array([0]), np.array([2]))
    >>> join_tracks([one, two]).keys
    array([1, 2, 3])
    """
    different = list({id(track): track for track in tracks}.values())
    if len(different) == 1:
        return different[0]
    rows = [track.rows() for track in different]
    keys = np.concatenate([t.keys[place] for t, (place, _) in zip(different, rows, strict=True)])
    ids = np.concatenate([owner for _, owner in rows])
    order = np.lexsort((keys, ids))
    keys, ids = keys[order], ids[order]
    new = np.ones(len(keys), np.bool_)
    new[1:] = (keys[1:] != keys[:-1]) | (ids[1:] != ids[:-1])
    stops = np.cumsum(np.bincount(ids[new], minlength=len(different[0].starts)))
    return Track(keys[new], np.append(0, stops[:-1]), stops)


@dataclass(frozen=True, slots=True, eq=False)
class Cutoffs:
    """The id and the cutoff of each window, in the order of the matrix.

    A run is a sequence of windows of one id. Their cutoffs are the ``keys`` at ``first``,
    ``first + step``, ...; if ``keys`` is None, these numbers times ``unit``.
    """

    ids: Index  # int64[r], position of each run's id; -1 for an id without series
    first: Index  # int64[r]
    stops: Index  # int64[r], number of windows up to the end of each run
    step: int = 1
    unit: int = 1  # nanoseconds
    keys: WindowKeys | None = None

    @property
    def n_windows(self) -> int:
        """Number of windows of all runs."""
        return int(self.stops[-1]) if len(self.stops) else 0

    def take(self, windows: Index) -> tuple[Index, WindowKeys]:
        """Ids and cutoffs of these windows.

        Examples
        --------
        >>> hours = Cutoffs(np.array([0, 1]), np.array([5, 9]), np.array([2, 3]), unit=60)
        >>> hours.take(np.arange(3))
        (array([0, 0, 1]), array([300, 360, 540]))
        """
        run = np.searchsorted(self.stops, windows, side="right")
        before = np.append(0, self.stops)[run]
        numbers_ = self.first[run] + self.step * (windows - before)
        return self.ids[run], numbers_ * self.unit if self.keys is None else self.keys[numbers_]


def _runs(ids: Index, first: Index, counts: Index, **how: Any) -> Cutoffs:
    kept = counts > 0
    return Cutoffs(ids[kept], first[kept], np.cumsum(counts[kept]), **how)


def count_cutoffs(
    moments: Track, step: int, *, anchor: int, least: int, include_cutoff: bool
) -> Cutoffs:
    """Cutoffs every ``step`` rows, one of them after the first ``anchor`` rows of each id.

    A cutoff is the key of the first row after the window, or of the window's last row if the
    cutoff is included.

    Parameters
    ----------
    moments : rows of each id
    step : rows between cutoffs
    anchor : rows before one of the cutoffs; the others are multiples of the step away
    least : rows before the first cutoff, at least
    include_cutoff : whether a window includes the row at its cutoff

    Examples
    --------
    >>> moments = Track(np.arange(10, 17), np.array([0]), np.array([7]))
    >>> count_cutoffs(moments, 2, anchor=3, least=2, include_cutoff=False).take(np.arange(2))
    (array([0, 0]), array([13, 15]))
    """
    fewest = least + (anchor - least) % step
    most = moments.lengths if include_cutoff else moments.lengths - 1
    counts = np.maximum((most - fewest) // step + 1, 0)
    first = moments.starts + fewest - include_cutoff
    return _runs(np.arange(len(first)), first, counts, step=step, keys=moments.keys)


def grid_cutoffs(moments: Track, step: int, window: WindowSpan, *, include_cutoff: bool) -> Cutoffs:
    """Cutoffs at multiples of ``step`` nanoseconds since the epoch.

    All whose window holds a row, up to the first multiple whose window can hold the last row of
    all ids.

    Examples
    --------
    >>> moments = Track(np.array([3, 4, 28]), np.array([0]), np.array([3]))
    >>> found = grid_cutoffs(moments, 10, WindowSpan(nanoseconds=15), include_cutoff=False)
    >>> found.take(np.arange(found.n_windows))
    (array([0, 0]), array([10, 30]))
    """
    places_, ids = moments.rows()
    times = moments.keys[places_]
    if not len(times):
        return _runs(ids, ids, ids, unit=step)
    last = _limit(int(times.max()), step, include_cutoff=include_cutoff)
    low = _first_on_grid(times, step, include_cutoff=include_cutoff)
    high = np.full(len(times), last)
    if not window.rows:
        end = np.minimum(times, _HIGHEST - window.nanoseconds) + window.nanoseconds
        high = np.minimum(_first_on_grid(end, step, include_cutoff=include_cutoff) - 1, last)
    # Cutoffs that an earlier row of the id already has are not repeated.
    same = ids[1:] == ids[:-1]
    low[1:] = np.where(same, np.maximum(low[1:], high[:-1] + 1), low[1:])
    return _runs(ids, low, high - low + 1, unit=step)


def _first_on_grid(times: Index, step: int, *, include_cutoff: bool) -> Index:
    """Number of the first multiple of the step after the times, or at them if included."""
    floor = times // step
    return floor + (times % step > 0) if include_cutoff else floor + 1


def _limit(latest: int, step: int, *, include_cutoff: bool) -> int:
    """Number of the last cutoff; in Python's integers, which do not overflow."""
    end = -(-latest // step) if include_cutoff else latest // step + 1
    return min(end, _HIGHEST // step)


def places(
    keys: WindowKeys, starts: Index, stops: Index, wanted: WindowKeys, *, after: bool
) -> Index:
    """Position of the first key at or after ``wanted`` (``after``: only after) in each slice.

    A bisection of all slices at once; 0.3 us for a slice of a million rows.

    Examples
    --------
    >>> keys, starts, stops = np.array([1, 5, 9]), np.array([0, 0, 2]), np.array([3, 3, 3])
    >>> places(keys, starts, stops, np.array([5, 6, 0]), after=False)
    array([1, 2, 2])
    >>> places(keys, starts, stops, np.array([5, 6, 0]), after=True)
    array([2, 2, 2])
    """
    low, high = starts.copy(), stops.copy()
    longest = int((stops - starts).max(initial=0))
    for _ in range(longest.bit_length()):
        middle = (low + high) // 2
        is_open = low < high
        found = keys[np.minimum(middle, len(keys) - 1)]
        earlier = is_open & (found <= wanted if after else found < wanted)
        low = np.where(earlier, middle + 1, low)
        high = np.where(is_open & ~earlier, middle, high)
    return low


def slices(
    track: Track,
    ids: Index,
    cutoffs: WindowKeys,
    window: WindowSpan | None,
    *,
    include_cutoff: bool,
) -> tuple[Index, Index]:
    """Starts and stops of windows ``[cutoff - window, cutoff)``.

    Parameters
    ----------
    track : the series
    ids : int64[w], position of each window's id; -1 gives an empty window
    cutoffs : [w]
    window : rows or a duration; None: all rows before the cutoff
    include_cutoff : windows are ``(cutoff - window, cutoff]`` instead

    Examples
    --------
    >>> track = Track(np.array([10, 20, 30]), np.array([0]), np.array([3]))
    >>> ids, cutoffs = np.array([0, 0]), np.array([30, 31])
    >>> slices(track, ids, cutoffs, WindowSpan(rows=2), include_cutoff=False)
    (array([0, 1]), array([2, 3]))
    >>> slices(track, ids, cutoffs, WindowSpan(nanoseconds=20), include_cutoff=True)
    (array([1, 1]), array([3, 3]))
    """
    begins, ends = (np.append(edges, 0)[ids] for edges in (track.starts, track.stops))
    stops = places(track.keys, begins, ends, cutoffs, after=include_cutoff)
    if window is None:
        return begins, stops
    if window.rows:
        return np.maximum(begins, stops - window.rows), stops
    lower = np.maximum(cutoffs, _LOWEST + window.nanoseconds) - window.nanoseconds
    return places(track.keys, begins, stops, lower, after=include_cutoff), stops


def longest_windows(tracks: Iterable[Track], window: WindowSpan | None) -> int:
    """The most rows of one kind that a window can hold.

    Examples
    --------
    >>> longest_windows([Track(np.arange(3), np.array([0]), np.array([3]))], WindowSpan(rows=2))
    2
    """
    rows = max((int(track.lengths.max(initial=0)) for track in tracks), default=0)
    return min(rows, window.rows) if window is not None and window.rows else rows
