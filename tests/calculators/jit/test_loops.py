"""The loop over the series of a block, which is compiled around each kernel."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.calculators import Program
from tidemill.model.series import SeriesBlock


def calculated(lengths, features, rng):
    values = rng.normal(size=sum(lengths))
    stops = np.cumsum(lengths)
    starts = stops - lengths
    program = Program(features)
    out = np.full((len(lengths), len(program.columns)), -1.0)
    program.calculate(SeriesBlock("x", values, starts, stops), out)
    return out, [values[first:last] for first, last in zip(starts, stops, strict=True)]


def test_each_series_gets_its_own_row(rng):
    out, series = calculated([3, 1, 7], [("maximum", {}), ("sum_values", {})], rng)
    np.testing.assert_allclose(out, [[one.max(), one.sum()] for one in series])


@pytest.mark.parametrize("lengths", [[2, 5], [5, 2], [2, 2]])
def test_series_below_the_least_length_are_nan_and_the_others_are_not(lengths, rng):
    """The kurtosis needs four values."""
    out, series = calculated(lengths, [("kurtosis", {})], rng)
    assert np.isnan(out[:, 0]).tolist() == [len(one) < 4 for one in series]


def test_parameters_fill_one_column_each(rng):
    lags = [("autocorrelation", {"lag": lag}) for lag in (0, 1, 2)]
    out, (one,) = calculated([50], lags, rng)
    centred = one - one.mean()
    wanted = [
        (centred[lag:] * centred[: len(one) - lag]).sum() / ((len(one) - lag) * one.var())
        for lag in (0, 1, 2)
    ]
    np.testing.assert_allclose(out[0], wanted)
