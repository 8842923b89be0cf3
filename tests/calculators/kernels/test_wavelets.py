"""Wavelet coefficients against whole convolutions."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.calculators import Program
from tidemill.model.series import SeriesBlock

WIDTHS = (2, 5, 10, 20, 0.5, 33.3)


def slow(x: np.ndarray, width: float) -> np.ndarray:
    """All coefficients: differences of a convolution with the integrated Mexican hat."""
    place = np.linspace(-8, 8, 4096)
    hat = (1 - place**2) * np.exp(-(place**2) / 2) * 2 / (np.sqrt(3) * np.pi**0.25)
    step = place[1] - place[0]
    integral = np.cumsum(hat) * step
    chosen = (np.arange(width * 16 + 1) / (width * step)).astype(int)
    psi = integral[chosen[chosen < len(integral)]]
    coefficients = -np.sqrt(width) * np.diff(np.convolve(x, psi[::-1]))
    middle = (len(psi) - 2) // 2
    return coefficients[middle : middle + len(x)]


@pytest.mark.parametrize("n", [1, 2, 5, 11, 12, 30, 33, 80, 161, 162, 400])
def test_coefficients_equal_those_of_the_whole_convolution(n):
    x = np.random.default_rng(n).normal(size=n).cumsum()
    asked = [
        {"widths": WIDTHS, "coeff": coeff, "w": w}
        for coeff in (0, 1, 14, 29, n - 1, n, 500)
        for w in WIDTHS
    ]
    program = Program([("cwt_coefficients", params) for params in asked])
    out, ends = np.empty((1, len(asked))), np.array([n])
    program.calculate(SeriesBlock("x", x, ends * 0, ends), out)
    for params, found in zip(asked, out[0], strict=True):
        whole = slow(x, params["w"])
        wanted = whole[params["coeff"]] if params["coeff"] < n else np.nan
        largest = np.abs(whole).max()
        assert np.isclose(found, wanted, rtol=1e-9, atol=1e-12 * largest, equal_nan=True), params
