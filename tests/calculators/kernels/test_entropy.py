"""Entropies of templates and bins against slow, obvious versions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tidemill.calculators import Program
from tidemill.errors import SettingsError
from tidemill.model.series import SeriesBlock

FLOATS = st.floats(-1e3, 1e3, allow_nan=False)
TIES = st.integers(-2, 2).map(float)
SERIES = arrays(np.float64, st.integers(1, 150), elements=st.one_of(FLOATS, TIES))


def _value(values, name, **params):
    out = np.empty((1, 1))
    ends = np.array([len(values)], dtype=np.int64)
    Program([(name, params)]).calculate(SeriesBlock("x", values, ends * 0, ends), out)
    return out[0, 0]


def _matches(x, m, tolerance):
    """How many templates of m values, itself included, each of them matches: int64[n - m + 1]."""
    close = np.abs(x[:, None] - x) <= tolerance
    k = max(len(x) - m + 1, 0)
    return np.all([close[i : i + k, i : i + k] for i in range(m)], axis=0).sum(axis=1)


def _sample_entropy(x):
    two, three = ((_matches(x, m, 0.2 * np.std(x)) - 1).sum() if len(x) >= m else 0 for m in (2, 3))
    if two == 0:
        return math.nan
    return -math.log(three / two) if three else math.inf


def _approximate_entropy(x, m, r):
    if len(x) <= m + 1:
        return 0.0
    counts = [_matches(x, length, r * np.std(x)) for length in (m, m + 1)]
    shorter, longer = (np.log(count / len(count)).mean() for count in counts)
    return abs(shorter - longer)


@given(SERIES)
def test_sample_entropy_counts_pairs(x):
    np.testing.assert_allclose(_value(x, "sample_entropy"), _sample_entropy(x), rtol=1e-12)


@given(SERIES, st.integers(1, 6), st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]))
def test_approximate_entropy_counts_pairs(x, m, r):
    found = _value(x, "approximate_entropy", m=m, r=r)
    np.testing.assert_allclose(found, _approximate_entropy(x, m, r), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [63, 64, 65, 128, 129, 1023, 1024, 1025, 1026, 1088, 1090, 2050])
@pytest.mark.parametrize("digits", [0, 6])
def test_templates_cross_words_and_chunks_of_columns(n, digits):
    x = np.round(np.random.default_rng(n).normal(size=n).cumsum(), digits)
    np.testing.assert_allclose(_value(x, "sample_entropy"), _sample_entropy(x), rtol=1e-12)


@pytest.mark.parametrize("m", [62, 63, 64, 65, 127, 128, 129, 200])
def test_templates_longer_than_a_word(m):
    x = np.sin(np.arange(1200) / 7) + np.random.default_rng(m).normal(size=1200) / 20
    found = _value(x, "approximate_entropy", m=m, r=0.9)
    np.testing.assert_allclose(found, _approximate_entropy(x, m, 0.9), rtol=1e-9)


def test_many_tolerances_at_once_are_as_one_by_one():
    x = np.random.default_rng(1).normal(size=300)
    rows = [{"m": m, "r": r} for m in (1, 2, 4) for r in (0.05, 0.2, 0.8, 2.0)]
    out = np.empty((1, len(rows)))
    ends = np.array([300], dtype=np.int64)
    program = Program([("approximate_entropy", row) for row in rows])
    program.calculate(SeriesBlock("x", x, ends * 0, ends), out)
    assert out[0].tolist() == [_value(x, "approximate_entropy", **row) for row in rows]


def test_a_negative_tolerance_is_refused():
    x = np.random.default_rng(1).normal(size=30)
    with pytest.raises(SettingsError, match=r"r=-0\.1 is not allowed; give a number from 0"):
        _value(x, "approximate_entropy", m=2, r=-0.1)


def _binned_entropy(x, bins):
    try:
        counts, _ = np.histogram(x, bins=bins)
    except ValueError:
        return math.nan
    p = counts[counts > 0] / len(x)
    return -(p * np.log(p)).sum()


EDGES = st.integers(-40, 40).map(lambda k: k * 0.1)  # on the edges, but for rounding


@settings(max_examples=300)
@given(
    arrays(np.float64, st.integers(1, 60), elements=st.one_of(FLOATS, EDGES)),
    st.integers(1, 50),
    st.sampled_from([0.0, 1.0, 1e9, 1e16, 1e17]),
)
def test_binned_entropy_is_that_of_numpys_histogram(x, bins, offset):
    found = _value(x + offset, "binned_entropy", max_bins=bins)
    np.testing.assert_allclose(found, _binned_entropy(x + offset, bins), rtol=1e-12, atol=1e-14)
