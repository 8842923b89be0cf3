"""Kernel: how often a query occurs in a series.

tsfresh takes the distances from stumpy. By its default threshold of 0 a window counts where a
correlation is rounded to 1, so this kernel does each step in stumpy's order, to the bit: sums
one by one, pairwise or by BLAS, and two of the products without a rounding of their own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.numerics.lanes import lanes_of, numbers_of
from tidemill.calculators.numerics.sums import pairwise_sum

_SHORTEST = 3  # values of a query
_SHORT = 11  # numpy.correlate sums up to so many products one by one, and more by BLAS
_LEAST_SCALE = 1e-14  # stumpy.config.STUMPY_DENOM_THRESHOLD


def _multiply_and_add(typing, a, b, c):
    """The value of a * b + c, rounded once."""
    number = types.float64
    return number(number, number, number), lambda _, builder, __, values: builder.fma(*values)


_fused: Any = intrinsic(_multiply_and_add)


@helper
def _length(query):
    """The values before the first NaN, which fills queries up to the longest one."""
    n = 0
    while n < len(query) and not math.isnan(query[n]):
        n += 1
    return n


@helper
def _count_near(x, query, threshold):
    """Windows whose Euclidean distance from the query is at most the threshold."""
    m, count = len(query), 0
    for start in range(len(x) - m + 1):
        square = 0.0
        for k in range(m):
            d = x[start + k] - query[k]
            square += d * d
        count += math.sqrt(square) <= threshold
    return count


@helper
def _deviation(x, first, m):
    """The standard deviation of the numbers x[first] to x[first + m - 1]."""
    total = squares = 0.0
    for i in range(first, first + m):
        total += x[i]
    mean = total / m
    for i in range(first, first + m):
        squares = _fused(x[i] - mean, x[i] - mean, squares)
    return math.sqrt(squares / m)


@helper
def _dot(x, first, query):
    """The sum of the products of a window of x, which starts there, with the query."""
    m, total = len(query), 0.0
    if len(x) == m:  # numpy.convolve turns the longer of two arrays, and of equal ones the other
        a, b = np.empty(m), np.empty(m)
        for i in range(m):
            a[i], b[i] = x[m - 1 - i], query[m - 1 - i]
    else:
        a, b = x[first : first + m], query
    if m > _SHORT:
        return np.dot(a, b)
    for i in range(m):
        total += a[i] * b[i]
    return total


@helper
def _is_constant(x):
    others = 0
    for i in range(len(x)):
        others += x[i] != x[0]
    return others == 0


@helper
def _count_alike(x, query, threshold):
    """The same of z-normalised windows and query.

    Two constant ones are at distance 0, and a constant one is at sqrt(m) from any other.
    """
    m, count, same = len(query), 0, 0
    numbers, numbers_of_query = numbers_of(lanes_of(x)), numbers_of(lanes_of(query))
    total = pairwise_sum(query) / m * m
    scale = _deviation(numbers_of_query, m - m, m) * m
    steady = _is_constant(query)
    for end in range(len(x)):
        same = same + 1 if end and x[end] == x[end - 1] else 1  # equal values up to here
        first = end - m + 1
        if first < 0:
            continue
        if steady or same >= m:
            square = 0.0 if steady and same >= m else m
        else:
            mean = pairwise_sum(x[first : end + 1]) / m
            common = _fused(-total, mean, _dot(x, first, query))
            r = common / max(scale * _deviation(numbers, first, m), _LEAST_SCALE)
            square = 2 * m * (1.0 - min(r, 1.0))
        count += math.sqrt(square) <= threshold
    return count


@kernel
def query_similarity_count(x, params, out):
    normalize, query, threshold = params
    widest = len(query) // len(out)
    for j in range(len(out)):
        row = query[j * widest : (j + 1) * widest]
        m = _length(row)
        if m < _SHORTEST or m > len(x):
            out[j] = math.nan
        elif normalize[j]:
            out[j] = _count_alike(x, row[:m], threshold[j])
        else:
            out[j] = _count_near(x, row[:m], threshold[j])
