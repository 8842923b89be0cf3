"""Blocks are views of one array; ranges of series cover all of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.model.series import BLOCK_VALUES, Batch, SeriesBlock


def block_of(lengths: list[int], *, with_times: bool = False) -> SeriesBlock:
    stops = np.cumsum(lengths, dtype=np.int64)
    values = np.arange(sum(lengths), dtype=np.float64)
    times = np.arange(len(values)) * 10 if with_times else None
    return SeriesBlock("x", values, stops - np.array(lengths, np.int64), stops, times)


def series(block: SeriesBlock) -> list[list[float]]:
    return [
        block.values[start:stop].tolist()
        for start, stop in zip(block.starts, block.stops, strict=True)
    ]


def test_numbers_and_lengths():
    block = block_of([3, 0, 2])
    assert block.n_series == 3
    assert block.lengths.tolist() == [3, 0, 2]
    assert series(block) == [[0, 1, 2], [], [3, 4]]


@pytest.mark.parametrize("with_times", [False, True])
def test_cuts_and_takes_are_views_of_the_same_values(with_times):
    block = block_of([1, 2, 3, 4], with_times=with_times)
    cut, taken = block.cut(1, 3), block.take(np.array([3, 0, 3]))
    assert series(cut) == series(block)[1:3]
    assert series(taken) == [series(block)[place] for place in (3, 0, 3)]
    for view in (cut, taken):
        assert view.values is block.values
        assert view.times is block.times
        assert view.kind == "x"


def test_slices_may_overlap():
    windows = SeriesBlock("x", np.arange(5.0), np.array([0, 1, 2]), np.array([3, 4, 5]))
    assert series(windows) == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert list(windows.split(6)) == [(0, 2), (2, 3)]


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 100))
def test_ranges_cover_all_series_once_and_are_no_larger_than_asked_for(lengths, n_values):
    ranges = list(block_of(lengths).split(n_values))
    assert [one for first, last in ranges for one in range(first, last)] == list(
        range(len(lengths))
    )
    for first, last in ranges:
        assert sum(lengths[first:last]) <= n_values or last == first + 1
    for first, last in ranges[:-1]:
        assert sum(lengths[first : last + 1]) > n_values, "one more series would have fitted"


def test_a_series_that_is_longer_than_a_block_stands_alone():
    block = block_of([1, BLOCK_VALUES + 1, 1])
    assert list(block.split()) == [(0, 1), (1, 2), (2, 3)]


def test_the_rows_of_a_batch_are_those_of_all_kinds():
    blocks = {"x": block_of([3, 4]), "y": block_of([0, 1])}
    assert Batch(pa.array([1, 2]), blocks).n_rows == 8
    assert Batch(pa.array([], pa.int64()), {}).n_rows == 0
