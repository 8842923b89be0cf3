"""A program fills its columns for blocks of any size, and reports failures and seconds."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.calculators import Failure, Program, calculator
from tidemill.calculators.program import to_compile
from tidemill.errors import ArgumentError, CalculationError
from tidemill.model.series import SeriesBlock

FEATURES = [("maximum", {}), ("quantile", {"q": 0.5}), ("mean", {}), ("quantile", {"q": 0.0})]


@pytest.fixture
def block(rng):
    lengths = rng.integers(1, 40, size=200)
    stops = np.cumsum(lengths)
    return SeriesBlock("x", rng.normal(size=stops[-1]), stops - lengths, stops)


def slowly(block):
    series = [block.values[a:b] for a, b in zip(block.starts, block.stops, strict=True)]
    return [[x.max(), np.quantile(x, 0.5), x.mean(), x.min()] for x in series]


def test_columns_stand_where_they_were_asked_for(block):
    out = np.empty((block.n_series, 4))
    assert Program(FEATURES).calculate(block, out) == []
    assert np.array_equal(out, slowly(block))


def test_columns_of_a_wider_matrix_are_filled_in_place(block):
    wide = np.full((block.n_series, 6), -1.0)
    Program(FEATURES).calculate(block, wide[:, 1:5])
    assert np.array_equal(wide[:, 1:5], slowly(block))
    assert (wide[:, [0, 5]] == -1).all()


@pytest.mark.parametrize("shape", [(3, 4), (200, 3)])
def test_an_array_of_another_shape_is_refused(block, shape):
    with pytest.raises(ArgumentError, match=r"out must be float64\[200, 4\], not float64"):
        Program(FEATURES).calculate(block, np.empty(shape))


def test_times_that_are_missing_are_refused(block):
    program = Program([("linear_trend_timewise", {"attr": "slope"})])
    with pytest.raises(ArgumentError, match="linear_trend_timewise needs time stamps"):
        program.calculate(block, np.empty((block.n_series, 1)))


def test_seconds_are_those_since_the_last_look(block):
    program = Program(FEATURES)
    program.calculate(block, np.empty((block.n_series, 4)))
    taken = program.take_seconds()
    names = {"maximum", "quantile", "mean", "need:sorted", "need:moments", "need:extremes"}
    assert set(taken) == names
    assert all(seconds >= 0 for seconds in taken.values())
    assert program.take_seconds() == {}


def test_a_failure_has_its_series_or_stops(block):
    @calculator(version="1")
    def long_of_program(values):
        if len(values) < 20:
            raise ValueError("short")
        return 1.0

    features, out = [("long_of_program", {})], np.empty((block.n_series, 1))
    failures = Program(features, "nan").calculate(block, out)
    short = np.flatnonzero(block.lengths < 20)
    assert failures == [Failure(row, "long_of_program", "ValueError: short") for row in short]
    assert np.array_equal(np.flatnonzero(np.isnan(out[:, 0])), short)
    with pytest.raises(CalculationError, match="leave NaN in its cells with on_error='nan'"):
        Program(features).calculate(block, out)


def test_what_was_warmed_up_is_compiled():
    program = Program(FEATURES)
    program.warmup()
    assert to_compile([program, Program(FEATURES)]) == 0
