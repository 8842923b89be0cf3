"""Sums in numpy's order, so that they equal np.sum, np.mean and np.var bit for bit.

``_pairwise`` is numpy's pairwise summation: eight running sums up to 128 terms, then halves whose
first is rounded down to a multiple of eight. It is more exact than a running sum and no slower.
"""

from __future__ import annotations

from typing import Any

from tidemill.calculators.kernels import helper, inline

__all__ = [
    "pairwise_sum",
    "sum_of",
    "sum_of_cubes",
    "sum_of_distances",
    "sum_of_fourths",
    "sum_of_squares",
]


# The names that `inline` puts into each copy of the two templates below.
itself: Any = None
leaf: Any = None
term: Any = None


def _leaf(x, a, n):
    r0, r1, r2, r3 = term(x, a, 0), term(x, a, 1), term(x, a, 2), term(x, a, 3)
    r4, r5, r6, r7 = term(x, a, 4), term(x, a, 5), term(x, a, 6), term(x, a, 7)
    whole = n - n % 8
    for i in range(8, whole, 8):
        r0 += term(x, a, i)
        r1 += term(x, a, i + 1)
        r2 += term(x, a, i + 2)
        r3 += term(x, a, i + 3)
        r4 += term(x, a, i + 4)
        r5 += term(x, a, i + 5)
        r6 += term(x, a, i + 6)
        r7 += term(x, a, i + 7)
    total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
    for i in range(whole, n):
        total += term(x, a, i)
    return total


def _pairwise(x, a, n):
    if n < 8:
        total = 0.0
        for i in range(n):
            total += term(x, a, i)
        return total
    if n <= 128:
        return leaf(x, a, n)
    half = n // 2
    half -= half % 8
    return itself(x, a, half) + itself(x[half:], a, n - half)


def sum_of(term):
    """Make ``f(x, a, n)``: the pairwise sum of ``term(x, a, i)`` for i below n.

    ``term`` may look ahead of i in x; ``a`` is a number it gets.
    """
    jitted = helper(term)
    return inline(_pairwise, term=jitted, leaf=inline(_leaf, term=jitted))


def _value(x, a, i):
    return x[i]


def _distance(x, mean, i):
    return x[i] - mean


def _square(x, mean, i):
    d = x[i] - mean
    return d * d


def _cube(x, mean, i):
    d = x[i] - mean
    return d * d * d


def _fourth(x, mean, i):
    d = x[i] - mean
    square = d * d
    return square * square


_sum = sum_of(_value)
sum_of_distances = sum_of(_distance)
sum_of_squares = sum_of(_square)  # of the distances from ``a``
sum_of_cubes = sum_of(_cube)
sum_of_fourths = sum_of(_fourth)


@helper
def pairwise_sum(x):
    """The sum of float64[n], with the bits of np.sum, which adds to +0.0."""
    return 0.0 + _sum(x, 0.0, len(x))
