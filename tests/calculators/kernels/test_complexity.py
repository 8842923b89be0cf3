"""Lempel-Ziv complexity and permutation entropy against slow, obvious versions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tidemill.calculators import Program
from tidemill.calculators.numerics.ties import tie_numbers
from tidemill.model.series import SeriesBlock

FLOATS = st.floats(-1e3, 1e3, allow_nan=False)
TIES = st.integers(-2, 2).map(float)
SERIES = arrays(np.float64, st.integers(1, 150), elements=st.one_of(FLOATS, TIES))


def _value(values, name, **params):
    return _values(values, name, [params])[0]


def _values(values, name, rows):
    out = np.empty((1, len(rows)))
    ends = np.array([len(values)], dtype=np.int64)
    program = Program([(name, row) for row in rows])
    program.calculate(SeriesBlock("x", values, ends * 0, ends), out)
    return out[0].tolist()


def _lempel_ziv_complexity(x, bins):
    edges = np.linspace(x.min(), x.max(), bins + 1)[1:]
    phrases, phrase = set(), ()
    for symbol in np.searchsorted(edges, x):
        phrase = (*phrase, symbol)
        if phrase not in phrases:
            phrases.add(phrase)
            phrase = ()
    return len(phrases) / len(x)


@given(SERIES, st.sampled_from([1, 2, 3, 5, 10, 16, 17, 100, 3_000]))
def test_lempel_ziv_complexity_counts_phrases(x, bins):
    assert _value(x, "lempel_ziv_complexity", bins=bins) == _lempel_ziv_complexity(x, bins)


@given(
    arrays(np.float64, st.integers(1, 60), elements=st.integers(-40, 40).map(float)),
    st.integers(1, 60),
    st.sampled_from([(0.1, 0.0), (1.0, 1e9), (2.0, 1e16), (8.0, 1e17), (5e-324, 0.0)]),
)
def test_symbols_are_numpys_at_edges_and_where_bins_are_narrower_than_rounding(x, bins, move):
    scale, offset = move
    x = x * scale + offset
    assert _value(x, "lempel_ziv_complexity", bins=bins) == _lempel_ziv_complexity(x, bins)


@pytest.mark.parametrize("bins", [2, 16, 17])
def test_many_phrases_of_a_long_series(bins):
    x = np.random.default_rng(bins).random(20_000)
    assert _value(x, "lempel_ziv_complexity", bins=bins) == _lempel_ziv_complexity(x, bins)


def test_many_bins_at_once_are_as_one_by_one():
    x = np.random.default_rng(1).normal(size=300)
    rows = [{"bins": bins} for bins in (100, 2, 7, 50, 3, 4, 5, 9)]
    alone = [_value(x, "lempel_ziv_complexity", **row) for row in rows]
    assert _values(x, "lempel_ziv_complexity", rows) == alone


def _permutation_entropy(x, tau, dimension):
    if len(x) < dimension:
        return math.nan
    windows = np.lib.stride_tricks.sliding_window_view(x, dimension)[::tau]
    _, counts = np.unique(np.argsort(windows), axis=0, return_counts=True)
    p = counts / counts.sum()
    return -(p * np.log(p)).sum()


def _longest_row_with_a_known_order():
    none = np.empty(0, np.int64)
    by_network = tie_numbers(SeriesBlock("x", np.empty(0), none, none))[0][0]
    return 256 if by_network else 16  # beyond it numpy sorts by partition


@given(SERIES, st.integers(1, 4), st.one_of(st.integers(2, 12), st.sampled_from([20, 21, 40])))
def test_permutation_entropy_counts_the_orders_that_numpy_makes(x, tau, dimension):
    if len(np.unique(x)) < len(x):
        assume(dimension <= _longest_row_with_a_known_order())
    found = _value(x, "permutation_entropy", tau=tau, dimension=dimension)
    wanted = _permutation_entropy(x, tau, dimension)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n", [1_000, 20_000])
@pytest.mark.parametrize("levels", [2, 7, 1_000_000])
def test_permutation_entropy_of_many_values(n, levels):
    x = np.random.default_rng(n + levels).integers(0, levels, size=n).astype(float)
    rows = [{"tau": 1, "dimension": dimension} for dimension in (7, 3, 8, 4, 6, 5)]
    found = _values(x, "permutation_entropy", rows)
    wanted = [_permutation_entropy(x, **row) for row in rows]
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_both_zeros_are_equal():
    x = np.random.default_rng(0).choice([0.0, -0.0, 1.0], size=300)
    for dimension in (3, 5, 7, 9):
        found = _value(x, "permutation_entropy", tau=1, dimension=dimension)
        assert found == _value(x + 0.0, "permutation_entropy", tau=1, dimension=dimension)
