"""Fourier coefficients against numpy's transform."""

from __future__ import annotations

import numpy as np
import pytest

from ..families import make
from ..single import calculate


@pytest.mark.parametrize("n", [1, 2, 7, 64, 257])
@pytest.mark.parametrize("family", ["noise", "seasonal", "ties"])
def test_coefficients(family, n):
    x = make(family, n)
    spectrum = np.fft.rfft(x)
    for coeff in {0, 1, len(spectrum) - 1}:
        if coeff >= len(spectrum):
            continue
        value = spectrum[coeff]
        wanted = [value.real, value.imag, abs(value), np.angle(value, deg=True)]
        rows = [{"coeff": coeff, "attr": attr} for attr in ("real", "imag", "abs", "angle")]
        np.testing.assert_allclose(calculate(x, "fft_coefficient", *rows), wanted, rtol=1e-12)


def test_coefficients_that_a_series_lacks_are_nan():
    found = calculate(make("noise", 8), "fft_coefficient", {"coeff": 5, "attr": "abs"})
    assert np.isnan(found).all()


@pytest.mark.parametrize("n", [10, 99])
def test_centroid_and_variance_of_the_spectrum(n):
    x = make("walk", n)
    weights = np.abs(np.fft.rfft(x))
    places = np.arange(len(weights))
    centroid = (weights * places).sum() / weights.sum()
    variance = (weights * places**2).sum() / weights.sum() - centroid**2
    found = calculate(x, "fft_aggregated", {"aggtype": "centroid"}, {"aggtype": "variance"})
    np.testing.assert_allclose(found, [centroid, variance], rtol=1e-9)
