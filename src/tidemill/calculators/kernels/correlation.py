"""Kernels: autocovariance and what is read from it.

``a`` is the intermediate *autocovariance*: the sums, not yet divided, of the products of
distances from the mean at lags 0, 1, 2, ...; NaN from the length of the series on.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.distribution import LENGTH, MEAN, VARIANCE
from tidemill.calculators.numerics.select import aggregate
from tidemill.calculators.numerics.sums import sum_of

_RUN = 128


def _product(y, lag, i):
    return y[i] * y[i + lag]


_sum_of_products = sum_of(_product)


@helper
def add_products(y, first, last, run):
    """Add y[i] y[i + lag] to run[lag] for i from first to below last, a multiple of four later.

    The lags of one value are one vector operation; four values at a time leave the sums in
    registers: 4.5 us instead of 8 us for 41 lags of 1,000 values.
    """
    for i in range(first, last, 4):
        w = y[i:]
        a, b, c, d = w[0], w[1], w[2], w[3]
        for lag in range(len(run)):
            run[lag] = (run[lag] + a * w[lag]) + b * w[lag + 1] + c * w[lag + 2] + d * w[lag + 3]


@helper
def lagged_products(x, mean, out):
    """Sums of the products of distances from the mean at lags 0, 1, 2, ...; 0 from lag n on."""
    # Zeros follow the values, so that no lag and no value is a special case.
    n, lags = len(x), len(out)
    padded = lags + -lags % 8
    scratch = np.empty(n + 4 + 3 * padded)
    y, run, total = scratch[: n + 4 + padded], scratch[-2 * padded : -padded], scratch[-padded:]
    for i in range(n):
        y[i] = x[i] - mean
    y[n:] = 0.0
    total[:] = 0.0
    for first in range(0, n, _RUN):  # runs bound the rounding error
        run[:] = 0.0
        add_products(y, first, min(first + _RUN, n), run)
        for lag in range(padded):
            total[lag] += run[lag]
    for lag in range(lags):
        out[lag] = total[lag]
        if lag < n and not abs(out[lag]) < math.inf:  # numpy's order decides what overflows
            out[lag] = _sum_of_products(y, lag, n - lag)


@kernel
def autocovariance(x, m, params, out):
    lagged_products(x, m[MEAN], out)
    out[len(x) :] = math.nan


@kernel
def autocorrelation(m, a, params, out):
    (lag,) = params
    n = m[LENGTH]
    for j in range(len(out)):
        if lag[j] >= n or m[VARIANCE] <= 1e-8:  # numpy.isclose to zero
            out[j] = math.nan
        else:
            out[j] = a[lag[j]] / ((n - lag[j]) * m[VARIANCE])


@kernel
def agg_autocorrelation(m, a, params, out):
    f_agg, maxlag = params
    n = np.int64(m[LENGTH])
    correlations = np.zeros(len(a))
    for j in range(len(out)):
        lags = min(maxlag[j], n - 1)
        if n == 1 or m[VARIANCE] < 1e-10:
            out[j] = 0.0
            continue
        for lag in range(1, lags + 1):
            correlations[lag] = (a[lag] / (n - lag)) / (a[0] / n)
        out[j] = aggregate(correlations[1 : lags + 1], f_agg[j])


@helper
def _partial(a, n, phi, psi, out):
    """Partial autocorrelations at lags 1, 2, ... by Levinson's and Durbin's recursion."""
    error = a[0] / n
    for k in range(len(out)):
        total = a[k + 1] / (n - k - 1)
        for j in range(k):
            total -= phi[j] * (a[k - j] / (n - k + j))
        out[k] = total / error
        error *= 1 - out[k] * out[k]
        for j in range(k):
            psi[j] = phi[j] - out[k] * phi[k - 1 - j]
        psi[k] = out[k]
        phi, psi = psi, phi


@kernel
def partial_autocorrelation(m, a, params, out):
    # Lags from half the length on are NaN, lag 0 too if no other is asked for.
    (lag,) = params
    n = np.int64(m[LENGTH])
    most = 0
    for one in lag:
        most = max(most, one)
    most = min(most, n // 2 - 1)
    scratch = np.empty(3 * most + 1)
    partial = scratch[: most + 1]
    partial[0] = 1.0
    _partial(a, n, scratch[most + 1 : 2 * most + 1], scratch[2 * most + 1 :], partial[1:])
    for j in range(len(out)):
        out[j] = partial[lag[j]] if most > 0 and lag[j] <= most else math.nan
