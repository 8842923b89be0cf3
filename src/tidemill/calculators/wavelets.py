"""Kernels: coefficients of a continuous wavelet transform."""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.dots import dot, plain_dot
from tidemill.calculators.kernels import helper, kernel


@helper
def _fill(elements, table, a, b, n, swapped):
    """Elements of convolutions of series and wavelets: sums of products of a and b.

    numpy moves the shorter one, b, along the other; both are reversed when that is the series.
    """
    for i in range(len(elements)):
        start, points, place = table[3 * i], table[3 * i + 1], table[3 * i + 2]
        if swapped != (n < points):
            continue
        a0, b0 = (len(a) - start - points, 0) if swapped else (0, start)
        longer, shorter = max(n, points), min(n, points)
        first = max(place - shorter + 1, 0)
        terms = max(min(place + 1, longer) - first, 0)
        a0, b0 = a0 + first, b0 + first - place + shorter - 1
        if terms == shorter <= 11:
            elements[i] = plain_dot(a, a0, b, b0, terms)
        else:
            elements[i] = dot(a, a0, b, b0, terms)


@kernel
def cwt_coefficients(x, params, out):
    # Neighbouring coefficients share an element: 64 sums for 60 coefficients.
    coeff, w, _, wavelets, table, pairs = params
    n = len(x)
    elements = np.empty(len(table) // 3)
    _fill(elements, table, x, wavelets, n, False)
    if n < len(wavelets):
        _fill(elements, table, wavelets[::-1].copy(), x[::-1].copy(), n, True)
    for j in range(len(out)):
        if coeff[j] < n:
            out[j] = -math.sqrt(w[j]) * (elements[pairs[2 * j + 1]] - elements[pairs[2 * j]])
        else:
            out[j] = math.nan
