"""The four tests beside tsfresh, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill import selection
from tidemill.errors import SelectionError

from ..support.tsfresh_selection import EXACT, original

REAL = pd.Series([0.5, 0.25, 4.0, 3.0, 3.0, 1.0, 7.5])
BINARY = pd.Series([0, 1, 1, 0, 1, 0, 1])
CASES = {
    "target_binary_feature_binary_test": (BINARY, BINARY.iloc[::-1].set_axis(BINARY.index), ()),
    "target_binary_feature_real_test": (REAL, BINARY, ("mann",)),
    "target_real_feature_binary_test": (BINARY, REAL, ()),
    "target_real_feature_real_test": (REAL, REAL.round(), ()),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("more", [0, 3, 40])
def test_p_values_are_those_of_tsfresh(name, more):
    x, y, rest = CASES[name]
    x, y = (pd.concat([one] * (more + 1), ignore_index=True) for one in (x, y))
    found = getattr(selection, name)(x, y, *rest)
    assert found == pytest.approx(original(name)(x, y, *rest), rel=EXACT, abs=0)


@pytest.mark.parametrize("test", ["mann", "smir"])
@pytest.mark.parametrize("n", [4, 12, 30])
def test_small_samples_without_ties_are_exact(test, n):
    rng = np.random.default_rng(n)
    x, y = pd.Series(rng.normal(size=n)), pd.Series(np.arange(n) % 3 == 0)
    found = selection.target_binary_feature_real_test(x, y, test)
    expected = original("target_binary_feature_real_test")(x, y, test)
    assert found == pytest.approx(expected, rel=EXACT, abs=0)


def test_the_test_is_that_of_the_name_whatever_the_values_are():
    x, y = BINARY, pd.Series(np.arange(7) > 2)
    for name, rest in (
        ("target_binary_feature_real_test", ("mann",)),
        ("target_real_feature_real_test", ()),
    ):
        expected = original(name)(x, y, *rest)
        assert getattr(selection, name)(x, y, *rest) == pytest.approx(expected, rel=EXACT)


def test_a_constant_has_no_rank_correlation():
    assert np.isnan(selection.target_real_feature_real_test(REAL * 0, REAL))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x.to_numpy(), y), "x=ndarray is not supported"),
        (lambda x, y: (x, y.to_numpy()), "y=ndarray is not supported"),
        (lambda x, y: (x, y.set_axis(y.index + 1)), "different indices"),
        (lambda x, y: (x.where(x.index > 0), y), "x .* lacks a value in 1 rows"),
        (lambda x, y: (x, y.where(x.index > 0)), "y .* lacks a value in 1 rows"),
    ],
)
def test_what_cannot_be_used_is_refused(name, change, message):
    x, y, rest = CASES[name]
    with pytest.raises(SelectionError, match=message):
        getattr(selection, name)(*change(x, y), *rest)


@pytest.mark.parametrize(
    ("name", "x", "y", "message"),
    [
        ("target_binary_feature_binary_test", REAL, BINARY, "feature None has 6 distinct values"),
        ("target_binary_feature_binary_test", BINARY, REAL, "the target has 6 distinct values"),
        ("target_real_feature_binary_test", BINARY * 0, REAL, "has 1 distinct values, not two"),
        ("target_real_feature_real_test", REAL[:2], REAL[:2], "x has 2 rows"),
    ],
)
def test_values_that_do_not_fit_the_test_are_refused(name, x, y, message):
    with pytest.raises(SelectionError, match=message):
        getattr(selection, name)(x, y)


def test_other_values_than_0_and_1_are_warned_of():
    with pytest.warns(RuntimeWarning, match="the target should have the values 0 and 1"):
        selection.target_binary_feature_real_test(REAL, BINARY + 1, "mann")
