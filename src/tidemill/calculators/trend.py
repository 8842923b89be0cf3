"""Kernels: the least-squares line, over the places of the values or over their times."""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.kernels import helper, kernel
from tidemill.calculators.sums import pairwise_sum

INTERCEPT, PVALUE, RVALUE, SLOPE, STDERR = range(5)  # the choices of attr, in order
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
    return max(-1.0, min(1.0, sxy / math.sqrt(sxx * syy)))


@helper
def _line(x, y, attr, out):
    """scipy.stats.linregress; the attributes asked for go to ``out``."""
    n = len(y)
    x_mean, y_mean = pairwise_sum(x) / n, pairwise_sum(y) / n
    sxx = sxy = syy = 0.0
    for i in range(n):
        dx, dy = x[i] - x_mean, y[i] - y_mean
        sxx += dx * dx
        sxy += dx * dy
        syy += dy * dy
    sxx, sxy, syy = sxx / n, sxy / n, syy / n
    r = _correlation(sxx, sxy, syy)
    slope = sxy / sxx
    for j in range(len(out)):
        if attr[j] == SLOPE:
            out[j] = slope
        elif attr[j] == INTERCEPT:
            out[j] = y_mean - slope * x_mean
        elif attr[j] == RVALUE:
            out[j] = r
        elif n == 2:
            out[j] = 1.0 if attr[j] == PVALUE and y[0] == y[1] else 0.0
        elif attr[j] == PVALUE:
            out[j] = _p_value(r, n - 2.0)
        else:
            out[j] = math.sqrt((1.0 - r * r) * syy / sxx / (n - 2.0))


@kernel
def linear_trend(x, params, out):
    (attr,) = params
    places = np.arange(len(x)).astype(np.float64)
    _line(places, x, attr, out)


@kernel
def linear_trend_timewise(x, times, params, out):
    (attr,) = params
    if len(x) > 1 and times[0] == times[-1]:
        out[:] = math.nan
        return
    hours = np.empty(len(x))
    for i in range(len(x)):
        hours[i] = (times[i] - times[0]) / _NANOSECONDS_PER_SECOND / _SECONDS_PER_HOUR
    _line(hours, x, attr, out)
