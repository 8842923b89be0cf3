"""The power spectral density equals scipy's, bit for bit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.signal import get_window
from scipy.signal import welch as scipy_welch

from tidemill.calculators import Program
from tidemill.calculators.kernels.welch import _window, welch
from tidemill.model.series import SeriesBlock

from ..families import blocks_of, make

LENGTHS = (1, 2, 3, 4, 7, 50, 99, 255, 256, 257, 383, 384, 1_279, 1_280, 3_000, 34_000)


def slow(x: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scipy_welch(x, nperseg=min(len(x), 256))[1]


@pytest.mark.parametrize("family", ["noise", "walk", "ties", "constant", "offset", "tiny"])
@pytest.mark.parametrize("copies", [1, 9])
def test_densities_equal_scipys_bit_for_bit(family, copies):
    series = [make(family, n) for n in LENGTHS] * copies
    values, starts, stops = welch(SeriesBlock("x", *blocks_of(series)))
    for x, start, stop in zip(series, starts, stops, strict=True):
        assert values[start:stop].tolist() == slow(x).tolist(), len(x)


@pytest.mark.parametrize("n", [256, 99, 300, 1])
def test_series_of_one_length_and_slices_that_overlap(n):
    x = make("walk", 1_000)
    starts = np.arange(0, 1_000 - n, 37)
    values, first, last = welch(SeriesBlock("x", x, starts, starts + n))
    for i, start in enumerate(starts):
        assert values[first[i] : last[i]].tolist() == slow(x[start : start + n]).tolist()


def test_windows_are_scipys():
    for n in range(1, 300):
        window = get_window("hann_periodic" if n > 1 else "boxcar", n)
        scaled = window * (1 / np.sqrt(sum((window**2).tolist())))
        assert _window(n).tolist() == scaled.tolist()


def test_any_order_of_coefficients_gives_the_same_values():
    # tsfresh puts values beside wrong coefficients unless those that the series lacks come last.
    asked = (8, 0, 3, 2)
    program = Program([("spkt_welch_density", {"coeff": coeff}) for coeff in asked])
    x = make("noise", 7)
    out, ends = np.empty((1, 4)), np.array([7])
    program.calculate(SeriesBlock("x", x, ends * 0, ends), out)
    density = slow(x)
    wanted = [np.nan, density[0], density[3], density[2]]
    assert np.array_equal(out[0], wanted, equal_nan=True)
