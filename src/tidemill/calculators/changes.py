"""Kernels: what happens from one value to the next, or to those a few steps ahead.

``d`` is the intermediate *changes*: [sum of absolute changes, sum of squared changes].
"""

from __future__ import annotations

import math

from tidemill.calculators.distribution import DEVIATION
from tidemill.calculators.kernels import kernel
from tidemill.calculators.sums import sum_of


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
    out[0] = _sum_of_absolute_changes(x, 0, len(x) - 1)
    out[1] = _sum_of_squared_changes(x, 0, len(x) - 1)


@kernel
def mean_abs_change(x, d, params, out):
    out[0] = d[0] / (len(x) - 1)


@kernel
def mean_change(x, params, out):
    out[0] = (x[-1] - x[0]) / (len(x) - 1)


@kernel
def mean_second_derivative_central(x, params, out):
    out[0] = (x[-1] - x[-2] - x[1] + x[0]) / (2 * (len(x) - 2))


@kernel
def cid_ce(m, d, params, out):
    (normalize,) = params
    for j in range(len(out)):
        if not normalize[j]:
            out[j] = math.sqrt(d[1])
        elif m[DEVIATION] == 0:
            out[j] = 0.0
        else:
            out[j] = math.sqrt(d[1]) / m[DEVIATION]


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
