"""Ridge lines against scipy.signal.find_peaks_cwt, also for long series and wide wavelets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import find_peaks_cwt

from tidemill.calculators import Program
from tidemill.calculators.kernels.filters import number_cwt_peaks
from tidemill.model.series import SeriesBlock

from ..numerics.test_dots import like_numpy

SAME_SUMS = like_numpy()
N = (1, 5, 2, 3, 9, 16)


def ricker(points: int, width: int) -> np.ndarray:
    """The Ricker wavelet, from its formula."""
    place = np.arange(0, points) - (points - 1.0) / 2
    height = 2 / (np.sqrt(3 * width) * (np.pi**0.25))
    return height * (1 - place**2 / width**2) * np.exp(-(place**2) / (2 * width**2))


def slow(x: np.ndarray, n: int) -> int:
    return len(find_peaks_cwt(x, np.arange(1, n + 1), wavelet=ricker))


def fast(x: np.ndarray, all_n: tuple[int, ...] = N) -> list[float]:
    program = Program([("number_cwt_peaks", {"n": n}) for n in all_n])
    out, ends = np.empty((1, len(all_n))), np.array([len(x)])
    program.calculate(SeriesBlock("x", x, ends * 0, ends), out)
    return out[0].tolist()


@given(st.integers(1, 150), st.integers(0, 2**32), st.booleans())
@settings(max_examples=60, deadline=None)
def test_peaks_equal_scipys(length, seed, walk):
    x = np.random.default_rng(seed).normal(size=length)
    x = x.cumsum() if walk else x
    assert fast(x) == [slow(x, n) for n in N]


@pytest.mark.skipif(not SAME_SUMS, reason="ties fall as numpy's BLAS adds, differently on this CPU")
@given(st.lists(st.integers(-2, 2), min_size=1, max_size=120), st.booleans())
@settings(max_examples=60, deadline=None)
def test_ties_fall_as_scipys(values, mirrored):
    x = np.array([*values, *reversed(values)] if mirrored else values, dtype=float)
    assert fast(x) == [slow(x, n) for n in N]


def test_lines_that_two_maxima_of_a_row_continue():
    # At widths from 4 on two maxima may be near enough to one line; the later one is its end.
    x = np.random.default_rng(3).integers(0, 2, size=(40, 28)).astype(float)
    for series in x if SAME_SUMS else ():
        assert fast(series, (12, 20)) == [slow(series, n) for n in (12, 20)]


def test_a_combination_alone_gives_the_same():
    x = np.random.default_rng(0).normal(size=700).cumsum()
    assert fast(x) == [fast(x, (one,))[0] for one in N]


def test_a_long_series():
    x = np.random.default_rng(0).normal(size=31_000)
    x[:10_000] *= 30
    (found,) = fast(x, (2,))
    # scipy takes a percentile at each of the 31,000 places: 3 s.
    assert found == slow(x, 2)


@pytest.mark.parametrize("points", [1, 2, 9, 10, 25, 49, 50])
def test_the_table_holds_wavelets_of_any_length(points):
    (table,) = number_cwt_peaks(np.array([5]))
    width, odd = 5, points % 2
    first = 10 * width * (width - 1 + odd) + (10 * width - odd - points) // 2
    assert table[first : first + points].tolist() == ricker(points, width).tolist()
    assert len(table) == 10 * width * (width + 1)
