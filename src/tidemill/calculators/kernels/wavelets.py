"""Kernels: coefficients of a continuous wavelet transform."""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.numerics.dots import dot, plain_dot


@helper
def _fill(elements, table, a, b, n, wavelet_first):
    """Elements of convolutions of n values with wavelets: sums of products of a and b.

    numpy moves the shorter one, b, along the longer one, a. ``a`` is the series or, reversed, all
    wavelets; those that are the shorter one, or not the longer one, are left out.
    """
    for i in range(len(elements)):
        start, points, place = table[3 * i], table[3 * i + 1], table[3 * i + 2]
        if wavelet_first != (n < points):
            continue
        a0, b0 = (len(a) - start - points, 0) if wavelet_first else (0, start)
        longer, shorter = max(n, points), min(n, points)
        first = max(place - shorter + 1, 0)
        terms = max(min(place + 1, longer) - first, 0)
        a0, b0 = a0 + first, b0 + first - place + shorter - 1
        if terms == shorter <= 11:
            elements[i] = plain_dot(a, a0, b, b0, terms)
        else:
            elements[i] = dot(a, a0, b, b0, terms)


@helper
def _copy(x, count, backwards):
    """The first values of x, which may be read-only: ``_fill`` is compiled for copies alone."""
    copy = np.empty(count)
    for i in range(count):
        copy[i] = x[count - 1 - i if backwards else i]
    return copy


@kernel
def cwt_coefficients(x, params, out):
    # Neighbouring coefficients share an element: 64 sums for 60 coefficients.
    coeff, w, _, wavelets, table, pairs = params
    n, count = len(x), len(wavelets)
    elements = np.empty(len(table) // 3)
    for i in range(len(elements)):
        count = max(count, table[3 * i + 2] + 1)
    for wavelet_first in (False, True):
        if wavelet_first and n >= len(wavelets):
            continue
        a, b = _copy(x, min(n, count), wavelet_first), _copy(wavelets, len(wavelets), wavelet_first)
        if wavelet_first:
            a, b = b, a
        _fill(elements, table, a, b, n, wavelet_first)
    for j in range(len(out)):
        if coeff[j] < n:
            out[j] = -math.sqrt(w[j]) * (elements[pairs[2 * j + 1]] - elements[pairs[2 * j]])
        else:
            out[j] = math.nan
