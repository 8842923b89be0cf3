"""Kernels: autocovariance and what is read from it.

``a`` is the intermediate *autocovariance*: the sums, not yet divided, of the products of
distances from the mean at lags 0, 1, 2, ...; NaN from the length of the series on.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.distribution import LENGTH, MEAN, VARIANCE
from tidemill.calculators.kernels import kernel
from tidemill.calculators.order import aggregate

_RUN = 128


@kernel
def autocovariance(x, m, params, out):
    # The lags of one value are one vector operation; runs of 128 bound the rounding error.
    n, lags = len(x), min(len(out), len(x))
    y = np.zeros(n + len(out))
    for i in range(n):
        y[i] = x[i] - m[MEAN]
    run = np.empty(len(out))
    out[:lags] = 0.0
    out[lags:] = math.nan
    for first in range(0, n, _RUN):
        run[:] = 0.0
        for i in range(first, min(first + _RUN, n)):
            window = y[i : i + lags]
            for lag in range(lags):
                run[lag] += y[i] * window[lag]
        for lag in range(lags):
            out[lag] += run[lag]


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
