"""Kernel: the augmented Dickey-Fuller test for a unit root, as statsmodels does it."""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.distribution import MEAN, SQUARES
from tidemill.calculators.kernels.regression import (
    ERROR,
    LEVEL_FIRST,
    add_rows,
    is_constant,
    prepare,
    regress,
    start,
)
from tidemill.calculators.kernels.unsolved import UNSOLVED
from tidemill.calculators.numerics.leastsquares import dot, solve_triangle

PVALUE, TESTSTAT, USEDLAG, NOTHING = range(4)  # the choices of attr, in order
AIC, BIC, T_STAT, ALL_LAGS = range(4)  # the choices of autolag, in order
_PSEUDOINVERSE = 2e-16 / 3e-8  # its rounding, by the error of the statistic that may pass
SIGNIFICANT = 1.6448536269514722  # the 95 % point of the normal distribution


@helper
def most_lags(n):
    """Schwert's rule, and enough rows for the regressors; below 0: too short a series."""
    return min(n // 2 - 2, np.int64(math.ceil(12.0 * (n / 100.0) ** 0.25)))


@helper
def p_value(t):
    """MacKinnon's approximation for a regression with a constant."""
    if t > 2.74:
        return 1.0
    if t < -18.83:
        return 0.0
    if t <= -1.61:
        z = 2.1659 + t * (1.4412 + t * 0.038269)
    else:
        z = 1.7339 + t * (0.93202 + t * (-0.12745 + t * -0.010368))
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


@helper
def _by_criterion(r, rest, rows, error, penalty):
    """The number of lags with the smallest criterion; -1 if rounding decides."""
    best, second, lag = math.inf, math.inf, -1
    for k in range(len(r) - 1, -1, -1):  # column k is the last one of k lags
        value = rows * math.log(rest) + penalty * (k + 2)
        if value <= best:
            best, second, lag = value, best, k
        else:
            second = min(second, value)
        rest += r[k, len(r)] * r[k, len(r)]
    return lag if second - best > 10.0 * rows * error else -1


@helper
def _by_significance(r, rest, rows, error):
    """The largest number of lags whose last one is significant; -1 if rounding decides."""
    for k in range(len(r) - 1, -1, -1):
        z = r[k, len(r)]
        t = abs(z) / math.sqrt(rest / (rows - k - 2))
        if abs(t - SIGNIFICANT) < 100.0 * error:
            return -1
        if t >= SIGNIFICANT:
            return k
        rest += z * z
    return 0


@helper
def _lag(r, rest, rows, error, autolag):
    """The number of lags that the criterion chooses; -1 if rounding decides."""
    if autolag == ALL_LAGS:
        return len(r) - 1
    if autolag == T_STAT:
        return _by_significance(r, rest, rows, error)
    return _by_criterion(r, rest, rows, error, 2.0 if autolag == AIC else math.log(rows))


@helper
def _statistic(r, rest, rows, size):
    """The t statistic of the level's coefficient, the last; UNSOLVED where roundings decide."""
    p = len(r)
    deviation, b = math.sqrt(rest / (rows - p - 1)), np.empty(p)
    t = r[p - 1, p] / deviation
    # The pseudoinverse errs by the size of the constant, of 1, even if the values are 1e-9.
    solve_triangle(r, b)
    if _PSEUDOINVERSE * math.sqrt(size * dot(b, b)) > deviation * (0.1 + abs(t)):
        return UNSOLVED
    return t


@helper
def _test(series, rows, head, sums, autolag, result):
    """Fill p-value, statistic and number of lags, as far as they are not left to numpy."""
    most = len(head) - 1
    for order in range(2):  # with the level first all lags, then with the level last those chosen
        p = len(head)
        r, means = np.empty((p, p + 1)), np.empty(p + 1)
        rest, error, size = regress(series, rows, head, sums, order, 1.0, r, means)
        if not error < ERROR:
            return
        if order == LEVEL_FIRST:
            lag = _lag(r, rest, rows, error, autolag)
            if lag < 0:
                return
            result[USEDLAG] = lag
            head, sums = head[: lag + 1].copy(), sums.copy()
            add_rows(series[0], series[1], rows, rows + most - lag, head, sums)
            rows += most - lag
        else:
            t = _statistic(r, rest, rows, size)
            if t != UNSOLVED:
                result[PVALUE], result[TESTSTAT] = p_value(t), t


@kernel
def augmented_dickey_fuller(x, m, params, out):
    attr, autolag = params
    most = most_lags(len(x))
    if most < 0 or is_constant(x):
        out[:] = math.nan
        return
    e, v, drift = prepare(x, m[MEAN], most)
    series, rows, result = (e, v, drift, m[MEAN], m[SQUARES]), len(v) - most, np.empty(4)
    head, sums = start(e, v, rows, most)
    for j in range(len(out)):
        if j == 0 or autolag[j] != autolag[j - 1]:
            result[:] = UNSOLVED
            result[NOTHING] = math.nan
            _test(series, rows, head, sums, autolag[j], result)
        out[j] = result[attr[j]]
