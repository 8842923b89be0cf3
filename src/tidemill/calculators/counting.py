"""Kernels: counts, places and strikes of values.

``m`` and ``e`` are the intermediates *moments* and *extremes* of :mod:`.distribution`.
"""

from __future__ import annotations

from tidemill.calculators.distribution import MAXIMUM, MEAN, MINIMUM
from tidemill.calculators.kernels import helper, kernel


@helper
def _count_equal(x, value):
    count = 0
    for i in range(len(x)):
        count += x[i] == value
    return count


@helper
def _count_between(x, low, high):
    count = 0
    for i in range(len(x)):
        count += (x[i] >= low) & (x[i] < high)
    return count


@helper
def _first_of(x, value):
    i = 0
    while x[i] != value:
        i += 1
    return i


@helper
def _last_of(x, value):
    i = len(x) - 1
    while x[i] != value:
        i -= 1
    return i


@kernel
def has_duplicate_max(x, e, params, out):
    out[0] = _count_equal(x, e[MAXIMUM]) >= 2


@kernel
def has_duplicate_min(x, e, params, out):
    out[0] = _count_equal(x, e[MINIMUM]) >= 2


@kernel
def first_location_of_maximum(x, e, params, out):
    out[0] = _first_of(x, e[MAXIMUM]) / len(x)


@kernel
def first_location_of_minimum(x, e, params, out):
    out[0] = _first_of(x, e[MINIMUM]) / len(x)


@kernel
def last_location_of_maximum(x, e, params, out):
    n = len(x)
    out[0] = 1.0 - (n - 1 - _last_of(x, e[MAXIMUM])) / n


@kernel
def last_location_of_minimum(x, e, params, out):
    n = len(x)
    out[0] = 1.0 - (n - 1 - _last_of(x, e[MINIMUM])) / n


@kernel
def count_above_mean(x, m, params, out):
    count = 0
    for i in range(len(x)):
        count += x[i] > m[MEAN]
    out[0] = count


@kernel
def count_below_mean(x, m, params, out):
    count = 0
    for i in range(len(x)):
        count += x[i] < m[MEAN]
    out[0] = count


@kernel
def count_above(x, params, out):
    (t,) = params
    for j in range(len(out)):
        count = 0
        for i in range(len(x)):
            count += x[i] >= t[j]
        out[j] = count / len(x)


@kernel
def count_below(x, params, out):
    (t,) = params
    for j in range(len(out)):
        count = 0
        for i in range(len(x)):
            count += x[i] <= t[j]
        out[j] = count / len(x)


@kernel
def longest_strike_above_mean(x, m, params, out):
    longest = run = 0
    for i in range(len(x)):
        run = (run + 1) * (x[i] > m[MEAN])
        longest = run if run > longest else longest
    out[0] = longest


@kernel
def longest_strike_below_mean(x, m, params, out):
    longest = run = 0
    for i in range(len(x)):
        run = (run + 1) * (x[i] < m[MEAN])
        longest = run if run > longest else longest
    out[0] = longest


@kernel
def value_count(x, params, out):
    (value,) = params
    for j in range(len(out)):
        out[j] = _count_equal(x, value[j])


@kernel
def range_count(x, params, out):
    low, high = params
    for j in range(len(out)):
        out[j] = _count_between(x, low[j], high[j])


@kernel
def number_crossing_m(x, params, out):
    (m,) = params
    for j in range(len(out)):
        count = 0
        for i in range(1, len(x)):
            count += (x[i] > m[j]) != (x[i - 1] > m[j])
        out[j] = count


@helper
def _support(x, i, most):
    """How many neighbours on each side lie below x[i], up to ``most``."""
    radius = min(most, i, len(x) - 1 - i)
    for r in range(1, radius + 1):
        if not (x[i] > x[i - r] and x[i] > x[i + r]):
            return r - 1
    return radius


@kernel
def number_peaks(x, params, out):
    # One pass for all n: a peak of support n is one of every smaller support, too.
    (n,) = params
    most = 0
    for j in range(len(out)):
        out[j] = 0.0
        most = max(most, n[j])
    for i in range(1, len(x) - 1):
        # Both sides in one test: half of a random walk rises, and a missed branch is dear.
        if (x[i] > x[i - 1]) & (x[i] > x[i + 1]):
            support = _support(x, i, most)
            for j in range(len(out)):
                out[j] += n[j] <= support
