"""The augmented Dickey-Fuller test, against statsmodels' own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.stattools import adfuller

from tidemill.calculators.kernels import dickey_fuller, pseudoinverse

from ..single import calculate
from ..slowly import ALL, calculate_all, differences, evaluate, series_of

ATTRS = ("teststat", "pvalue", "usedlag")
PARAMS = [
    {"attr": attr, "autolag": autolag}
    for autolag in ("AIC", "BIC", "t-stat", None)
    for attr in ATTRS
]


def _test(x, autolag):
    try:
        return dict(zip(ATTRS, adfuller(x, autolag=autolag), strict=False))
    except ValueError:  # constant, or too short
        return dict.fromkeys(ATTRS, math.nan)


def _slowly(x, params):
    tests = {autolag: _test(x, autolag) for autolag in {one["autolag"] for one in params}}
    return [tests[one["autolag"]][one["attr"]] for one in params]


# Ramps, sines and periods are solved by numpy: with statsmodels' own rounding errors, so that even
# there no cell differs.
@pytest.mark.parametrize("family", ALL)
def test_equals_statsmodels(family):
    assert not differences("augmented_dickey_fuller", PARAMS, _slowly, family)


@pytest.mark.parametrize("family", ["walk", "offset", "sine"])
def test_equals_statsmodels_at_1500(family):
    assert not differences("augmented_dickey_fuller", PARAMS, _slowly, family, [1_500])


@pytest.mark.parametrize("n", [*range(4, 61), 1_000])
def test_without_a_criterion_all_lags_are_used(n):
    params = [{"attr": attr, "autolag": None} for attr in ATTRS]
    for family in ("walk", "seasonal"):
        statistic, p, lag = calculate(series_of(family, n), "augmented_dickey_fuller", *params)
        assert lag == min(n // 2 - 2, math.ceil(12 * (n / 100) ** 0.25))
        assert p == pytest.approx(mackinnonp(statistic), rel=1e-12)


def test_criteria_choose_different_lags():
    x = series_of("seasonal", 257)
    params = [{"attr": "usedlag", "autolag": a} for a in ("BIC", "AIC", "t-stat", None)]
    lags = calculate(x, "augmented_dickey_fuller", *params).tolist()
    assert lags == [11, 15, 14, 16]


@pytest.mark.parametrize("family", ["walk", "seasonal", "ties", "offset"])
def test_numpys_steps_give_what_the_kernel_gives(family):
    x = series_of(family, 400)
    attr = np.array([dickey_fuller.TESTSTAT, dickey_fuller.PVALUE, dickey_fuller.USEDLAG] * 4)
    autolag = np.repeat(np.arange(4), 3)
    unknown = np.full(12, pseudoinverse.UNSOLVED)
    by_numpy = pseudoinverse.dickey_fuller(x, unknown, attr, autolag)
    by_kernel = calculate(x, "augmented_dickey_fuller", *PARAMS)
    assert by_numpy == pytest.approx(by_kernel.tolist(), rel=1e-7)


def test_one_combination_alone_and_any_order_give_the_same_bits():
    series = [series_of(family, n) for family in ("sine", "ramp", "walk") for n in (9, 40, 150)]
    together = calculate_all("augmented_dickey_fuller", PARAMS, series)
    backwards = calculate_all("augmented_dickey_fuller", PARAMS[::-1], series)[:, ::-1]
    alone = [calculate_all("augmented_dickey_fuller", [one], series) for one in PARAMS]
    assert together.tobytes() == backwards.tobytes()
    assert together.tobytes() == np.hstack(alone).tobytes()


def _nearly_flat(n):
    """Series that are flat but for a few values: columns of lags vanish, or are equal."""
    for places in ([-2], [-3], [-1], [0], [1], [n // 2], [-2, -1], [-4, -1], [n // 2, -1]):
        x = np.zeros(n)
        x[places] = 100.0 * np.arange(1, len(places) + 1)
        yield x
    x = np.full(n, 3.25)
    x[-3:] += np.random.default_rng(n).normal(size=3)
    yield x


@pytest.mark.parametrize("n", [8, 12, 21, 50, 51, 300])
def test_columns_of_lags_that_vanish_do_not_matter(n):
    series = list(_nearly_flat(n))
    found = calculate_all("augmented_dickey_fuller", PARAMS, series)
    wanted = evaluate(_slowly, PARAMS, series)
    assert np.isfinite(wanted).mean() > 0.8
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-8, nan_ok=True)


def test_a_single_event_before_the_end_tells_of_a_root_inside():
    params = [{"attr": attr} for attr in ATTRS]
    found = calculate([0.0] * 48 + [100.0, 0.0], "augmented_dickey_fuller", *params)
    assert found == pytest.approx([-7.0, 7.363798725300586e-10, 0])


def test_p_values_equal_statsmodels():
    for t in (*np.linspace(-20, 4, 481), -1.61, -18.83, 2.74):
        assert dickey_fuller.p_value.py_func(t) == pytest.approx(mackinnonp(t), rel=1e-12), t


def test_another_attribute_is_nan():
    x = series_of("walk", 50)
    found = calculate(x, "augmented_dickey_fuller", {"attr": ""}, {"attr": "usedlag"})
    assert math.isnan(found[0])
    (wanted,) = evaluate(_slowly, [{"attr": "usedlag", "autolag": "AIC"}], [x])
    assert found[1] == wanted[0]
