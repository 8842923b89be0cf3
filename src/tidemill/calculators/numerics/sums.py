"""Sums in numpy's order, so that they equal np.sum, np.mean and np.var bit for bit.

``_halves`` is numpy's pairwise summation: eight running sums up to 128 terms, then halves whose
first is rounded down to a multiple of eight. It is more exact than a running sum and no slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tidemill.calculators.jit.decorators import helper, inline
from tidemill.calculators.numerics.lanes import WIDTH, fold, lanes_of, numbers_of

__all__ = [
    "SHORT",
    "pairwise_sum",
    "short_sum",
    "short_sum_of_squares",
    "sum_of",
    "sum_of_cubes",
    "sum_of_distances",
    "sum_of_fourths",
    "sum_of_squares",
]

SHORT = 128  # terms that are summed without halving

# The names that `inline` puts into each copy of the templates below.
leaf: Any = None
term: Any = None
total: Any = None


def _leaf(x, a, first, n):
    lanes = lanes_of(x)
    numbers, total = numbers_of(lanes), 0.0
    if n < WIDTH:
        for i in range(first, first + n):
            total += term(numbers, a, i)
        return total
    totals = term(lanes, a, first)
    stop = first + n - n % WIDTH
    for i in range(first + WIDTH, stop, WIDTH):
        totals += term(lanes, a, i)
    total = fold(totals)
    for i in range(stop, first + n):
        total += term(numbers, a, i)
    return total


def _halves(x, a, first, n):
    # With a stack of halves, not by calling itself: kernels that held such a function for two
    # types of array crashed when they were loaded from numba's cache.
    if n <= SHORT:
        return leaf(x, a, first, n)
    sums, rights, depth = np.empty(64), np.empty(64, np.int64), 0
    while True:
        while n > SHORT:
            half = n // 2 - n // 2 % 8
            rights[depth] = n - half
            n = half
            depth += 1
        total = leaf(x, a, first, n)
        first += n
        while depth > 0 and rights[depth - 1] == 0:
            depth -= 1
            total = sums[depth] + total
        if depth == 0:
            return total
        sums[depth - 1] = total
        n = rights[depth - 1]
        rights[depth - 1] = 0


def _terms(x, a, n):
    terms, numbers = np.empty(n), numbers_of(lanes_of(x))
    for i in range(n):
        terms[i] = term(numbers, a, i)
    return total(terms, 0.0, 0, n)


def short_sum_of(term):
    """Make ``f(x, a, first, n)``: the sum of at most SHORT terms, of x[first] and those behind it.

    ``term`` is compiled for the numbers of x and for its lanes: these may be added, subtracted,
    multiplied and given to abs, but not compared.
    """
    return inline(_leaf, term=helper(term))


def sum_of(term):
    """Make ``f(x, a, n)``: the pairwise sum of ``term(x, a, i)`` for i below n.

    ``term`` may look ahead of i in x; ``a`` is a number it gets. The terms are written down first:
    as fast as a sum of its own for each term, and compiled in a quarter of the time.
    """
    return inline(_terms, term=helper(term), total=_sum)


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


short_sum = short_sum_of(_value)
short_sum_of_squares = short_sum_of(_square)  # of the distances from ``a``
_sum = inline(_halves, leaf=short_sum)
_sum_of_squares = inline(_halves, leaf=short_sum_of_squares)

sum_of_distances = sum_of(_distance)
sum_of_cubes = sum_of(_cube)
sum_of_fourths = sum_of(_fourth)


@helper
def sum_of_squares(x, mean, n):
    """The pairwise sum of the squared distances of n values from the mean."""
    return _sum_of_squares(x, mean, 0, n)


@helper
def pairwise_sum(x):
    """The sum of float64[n], with the bits of np.sum, which adds to +0.0."""
    return 0.0 + _sum(x, 0.0, 0, len(x))
