"""Kernels: the least-squares line over places or times, of the values or of aggregated chunks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tidemill.calculators.jit.decorators import helper, inline
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.distribution import greater, lesser
from tidemill.calculators.numerics.sums import SHORT, pairwise_sum, short_sum

INTERCEPT, PVALUE, RVALUE, SLOPE, STDERR = range(5)  # the choices of attr, in order
MAX, MEAN, MIN, STD, SUM, VAR = range(6)  # the choices of f_agg, in order
_TINY = 1e-20
_NANOSECONDS_PER_SECOND = 1e9
_SECONDS_PER_HOUR = 3600.0


@helper
def _continued_fraction(a, b, x):
    """The fraction of the incomplete beta function, by Lentz (Numerical Recipes, 6.4)."""
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    value = d
    for k in range(1, 10_000):
        step = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k))
        d = 1.0 / (1.0 + step * d)
        c = 1.0 + step / c
        value *= c * d
        step = -(a + k) * (a + b + k) * x / ((a + 2 * k) * (a + 2 * k + 1))
        d = 1.0 / (1.0 + step * d)
        c = 1.0 + step / c
        value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


@helper
def incomplete_beta(a, b, x, rest):
    """The regularised incomplete beta function I_x(a, b); ``rest`` is 1 - x, given exactly."""
    if x <= 0.0:
        return 0.0
    if rest <= 0.0:
        return 1.0
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    front = math.exp(a * math.log(x) + b * math.log(rest) - log_beta)
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _continued_fraction(a, b, x) / a
    return 1.0 - front * _continued_fraction(b, a, rest) / b


@helper
def _p_value(r, freedom):
    """Two-sided p of Student's t for a slope of correlation r."""
    t2 = r * r * freedom / ((1.0 - r + _TINY) * (1.0 + r + _TINY))
    if math.isnan(t2):
        return math.nan
    whole = freedom + t2
    return incomplete_beta(freedom / 2, 0.5, freedom / whole, t2 / whole)


@helper
def _correlation(sxx, sxy, syy):
    if sxx == 0.0 or syy == 0.0:
        return math.nan if sxy == 0.0 else 0.0
    r = sxy / math.sqrt(sxx * syy)
    if abs(r) > 1.0:  # by rounding; NaN stays
        return math.copysign(1.0, r)
    return r


@helper
def _over_places(y, mean):
    """Sums of (i - middle) (y[i] - mean) and of (y[i] - mean)^2, four running sums each."""
    n = len(y)
    place = -(n - 1) / 2
    p = q = r = s = a = b = c = d = 0.0
    for i in range(0, n - n % 4, 4):
        e, f, g, h = y[i] - mean, y[i + 1] - mean, y[i + 2] - mean, y[i + 3] - mean
        p += place * e
        q += (place + 1.0) * f
        r += (place + 2.0) * g
        s += (place + 3.0) * h
        a += e * e
        b += f * f
        c += g * g
        d += h * h
        place += 4.0
    for i in range(n - n % 4, n):
        e = y[i] - mean
        p += place * e
        a += e * e
        place += 1.0
    return (p + q) + (r + s), (a + b) + (c + d)


@helper
def _scale(n, x_mean, y_mean, sxx, sxy, syy, level):
    # Times 1 / n, as numpy.cov does: the p-value of a perfect fit hangs on the last bit of r.
    share = 1 / n
    return n, x_mean, y_mean, sxx * share, sxy * share, syy * share, level


@helper
def _level(y):
    """Whether the line is level, as far as its ends tell; NaN if one of them is."""
    if math.isnan(y[0]) or math.isnan(y[-1]):
        return math.nan
    return 1.0 if y[0] == y[-1] else 0.0


@helper
def _fit_places(y):
    """What the attributes of the line over 0, 1, 2, ... are made of."""
    n = len(y)
    mean = pairwise_sum(y) / n
    sxy, syy = _over_places(y, mean)
    sxx = n * (np.float64(n) * n - 1) / 12
    return _scale(n, (n - 1) / 2, mean, sxx, sxy, syy, _level(y))


@helper
def _fit(x, y):
    """What the attributes of the line over x are made of."""
    n = len(y)
    x_mean, y_mean = pairwise_sum(x) / n, pairwise_sum(y) / n
    sxx = sxy = syy = 0.0
    for i in range(n):
        dx, dy = x[i] - x_mean, y[i] - y_mean
        sxx += dx * dx
        sxy += dx * dy
        syy += dy * dy
    return _scale(n, x_mean, y_mean, sxx, sxy, syy, _level(y))


@helper
def _attribute(fit, attr):
    """One attribute of scipy.stats.linregress."""
    n, x_mean, y_mean, sxx, sxy, syy, level = fit
    r, slope = _correlation(sxx, sxy, syy), sxy / sxx
    if attr == SLOPE:
        return slope
    if attr == INTERCEPT:
        return y_mean - slope * x_mean
    if attr == RVALUE:
        return r
    if n == 2:
        return level if attr == PVALUE or math.isnan(level) else 0.0
    if attr == PVALUE:
        return _p_value(r, n - 2.0)
    return math.sqrt((1.0 - r * r) * syy / sxx / (n - 2.0))


@kernel
def linear_trend(x, params, out):
    (attr,) = params
    fit = _fit_places(x)
    for j in range(len(out)):
        out[j] = _attribute(fit, attr[j])


@kernel
def linear_trend_timewise(x, times, params, out):
    (attr,) = params
    if len(x) > 1 and times[0] == times[-1]:
        out[:] = math.nan
        return
    hours = np.empty(len(x))
    for i in range(len(x)):
        hours[i] = (times[i] - times[0]) / _NANOSECONDS_PER_SECOND / _SECONDS_PER_HOUR
    fit = _fit(hours, x)
    for j in range(len(out)):
        out[j] = _attribute(fit, attr[j])


def _largest(x, a, first, n):
    value = x[first]
    for i in range(first + 1, first + n):
        value = greater(x[i], value)
    return value


def _smallest(x, a, first, n):
    value = x[first]
    for i in range(first + 1, first + n):
        value = lesser(x[i], value)
    return value


def _long_sum(x, a, first, n):
    return pairwise_sum(x[first : first + n])


value_of: Any = None


def _chunks(x, length, out):
    """One value for each chunk of this length; the last may be shorter."""
    last = len(out) - 1
    for i in range(last):
        out[i] = value_of(x, 0.0, i * length, length)
    out[last] = value_of(x, 0.0, last * length, len(x) - last * length)


# A loop for each aggregate: with the choice inside, or one call deeper, a chunk takes 16 ns more.
_largest_of = inline(_chunks, value_of=helper(_largest))
_smallest_of = inline(_chunks, value_of=helper(_smallest))
_short_sums = inline(_chunks, value_of=short_sum)
_long_sums = inline(_chunks, value_of=helper(_long_sum))


@helper
def _sums(x, length, out):
    if length <= SHORT:
        _short_sums(x, length, out)
    else:
        _long_sums(x, length, out)


@helper
def _divide(n, length, out):
    """Divide the sums of chunks of n values in all by the lengths of the chunks."""
    last = len(out) - 1
    for i in range(last):
        out[i] /= length
    out[last] /= n - last * length


@helper
def _squares(x, length, means, out):
    """The squared distances of the values from the means of their chunks."""
    for i in range(len(means)):
        for k in range(i * length, min((i + 1) * length, len(x))):
            d = x[k] - means[i]
            out[k] = d * d


@helper
def _aggregate(x, length, f_agg, means_there, squares, out):
    """Aggregate the chunks; ``out`` may hold their means already."""
    if f_agg == MAX:
        _largest_of(x, length, out)
    elif f_agg == MIN:
        _smallest_of(x, length, out)
    elif not means_there:
        _sums(x, length, out)
        if f_agg != SUM:
            _divide(len(x), length, out)
    if f_agg in (VAR, STD):
        _squares(x, length, out, squares)
        _sums(squares, length, out)
        _divide(len(x), length, out)
    if f_agg == STD:
        for i in range(len(out)):
            out[i] = math.sqrt(out[i])


@kernel
def agg_linear_trend(x, params, out):
    # Each kind of chunks is aggregated and fitted once, for all its attributes.
    attr, chunk_len, f_agg = params
    # Inputs are read-only, another type: with a copy helpers compile once, a second less.
    n, values, scratch, squares = len(x), x.copy(), np.empty(len(x)), np.empty(len(x))
    means = 0
    waiting = np.ones(len(out), dtype=np.bool_)
    for j in range(len(out)):
        length = chunk_len[j]
        if length >= n:
            out[j] = math.nan
        elif waiting[j]:
            chunks = scratch[: (n - 1) // length + 1]
            there = means == length and f_agg[j] in (VAR, STD)
            _aggregate(values, length, f_agg[j], there, squares, chunks)
            means = length if f_agg[j] == MEAN else 0
            fit = _fit_places(chunks)
            for k in range(j, len(out)):
                if chunk_len[k] == length and f_agg[k] == f_agg[j]:
                    out[k] = _attribute(fit, attr[k])
                    waiting[k] = False
