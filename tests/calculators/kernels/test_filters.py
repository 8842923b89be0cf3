"""Wavelets equal the formula, tsfresh's and PyWavelets' own."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.calculators.kernels.filters import cwt_coefficients, number_cwt_peaks


def ricker(points, width):
    place = np.arange(points) - (points - 1) / 2
    height = 2 / (np.sqrt(3 * width) * np.pi**0.25)
    return height * (1 - place**2 / width**2) * np.exp(-(place**2) / (2 * width**2))


@pytest.mark.parametrize("largest", [1, 3, 6])
def test_rickers_of_both_parities_lie_one_after_the_other(largest):
    (table,) = number_cwt_peaks(np.array([1, largest]))
    first = 0
    for width in range(1, largest + 1):
        n = 10 * width
        np.testing.assert_allclose(table[first : first + n], ricker(n, width), rtol=1e-12)
        odd = table[first + n : first + 2 * n - 1]
        np.testing.assert_allclose(odd, ricker(n - 1, width), rtol=1e-12)
        assert table[first + 2 * n - 1] == 0
        first += 2 * n
    assert first == len(table)


def test_coefficients_share_wavelets_and_elements():
    wavelets, table, pairs = cwt_coefficients(
        np.array([0, 1, 0]), np.array([2.0, 2.0, 5.0]), np.array([])
    )
    rows = table.reshape(-1, 3)
    sizes = {(start, size) for start, size, _ in rows.tolist()}
    assert sum(size for _, size in sizes) == len(wavelets)
    assert len(rows) == 3 + 2  # neighbours of one width share an element
    (a, b), (c, d), (e, f) = pairs.reshape(-1, 2).tolist()
    assert b == c
    assert rows[b][2] - rows[a][2] == rows[d][2] - rows[c][2] == rows[f][2] - rows[e][2] == 1


@pytest.mark.parametrize("width", [1.0, 2.5, 20.0])
def test_an_integrated_wavelet_begins_at_zero_and_ends_near_it(width):
    wavelet, _, _ = cwt_coefficients(np.array([0]), np.array([width]), np.array([]))
    assert len(wavelet) == int(16 * width) + 1
    assert abs(wavelet[0]) < 1e-9
    assert abs(wavelet[-1]) < 1e-9
