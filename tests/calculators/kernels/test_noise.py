"""Whether a peak stands out is decided as by the percentile itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import scoreatpercentile

from tidemill.calculators.kernels import noise

from ..single import called

_is_larger = called(noise._is_larger)
_window = called(noise._window)
count_clear = called(noise.count_clear)
moving_noise = called(noise.moving_noise)
noise_of = called(noise.noise_of)

FLOATS = st.floats(-1e9, 1e9)
TIES = st.integers(-2, 2).map(float)
WINDOWS = arrays(np.float64, st.integers(1, 120), elements=st.one_of(FLOATS, TIES))
NEAR = (1.0, 1 + 2.0**-52, 1 - 2.0**-53, 1 + 2.0**-40, 0.0, 2.0)


@given(WINDOWS, FLOATS)
def test_noise_is_the_tenth_percentile(window, guess):
    assert noise_of(window, guess) == scoreatpercentile(window, 10)


@given(WINDOWS, st.sampled_from(NEAR), st.one_of(FLOATS, TIES))
def test_counting_decides_as_the_percentile_does(window, near, other):
    noise = scoreatpercentile(window, 10)
    for size in (abs(noise) * near, abs(other), *np.abs(window[:5])):
        assert _is_larger(window, 0, len(window), size) == (abs(noise) > size)


@pytest.mark.parametrize("n", [1, 2, 19, 20, 21, 40, 41, 100, 1_001])
def test_windows_are_a_twentieth_of_the_row(n):
    half, odd = divmod(int(np.ceil(n / 20)), 2)
    for place in range(n):
        assert _window(n, place) == (max(place - half, 0), min(place + half + odd, n))


@pytest.mark.parametrize("kind", ["noise", "ties", "ramp", "two values"])
def test_moving_noise_of_a_long_row_is_the_tenth_percentile(kind):
    rng = np.random.default_rng(0)
    row = {
        "noise": rng.normal(size=30_500),
        "ties": rng.integers(-3, 4, size=30_500).astype(float),
        "ramp": np.arange(30_500.0) - 9_000,
        "two values": np.arange(30_500) % 2 * 2.0 - 1,
    }[kind]
    moving = moving_noise(row)
    for place in (*range(0, 2_000, 61), *range(2_000, 30_500, 997), *range(29_700, 30_500, 41)):
        start, stop = _window(len(row), place)
        assert moving[place] == scoreatpercentile(row[start:stop], 10), place


def test_short_rows_are_counted():
    row = np.random.default_rng(0).normal(size=30_000)
    assert len(moving_noise(row)) == 0
    places, verdicts = np.array([70, 80, 90]), np.zeros(3, np.int8)
    heights = np.array([0.0, 1.0, 9.0])
    chosen = np.array([2, 0, 1])
    assert count_clear(row, False, np.empty(0), places, heights, chosen, 2, verdicts) == 1
    assert verdicts.tolist() == [2, 0, 1]
