"""Moments and what follows from them, against numpy, pandas and fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from tidemill.calculators import recipe

from ..single import calculate
from ..slowly import ALL, LENGTHS, differences, series_of

SHARES = [{"r": r} for r in (-1.0, 0.0, 0.5, 1.0, 1.25, 2.0, 3.0, 10.0)]

BITS = {
    "sum_values": np.sum,
    "mean": np.mean,
    "variance": np.var,
    "standard_deviation": np.std,
    "maximum": np.max,
    "minimum": np.min,
    "absolute_maximum": lambda x: np.abs(x).max(),
    "root_mean_square": lambda x: np.sqrt(np.mean(np.square(x))),
    "abs_energy": lambda x: np.sum(x * x),
}


@pytest.mark.parametrize("name", BITS)
def test_moments_and_extremes_have_numpys_bits(name):
    for family in ALL:
        for n in LENGTHS[::3]:
            x = series_of(family, n)
            assert calculate(x, name)[0] == BITS[name](x), (family, n)


def _exact(x, power):
    """The sum of a power of the distances from the mean."""
    values = [Fraction(one) for one in x.tolist()]
    mean = sum(values) / len(values)
    return sum((one - mean) ** power for one in values)


def _skewness(x):
    n = len(x)
    return n * math.sqrt(n - 1) / (n - 2) * float(_exact(x, 3)) / float(_exact(x, 2)) ** 1.5


def _kurtosis(x):
    n = len(x)
    ratio = n * (n + 1) * (n - 1) * _exact(x, 4) / _exact(x, 2) ** 2
    return float((ratio - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3)))


@pytest.mark.parametrize("family", ["noise", "ties", "spikes", "offset", "tiny", "far", "vast"])
def test_skewness_and_kurtosis_equal_fractions(family):
    for n in (4, 5, 9, 30, 99):
        x = series_of(family, n)
        assert calculate(x, "skewness")[0] == pytest.approx(_skewness(x), rel=1e-9, abs=1e-9), n
        assert calculate(x, "kurtosis")[0] == pytest.approx(_kurtosis(x), rel=1e-9, abs=1e-9), n


@pytest.mark.parametrize("family", ["noise", "walk", "heavy", "binary"])
def test_skewness_and_kurtosis_equal_pandas(family):
    for n in LENGTHS:
        x = series_of(family, n)
        if n < 5 or np.ptp(x) > 0:
            series = pd.Series(x)
            found = calculate(x, "skewness")[0], calculate(x, "kurtosis")[0]
            wanted = (series.skew(), series.kurt()) if np.ptp(x) else (math.nan, math.nan)
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9, nan_ok=True), n


def _beyond(x, params):
    return [np.mean(np.abs(x - x.mean()) > one["r"] * x.std()) for one in params]


def _large(x, params):
    return [x.std() > one["r"] * (x.max() - x.min()) for one in params]


def _symmetric(x, params):
    distance = np.abs(x.mean() - np.median(x))
    return [distance < one["r"] * (x.max() - x.min()) for one in params]


@pytest.mark.parametrize("family", ALL)
def test_shares_and_signs_equal_numpy(family):
    assert not differences("ratio_beyond_r_sigma", SHARES, _beyond, family)
    assert not differences("large_standard_deviation", SHARES, _large, family)
    assert not differences("symmetry_looking", SHARES, _symmetric, family)


@pytest.mark.parametrize(
    ("installed", "value"), [("2.3.3", 0.0), ("3.0.6", 0.0), ("3.1.0", math.nan)]
)
def test_moments_of_constants_are_those_of_the_installed_pandas(installed, value, monkeypatch):
    monkeypatch.setattr(
        "tidemill.calculators.table.constants.version", {"pandas": installed}.__getitem__
    )
    recipe._shared_recipe.cache_clear()  # of a process, whose pandas stays the same
    for name in ("skewness", "kurtosis"):
        np.testing.assert_array_equal(calculate([2.5] * 6, name), [value])
    recipe._shared_recipe.cache_clear()


def test_the_installed_pandas_says_what_is_expected_of_its_version():
    series = pd.Series([2.5] * 6)
    np.testing.assert_array_equal(calculate(series, "skewness"), [series.skew()])
    np.testing.assert_array_equal(calculate(series, "kurtosis"), [series.kurt()])
