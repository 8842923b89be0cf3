"""Window arithmetic against loops over windows and rows, and what `window` and `step` may be."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import ArgumentError
from tidemill.frames.windows import (
    Cutoffs,
    Track,
    WindowSpan,
    count_cutoffs,
    grid_cutoffs,
    join_tracks,
    longest_windows,
    parse_span,
    places,
    slices,
)

SERIES = st.lists(st.lists(st.integers(-60, 60), unique=True, max_size=12), min_size=1, max_size=4)
SPANS = st.one_of(
    st.builds(WindowSpan, rows=st.integers(1, 6)),
    st.builds(WindowSpan, nanoseconds=st.integers(1, 40)),
)


def track_of(series: list[list[int]]) -> Track:
    """The series one after the other, the last one first."""
    turned = [sorted(one) for one in reversed(series)]
    stops = np.cumsum([len(one) for one in turned])[::-1].copy()
    lengths = np.array([len(one) for one in series])
    return Track(np.array([key for one in turned for key in one], np.int64), stops - lengths, stops)


def everything(cutoffs: Cutoffs) -> list[tuple[int, int]]:
    ids, found = cutoffs.take(np.arange(cutoffs.n_windows))
    return list(zip(ids.tolist(), found.tolist(), strict=True))


def inside(keys: list[int], cutoff: int, window: WindowSpan, include: bool) -> list[int]:
    """The window's keys, one by one."""
    before = [key for key in sorted(keys) if key < cutoff or (include and key == cutoff)]
    if window.rows:
        return before[-window.rows :]
    lower = cutoff - window.nanoseconds
    return [key for key in before if key > lower or (not include and key == lower)]


@given(SERIES, SPANS, st.booleans(), st.lists(st.integers(-70, 70), max_size=8))
def test_slices_hold_what_lies_in_the_window(series, window, include, cutoffs):
    track = track_of(series)
    ids = np.arange(len(cutoffs)) % (len(series) + 1) - 1
    wanted = np.array(cutoffs, np.int64)
    starts, stops = slices(track, ids, wanted, window, include_cutoff=include)
    for place, cutoff, start, stop in zip(ids, cutoffs, starts, stops, strict=True):
        expected = inside(series[place], cutoff, window, include) if place >= 0 else []
        assert track.keys[start:stop].tolist() == expected
    starts, stops = slices(track, ids, wanted, None, include_cutoff=include)
    every = [track.keys[a:b].tolist() for a, b in zip(starts, stops, strict=True)]
    whole = WindowSpan(rows=99)
    assert every == [
        inside(series[place], cutoff, whole, include) if place >= 0 else []
        for place, cutoff in zip(ids, cutoffs, strict=True)
    ]


@given(SERIES, SPANS, st.integers(1, 30), st.booleans())
def test_cutoffs_on_the_grid_are_those_whose_windows_hold_rows(series, window, step, include):
    latest = max((max(one) for one in series if one), default=None)
    expected = []
    if latest is not None:
        grid = range(-150 // step * step, 200, step)
        last = next(end for end in grid if end > latest or (include and end == latest))
        expected = [
            (place, end)
            for place, keys in enumerate(series)
            for end in grid
            if end <= last and inside(keys, end, window, include)
        ]
    found = grid_cutoffs(track_of(series), step, window, include_cutoff=include)
    assert everything(found) == expected


@given(SERIES, st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_cutoffs_at_rows(series, step, anchor, least, include):
    expected = [
        (place, keys[before - include])
        for place, keys in enumerate(map(sorted, series))
        for before in range(least, len(keys) + include)
        if (before - anchor) % step == 0
    ]
    found = count_cutoffs(
        track_of(series), step, anchor=anchor, least=least, include_cutoff=include
    )
    assert everything(found) == expected


@given(SERIES, SERIES)
def test_moments_are_the_keys_of_all_kinds(one, two):
    n_ids = max(len(one), len(two))
    one, two = (series + [[]] * (n_ids - len(series)) for series in (one, two))
    found = join_tracks([track_of(one), track_of(two), track_of(one)])
    assert [found.keys[a:b].tolist() for a, b in zip(found.starts, found.stops, strict=True)] == [
        sorted({*a, *b}) for a, b in zip(one, two, strict=True)
    ]


def test_kinds_of_the_same_rows_have_one_track():
    track = track_of([[1, 2]])
    assert join_tracks([track, track]) is track


def test_any_windows_can_be_asked_for():
    cutoffs = Cutoffs(np.array([3, -1]), np.array([10, 4]), np.array([2, 5]), step=2)
    ids, found = cutoffs.take(np.array([4, 0, 2]))
    assert ids.tolist() == [-1, 3, -1]
    assert found.tolist() == [8, 10, 4]


def test_the_ends_of_time_do_not_overflow():
    lowest, highest = pd.Timestamp.min.value, pd.Timestamp.max.value
    track = Track(np.array([lowest, highest]), np.array([0]), np.array([2]))
    hour = WindowSpan(nanoseconds=3_600 * 10**9)
    found = everything(grid_cutoffs(track, 10**15, hour, include_cutoff=False))
    assert [end for _, end in found if not lowest < end <= highest] == []
    ends = np.array([lowest, highest])
    starts, stops = slices(track, np.array([0, 0]), ends, hour, include_cutoff=True)
    assert (stops - starts).tolist() == [1, 1]


def test_places_in_floats_and_in_nothing():
    keys = np.array([0.5, 1.5])
    edges = np.array([0]), np.array([2])
    assert places(keys, *edges, np.array([1.5]), after=False).tolist() == [1]
    none = np.zeros(0)
    assert places(none, np.array([0]), np.array([0]), np.array([1.0]), after=True).tolist() == [0]


@pytest.mark.parametrize(
    ("given", "span"),
    [
        (7, WindowSpan(rows=7)),
        (np.int32(7), WindowSpan(rows=7)),
        ("90s", WindowSpan(nanoseconds=90 * 10**9)),
        (timedelta(minutes=1), WindowSpan(nanoseconds=60 * 10**9)),
        (pd.Timedelta("1h"), WindowSpan(nanoseconds=3_600 * 10**9)),
        (np.timedelta64(5, "s"), WindowSpan(nanoseconds=5 * 10**9)),
    ],
)
def test_spans(given, span):
    assert parse_span("window", given) == span


@pytest.mark.parametrize("given", [0, -1, 1.5, True, np.nan, "1000", "", "-1h", None, []])
def test_what_is_no_span(given):
    with pytest.raises(ArgumentError, match=r"^step=.* is not allowed; give .*'15min', '1h'"):
        parse_span("step", given)


def test_the_longest_window_is_bounded_by_the_series_and_by_rows():
    tracks = [track_of([[1, 2, 3], [4]]), track_of([[1, 2]])]
    assert longest_windows(tracks, None) == 3
    assert longest_windows(tracks, WindowSpan(rows=2)) == 2
    assert longest_windows(tracks, WindowSpan(rows=9)) == 3
    assert longest_windows(tracks, WindowSpan(nanoseconds=1)) == 3
    assert longest_windows([], WindowSpan(rows=2)) == 0
