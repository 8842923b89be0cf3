"""Kernels: what happens from one value to the next, or to those a few steps ahead.

``d`` is the intermediate *changes*: [sum of absolute changes, sum of squared changes, mean absolute
change, mean change, mean second derivative].
"""

from __future__ import annotations

import math

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.distribution import DEVIATION, MEAN
from tidemill.calculators.numerics.sums import sum_of


def _absolute_change(x, a, i):
    return abs(x[i + 1] - x[i])


def _squared_change(x, a, i):
    change = x[i + 1] - x[i]
    return change * change


def _triple(x, lag, i):
    return x[i + 2 * lag] * x[i + lag] * x[i]


def _asymmetry(x, lag, i):
    one, two = x[i + lag], x[i + 2 * lag]
    return two * two * one - one * x[i] * x[i]


_sum_of_absolute_changes = sum_of(_absolute_change)
_sum_of_squared_changes = sum_of(_squared_change)
_sum_of_triples = sum_of(_triple)
_sum_of_asymmetries = sum_of(_asymmetry)


@kernel
def changes(x, params, out):
    n = len(x)
    out[0] = _sum_of_absolute_changes(x, 0, n - 1)
    out[1] = _sum_of_squared_changes(x, 0, n - 1)
    out[2] = out[0] / (n - 1)
    out[3] = (x[-1] - x[0]) / (n - 1)
    out[4] = math.nan
    if n > 2:
        out[4] = (x[-1] - x[-2] - x[1] + x[0]) / (2 * (n - 2))


@helper
def _complexity(x, m, squares):
    """The root of the sum of squared changes of the normalised values."""
    mean, deviation = m[MEAN], m[DEVIATION]
    if deviation == 0.0:
        return 0.0
    if 1e-280 < squares < 1e280:
        return math.sqrt(squares) / deviation
    squares = 0.0
    for i in range(1, len(x)):  # where squares of the changes themselves lose digits
        change = (x[i] - mean) / deviation - (x[i - 1] - mean) / deviation
        squares += change * change
    return math.sqrt(squares)


@kernel
def cid_ce(x, m, d, params, out):
    (normalize,) = params
    for j in range(len(out)):
        out[j] = _complexity(x, m, d[1]) if normalize[j] else math.sqrt(d[1])


@kernel
def c3(x, params, out):
    (lag,) = params
    for j in range(len(out)):
        n = len(x) - 2 * lag[j]
        out[j] = _sum_of_triples(x, lag[j], n) / n if n > 0 else 0.0


@kernel
def time_reversal_asymmetry_statistic(x, params, out):
    (lag,) = params
    for j in range(len(out)):
        n = len(x) - 2 * lag[j]
        out[j] = _sum_of_asymmetries(x, lag[j], n) / n if n > 0 else 0.0
