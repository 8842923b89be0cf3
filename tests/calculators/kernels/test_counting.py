"""Counts of peaks and of values far from the mean, against a few lines of numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ..families import FAMILIES, make
from ..single import calculate

SUPPORTS = (7, 1, 3, 3, 50, 10, 120, 2)
RS = (0.0, 0.5, 1.0, 1.25, 3.0, -1.0)


def _peaks_slowly(x, n):
    inner = range(n, len(x) - n)
    return sum((x[i] > x[i - n : i]).all() and (x[i] > x[i + 1 : i + n + 1]).all() for i in inner)


def _beyond_slowly(x, r):
    return np.mean(np.abs(x - np.mean(x)) > r * np.std(x))


def _check(x):
    peaks = calculate(x, "number_peaks", *[{"n": n} for n in SUPPORTS])
    assert peaks.tolist() == [_peaks_slowly(x, n) for n in SUPPORTS]
    beyond = calculate(x, "ratio_beyond_r_sigma", *[{"r": r} for r in RS])
    assert beyond.tolist() == [_beyond_slowly(x, r) for r in RS]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 20, 101, 241, 700])
def test_equals_numpy(family, n):
    _check(make(family, n))


@pytest.mark.parametrize("n", [2_047, 2_048, 2_049, 2_100, 4_097, 7_000])
def test_tiles_leave_no_trace(n):
    x = make("walk", n)
    x[:: n // 7] = 300.0
    _check(x)
    assert calculate(x, "number_peaks", {"n": 900}, {"n": 1}).tolist() == [
        _peaks_slowly(x, 900),
        _peaks_slowly(x, 1),
    ]


@given(arrays(np.float64, st.integers(1, 40), elements=st.integers(-2, 2).map(float)))
def test_values_with_ties(x):
    _check(x)
