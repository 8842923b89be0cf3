"""Changes inside corridors, against a few lines of numpy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ..families import FAMILIES, make
from ..single import calculate

AGGREGATES = ("mean", "var", "std", "median")
FIVE = ((0.0, 0.2), (0.2, 1.0), (0.4, 0.6), (0.0, 1.0), (0.6, 0.4))
MANY = tuple((low / 11, high / 11) for low in range(11) for high in range(low + 1, 12))


def _params(corridors):
    return [
        {"ql": ql, "qh": qh, "isabs": isabs, "f_agg": f_agg}
        for (ql, qh), isabs, f_agg in product(corridors, (False, True), AGGREGATES)
    ]


def _slowly(x, ql, qh, isabs, f_agg):
    if ql >= qh:
        return 0.0
    low, high = np.quantile(x, [ql, qh])
    inside = (low <= x) & (x <= high)
    changes = np.diff(x)[inside[1:] & inside[:-1]]
    if not len(changes):
        return 0.0
    return getattr(np, f_agg)(np.abs(changes) if isabs else changes)


def _check(x, params):
    found = calculate(x, "change_quantiles", *params)
    wanted = np.array([_slowly(x, **one) for one in params])
    largest = np.abs(np.diff(x)).max(initial=0.0)
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-15 * largest)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [1, 2, 3, 9, 50, 1_024, 1_025, 1_026, 5_000])
def test_equals_numpy(family, n):
    _check(make(family, n), _params(FIVE))


@pytest.mark.parametrize("family", ["noise", "ties", "offset"])
def test_more_edges_than_one_table_holds(family):
    _check(make(family, 300), _params(MANY))


@given(arrays(np.float64, st.integers(1, 60), elements=st.integers(-4, 4).map(float)))
def test_values_on_the_edges(x):
    _check(x, _params(FIVE))


@pytest.mark.parametrize("step", [0.1, 1.0, -3.7])
def test_variances_of_nearly_equal_changes_keep_their_digits(step):
    wiggle = np.random.default_rng(5).normal(size=2_000).cumsum()
    for size in (1e-2, 1e-4, 1e-6):
        _check(step * (np.arange(2_000) + size * wiggle), _params(FIVE))
    kinks = np.concatenate([np.arange(500.0), 499 - 3 * np.arange(300.0)]) * step
    _check(kinks, _params(FIVE))


def test_changes_that_cancel_each_other_out_are_summed_in_numpys_order():
    x = make("noise", 200)
    x[77] = 1e12
    params = [{"ql": 0.0, "qh": 1.0, "isabs": False, "f_agg": "mean"}]
    assert calculate(x, "change_quantiles", *params)[0] == _slowly(x, **params[0])
