"""Kernel: coefficients of an autoregressive process; and the regressions it shares with others.

The next change is regressed on the level and on earlier changes: that is how Dickey and Fuller
test, and an autoregression in other terms. Time runs backwards here. ``e`` holds the changes less
their mean, so that the target of row j is e[j] and the change k steps earlier e[j + k]; ``v`` holds
the values less their mean, so that the level of row j is v[j]. Rows and lags count from 0.

The products of these columns take one pass for each lag, since e[j + k + 1] e[j + l + 1] summed
over the rows differs from e[j + k] e[j + l] by the terms at both ends. What roundings and near
dependence cost is estimated from the triangle. Where that is too much, or where LAPACK's roundings
decide what tsfresh says, the series is left to :mod:`tidemill.calculators.kernels.pseudoinverse`.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper, pasted
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.correlation import add_products
from tidemill.calculators.kernels.distribution import MEAN, SQUARES
from tidemill.calculators.kernels.unsolved import UNSOLVED
from tidemill.calculators.numerics.leastsquares import (
    decompose,
    invert,
    solve_triangle,
)

#: Singular values count as zero below 1e-15 or p 2e-16 of the largest: numpy solves from here on.
CONDITION = 1e13
#: The relative error of results that are taken.
ERROR = 1e-8
#: Residuals of this share of the values are rounding errors.
NOTHING = 1e-18
_ROUNDING = 1e-15
_HUGE = 1e290
_RUN = 128

LEVEL_FIRST, LEVEL_LAST = range(2)  # the order of the regressors
CHANGES, SQUARE, CHANGE, VALUE = range(4)  # sums of v e, v v, e and v over the rows


@helper
def prepare(x, mean, lags):
    """The changes and levels, zeros after them, and the mean change."""
    n = len(x)
    drift = (x[n - 1] - x[0]) / (n - 1)
    e, v = np.empty(n + lags + 12), np.empty(n)
    for i in range(n - 1):
        e[n - 2 - i] = x[i + 1] - x[i] - drift
    for i in range(n):
        v[n - 1 - i] = x[i] - mean
    for i in range(n - 1, len(e)):
        e[i] = 0.0
    return e, v[1:], drift


@helper
def add_rows(e, v, first, last, head, sums):
    """Add some rows to the products of e[j] with its lags and to the sums, one by one."""
    for j in range(first, last):
        for k in range(len(head)):
            head[k] += e[j] * e[j + k]
        sums[CHANGES] += v[j] * e[j]
        sums[SQUARE] += v[j] * v[j]
        sums[CHANGE] += e[j]
        sums[VALUE] += v[j]


@pasted
def _add_run(e, v, first, last, head, sums, run):
    """Add a run of rows, a multiple of four."""
    for k in range(len(run)):
        run[k] = 0.0
    add_products(e, first, last, run)
    for k in range(len(run)):
        head[k] += run[k]
    a = b = c = d = 0.0
    for j in range(first, last):
        a += v[j] * e[j]
        b += v[j] * v[j]
        c += e[j]
        d += v[j]
    sums[CHANGES] += a
    sums[SQUARE] += b
    sums[CHANGE] += c
    sums[VALUE] += d


@pasted
def start(e, v, rows, lags):
    """The products of e[j] with its lags, float64[lags + 1], and the sums, of the first rows."""
    padded, whole = lags + 1 + -(lags + 1) % 8, rows - rows % 4
    head, run, sums = np.zeros(padded), np.empty(padded), np.zeros(4)
    for first in range(0, whole, _RUN):  # short runs bound the rounding errors
        _add_run(e, v, first, min(first + _RUN, whole), head, sums, run)
    head = head[: lags + 1]
    add_rows(e, v, whole, rows, head, sums)
    return head, sums


@helper
def _sums_of_changes(e, rows, first, out):
    """The sums of e[j + k] over the rows for each k; ``first`` is that of e[j]."""
    out[0] = first
    for k in range(len(out) - 1):
        out[k + 1] = out[k] - e[k] + e[rows + k]


@helper
def _products_with_levels(e, v, rows, drift, first, products, totals, out):
    """The sums of v[j] e[j + k] for each k, from those of e[j + 1] e[j + 1 + k].

    For v[j] is v[j + 1] + e[j + 1] + drift. Returns the largest term that was added.
    """
    out[0] = first
    largest = abs(first)
    for k in range(len(out) - 1):
        off, on = v[0] * e[k], v[rows] * e[rows + k]
        out[k + 1] = out[k] - off + on + products[k] + drift * totals[k + 1]
        largest = max(largest, abs(off), abs(on), abs(out[k + 1]))
    return largest


@pasted
def _by_products(series, rows, head, sums, order, r, totals, norms):
    """The triangle by Cholesky's way; the sum of squared residuals and the error of products."""
    e, v, drift, _, _ = series
    lags, share = len(head) - 1, 1.0 / rows
    first, level, target = 1 - order, order * lags, lags + 1
    q, c, part, largest = head.copy(), np.empty(lags + 1), sums[VALUE] * share, 0.0
    own = least = q[0] - totals[0] * totals[0] * share
    for k in range(1, lags + 1):
        r[k - 1 + first, target] = q[k] - totals[0] * totals[k] * share
    terms = q[0]
    for a in range(1, lags + 1):  # q[k]: the product of the changes a and a + k steps earlier
        off, on = e[a - 1], e[rows + a - 1]
        terms += off * off + on * on
        row = r[a - 1 + first]
        for k in range(lags + 1 - a):
            q[k] += on * e[rows + a - 1 + k] - off * e[a - 1 + k]
            row[a - 1 + first + k] = q[k] - totals[a] * totals[a + k] * share
        least = min(least, row[a - 1 + first])
        if a == 1:
            largest = _products_with_levels(e, v, rows, drift, sums[CHANGES], q, totals, c)
    for k in range(1, lags + 1):
        i, j = (0, k) if order == LEVEL_FIRST else (k - 1, level)
        r[i, j] = c[k] - part * totals[k]
    r[level, target] = sums[CHANGES] - part * totals[0]
    r[level, level] = sums[SQUARE] - part * sums[VALUE]
    noise = max(terms / least, sums[SQUARE] / r[level, level])
    noise = max(noise, largest / math.sqrt(least * r[level, level]))
    for j in range(len(r)):
        norms[j] = math.sqrt(r[j, j])
    norms[-1] = math.sqrt(own)
    if not decompose(r):
        return 0.0, noise
    for j in range(len(r)):
        own -= r[j, target] * r[j, target]
    return own, noise


@helper
def _amplification(inverse, norms):
    """By how much errors in the columns may grow in coefficients and residuals."""
    worst, size = 0.0, len(norms)
    for c in range(size):
        total = 0.0
        for j in range(c + 1):
            total += norms[j] * abs(inverse[j, c])
        worst = max(worst, total)
    return worst


@helper
def _sizes(inverse, norms, means, rows):
    """The squared Frobenius norms of the regressors with the constant, and of their inverse."""
    p = len(means) - 1
    size, inverse_size = np.float64(rows), 1.0 / rows
    for c in range(p):
        size += norms[c] * norms[c] + rows * means[c] * means[c]
        shift = 0.0
        for j in range(c + 1):
            shift += means[j] * inverse[j, c]
            inverse_size += inverse[j, c] * inverse[j, c]
        inverse_size += shift * shift
    return size, inverse_size


@helper
def regress(series, rows, head, sums, order, spread, r, means):
    """Fill the triangle, and the means of the columns as they are; the target is the last.

    Returns the sum of squared residuals, its relative error (and that of what is read from the
    triangle), and the squared norm of the regressors. The error is infinite if the condition,
    times ``spread``, calls for numpy.
    """
    e, _, drift, mean, squares = series
    p = len(r)
    totals, norms, inverse = np.empty(p), np.empty(p + 1), np.empty((p + 1, p + 1))
    _sums_of_changes(e, rows, sums[CHANGE], totals)
    for k in range(1, p):
        means[k - order] = totals[k] / rows + drift
    means[order * (p - 1)] = sums[VALUE] / rows + mean
    means[p] = totals[0] / rows + drift
    rest, noise = _by_products(series, rows, head, sums, order, r, totals, norms)
    if not rest > NOTHING * squares:
        return rest, math.inf, math.inf
    invert(r, math.sqrt(rest), inverse)
    grown = _amplification(inverse, norms)
    size, inverse_size = _sizes(inverse, norms, means, rows)
    if not size * inverse_size < (CONDITION / spread) ** 2:
        return rest, math.inf, size
    return rest, _ROUNDING * grown * grown * noise, size


@pasted
def _autoregress(series, k, c):
    """Fill the constant and k coefficients; false if that is left to numpy."""
    e, v = series[0], series[1]
    rows = len(v) - k + 1
    r, means, b = np.empty((k, k + 1)), np.empty(k + 1), np.empty(k)
    head, sums = start(e, v, rows, k - 1)
    # Between the levels asked for and one level with changes stands a factor of at most 2 sqrt(k).
    _, error, _ = regress(
        series, rows, head, sums, np.int64(LEVEL_FIRST), 2 * math.sqrt(k), r, means
    )
    if not error < ERROR:
        return False
    solve_triangle(r, b)
    c[0], c[1] = means[k], 1.0 + b[0]
    for j in range(k):
        c[0] -= b[j] * means[j]
    for j in range(1, k):
        c[j] += b[j]
        c[j + 1] = -b[j]
    return True


@helper
def _fill_constant(value, k, c):
    """The shortest of all solutions, where all values are equal; UNSOLVED where norms overflow."""
    if abs(value) > _HUGE:
        c[:] = UNSOLVED
    elif abs(value) > 1.0:
        inverse = 1.0 / value
        c[0], c[1:] = inverse / (inverse * inverse + k), 1.0 / (inverse * inverse + k)
    else:
        c[0], c[1:] = value / (1.0 + k * value * value), value * value / (1.0 + k * value * value)


@helper
def is_constant(x):
    for i in range(1, len(x)):
        if x[i] != x[0]:
            return False
    return True


@pasted
def _coefficients(x, m, k, c):
    """The constant and k coefficients; UNSOLVED where numpy has to solve."""
    if k == 0:
        c[0] = m[MEAN]
    elif len(x) < 2 * k + 1:  # NaN, but 0 for the last: tsfresh's list is one too short
        c[:k], c[k] = math.nan, 0.0
    elif is_constant(x):
        _fill_constant(x[0], k, c)
    else:
        e, v, drift = prepare(x, m[MEAN], k)
        series = (e, v, drift, m[MEAN], m[SQUARES])
        if not _autoregress(series, k, c):
            c[:] = UNSOLVED


@kernel
def ar_coefficient(x, m, params, out):
    coeff, k = params
    c = np.empty(0)
    for j in range(len(out)):
        if j == 0 or k[j] != k[j - 1]:
            c = np.empty(k[j] + 1)
            _coefficients(x, m, k[j], c)
        out[j] = c[coeff[j]] if coeff[j] <= k[j] else math.nan
