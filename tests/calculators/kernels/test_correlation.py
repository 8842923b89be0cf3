"""Autocovariance and what is read from it, against numpy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.tsa.stattools import acf, pacf

from tidemill.calculators.kernels import correlation

from ..single import calculate, called
from ..slowly import ALL, differences, series_of

LAGS = [{"lag": lag} for lag in (0, 1, 2, 5, 9, 20, 40, 130)]
AGGREGATES = [
    {"f_agg": f_agg, "maxlag": maxlag}
    for f_agg in ("mean", "median", "std", "var")
    for maxlag in (1, 2, 7, 40, 300)
]


def _correlations(x, params):
    n, distances = len(x), x - x.mean()
    for one in params:
        if one["lag"] >= n or np.isclose(x.var(), 0):
            yield math.nan
        else:
            products = distances[: n - one["lag"]] * distances[one["lag"] :]
            yield products.sum() / ((n - one["lag"]) * x.var())


def _aggregates(x, params):
    flat = len(x) == 1 or x.var() < 1e-10
    all_ = np.zeros(len(x)) if flat else acf(x, adjusted=True, fft=False, nlags=300)[1:]
    return [getattr(np, one["f_agg"])(all_[: one["maxlag"]]) for one in params]


def _partial(x, params):
    most = min(max(one["lag"] for one in params), len(x) // 2 - 1)
    found = pacf(x, method="ld", nlags=most) if most > 0 else []
    return [found[one["lag"]] if one["lag"] < len(found) else math.nan for one in params]


@pytest.mark.parametrize("family", ALL)
def test_autocorrelation_equals_numpy(family):
    assert not differences("autocorrelation", LAGS, _correlations, family)


@pytest.mark.parametrize("family", ALL)
def test_agg_autocorrelation_equals_statsmodels(family):
    assert not differences("agg_autocorrelation", AGGREGATES, _aggregates, family)


@pytest.mark.parametrize("family", ALL)
def test_partial_autocorrelation_equals_statsmodels(family):
    # One value tells all others in turn: from lag 2 on rounding errors are divided by each other.
    name, unstable = "partial_autocorrelation", family == "alternating"
    assert not differences(name, LAGS, _partial, family, unless_unstable=unstable)


@pytest.mark.parametrize("n", [4, 9, 30, 400])
def test_partial_autocorrelation_solves_the_equations_of_yule_and_walker(n):
    x = series_of("walk", n)
    most = min(n // 2 - 1, 20)
    distances = x - x.mean()
    covariances = [distances[: n - k] @ distances[k:] / (n - k) for k in range(most + 1)]
    wanted = [1.0]
    for k in range(1, most + 1):
        matrix = [[covariances[abs(i - j)] for j in range(k)] for i in range(k)]
        wanted.append(np.linalg.solve(matrix, covariances[1 : k + 1])[-1])
    params = [{"lag": lag} for lag in range(most + 1)]
    assert calculate(x, "partial_autocorrelation", *params) == pytest.approx(wanted, rel=1e-8)


def test_lagged_products_equal_numpys_dots():
    lagged_products = called(correlation.lagged_products)
    for n in (*range(1, 61), 127, 128, 129, 256, 1_000):
        x = series_of("offset", n)
        mean = x.mean()
        y = x - mean
        for lags in (1, 2, 8, 9, 41):
            found = np.empty(lags)
            lagged_products(x, mean, found)
            wanted = [y[: n - lag] @ y[lag:] if lag < n else 0.0 for lag in range(lags)]
            assert found == pytest.approx(wanted, rel=1e-12, abs=1e-12 * (y @ y)), (n, lags)


def test_lags_that_others_ask_for_change_nothing():
    x = series_of("walk", 300)
    for name in ("autocorrelation", "partial_autocorrelation"):
        few, many = [{"lag": 1}, {"lag": 5}], [{"lag": lag} for lag in range(1, 130)]
        wanted = calculate(x, name, *many)[[0, 4]]
        assert calculate(x, name, *few).tobytes() == wanted.tobytes()
