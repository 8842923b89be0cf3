"""A series' values depend on nothing but the series."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill.calculators import CALCULATORS, Program, preset
from tidemill.calculators.table.build import ROWS
from tidemill.errors import ArgumentError
from tidemill.model.series import SeriesBlock

from .families import FAMILIES, LENGTHS, blocks_of, make, make_times

PROGRAM = Program([*preset("comprehensive", times=True)])
SERIES = [(family, n) for n in (0, *LENGTHS, 600, 1_300) for family in ("walk", "ties", "offset")]


def _block(chosen, readonly=False):
    values, starts, stops = blocks_of([make(*key) for key in chosen])
    times = np.concatenate([*(make_times(n) for _, n in chosen), np.empty(0, np.int64)])
    if readonly:
        values.flags.writeable = False
    return SeriesBlock("x", values, starts, stops, times)


def _matrix(chosen, **options):
    block = _block(chosen, **options)
    out = np.full((len(chosen), len(PROGRAM.columns)), -7.0)
    assert PROGRAM.calculate(block, out) == []
    return out


@pytest.fixture(scope="module")
def alone():
    return {key: _matrix([key]) for key in SERIES}


@settings(max_examples=25, deadline=None)
@given(chosen=st.lists(st.sampled_from(SERIES), max_size=25))
def test_any_split_and_order_gives_the_same_bits(alone, chosen):
    together = _matrix(chosen)
    apart = np.concatenate([np.empty((0, len(PROGRAM.columns))), *(alone[key] for key in chosen)])
    assert together.tobytes() == apart.tobytes()


def test_long_blocks_are_cut_without_a_trace(alone):
    chosen = [("walk", 1_300), ("ties", 600)] * 60  # 114,000 values
    matrix = _matrix(chosen)
    assert matrix.tobytes() == b"".join(alone[key].tobytes() for key in chosen)


def test_overlapping_series_are_slices():
    values = make("walk", 500)
    starts = np.arange(0, 400, 7, dtype=np.int64)
    stops = starts + 100
    times = make_times(500)
    out = np.empty((len(starts), len(PROGRAM.columns)))
    PROGRAM.calculate(SeriesBlock("x", values, starts, stops, times), out)
    for i, start in enumerate(starts):
        single = np.empty((1, len(PROGRAM.columns)))
        cut = slice(start, start + 100)
        ends = np.array([100])
        PROGRAM.calculate(SeriesBlock("x", values[cut], ends * 0, ends, times[cut]), single)
        assert single.tobytes() == out[i].tobytes()


def test_readonly_values_and_strided_results_are_welcome(alone):
    chosen = SERIES[:20]
    assert _matrix(chosen, readonly=True).tobytes() == _matrix(chosen).tobytes()
    wide = np.zeros((20, 2 * len(PROGRAM.columns)))
    PROGRAM.calculate(_block(chosen), wide[:, ::2])
    assert wide[:, ::2].tobytes() == _matrix(chosen).tobytes()


def test_the_order_of_features_does_not_change_values():
    features = list(preset("comprehensive"))
    shuffled = [features[i] for i in np.random.default_rng(0).permutation(len(features))]
    block = _block([("walk", 257), ("noise", 31)])
    straight, mixed = np.empty((2, len(features))), np.empty((2, len(features)))
    Program(features).calculate(block, straight)
    program = Program(shuffled)
    program.calculate(block, mixed)
    places = [Program(features).columns.index(column) for column in program.columns]
    assert straight[:, places].tobytes() == mixed.tobytes()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_one_calculator_alone_gives_the_same_bits(row):
    features = [(row.name, params) for params in row.grid]
    program = Program(features)
    block = _block([("walk", 257), ("noise", 3), ("ties", 50)])
    out = np.empty((3, len(features)))
    program.calculate(block, out)
    full = np.empty((3, len(PROGRAM.columns)))
    PROGRAM.calculate(block, full)
    places = [PROGRAM.columns.index(column) for column in program.columns]
    assert out.tobytes() == full[:, places].tobytes()


def test_an_empty_series_has_length_zero_and_nan_elsewhere():
    matrix = _matrix([("walk", 0)])[0]
    place = PROGRAM.columns.index("length")
    assert matrix[place] == 0
    assert np.isnan(np.delete(matrix, place)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_short_series_get_nan_below_the_minimum_length_only(family):
    for row in ROWS:
        program = Program([(row.name, row.grid[0])])
        for n in range(row.minimum_length):
            out = np.zeros((1, 1))
            program.calculate(_block([(family, n)]), out)
            assert np.isnan(out[0, 0]), (row.name, n)


def test_no_series_is_no_problem():
    assert _matrix([]).shape == (0, len(PROGRAM.columns))


def test_wrong_results_array_is_refused():
    with pytest.raises(ArgumentError, match="out must be float64"):
        PROGRAM.calculate(_block([("walk", 5)]), np.empty((2, len(PROGRAM.columns))))


def test_missing_times_are_refused_by_name():
    values, starts, stops = blocks_of([make("walk", 5)])
    program = Program([("linear_trend_timewise", {"attr": "slope"})])
    assert program.needs_times
    with pytest.raises(ArgumentError, match="linear_trend_timewise needs time stamps"):
        program.calculate(SeriesBlock("x", values, starts, stops), np.empty((1, 1)))


def test_seconds_name_calculators_and_intermediates():
    program = Program([("quantile", {"q": 0.5}), ("median", {})])
    block = _block([("walk", 50)])
    program.calculate(block, np.empty((1, 2)))
    program.calculate(block, np.empty((1, 2)))
    assert set(program.take_seconds()) == {"quantile", "median", "need:sorted", "need:median"}
    assert program.take_seconds() == {}


def test_every_row_has_a_summary_and_a_way_to_be_calculated():
    for row in ROWS:
        assert CALCULATORS[row.name] is row
        assert row.summary.endswith(".")
        assert bool(row.kernel) != (row.element >= 0)
        for params in row.grid:
            row.check(params)


def test_threads_share_a_program(alone):
    chosen = [key for key in SERIES if key[1] > 200]
    wanted = b"".join(alone[key].tobytes() for key in chosen)
    with ThreadPoolExecutor(4) as pool:
        matrices = list(pool.map(lambda _: _matrix(chosen).tobytes(), range(8)))
    assert set(matrices) == {wanted}


@pytest.mark.parametrize("step", [-7, 0, 1, 7, 400])
def test_windows_that_overlap_have_the_values_of_copies(step):
    values, length = make("walk", 4_000), 400
    starts = 1_000 + step * np.arange(6)
    copies = np.concatenate([values[start : start + length] for start in starts])
    times = np.arange(len(values))
    stops = length * np.arange(1, 7)
    found, expected = np.empty((2, 6, len(PROGRAM.columns)))
    PROGRAM.calculate(SeriesBlock("x", values, starts, starts + length, times), found)
    times = np.concatenate([times[start : start + length] for start in starts])
    PROGRAM.calculate(SeriesBlock("x", copies, stops - length, stops, times), expected)
    np.testing.assert_array_equal(found, expected)
