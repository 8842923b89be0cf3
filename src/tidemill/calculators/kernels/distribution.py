"""Kernels: moments, extremes and what follows from them.

``m`` is the intermediate *moments*: [length, sum, mean, variance, standard deviation, sum of
squares, variation coefficient, root mean square]; ``e`` is *extremes*: [minimum, maximum, largest
absolute value]; ``c`` is *central*: sums of the squares, cubes and fourth powers of the distances
from the mean.
"""

from __future__ import annotations

import math

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.numerics.sums import (
    pairwise_sum,
    sum_of_cubes,
    sum_of_distances,
    sum_of_fourths,
    sum_of_squares,
)

LENGTH, SUM, MEAN, VARIANCE, DEVIATION, SQUARES, VARIATION, ROOT_MEAN_SQUARE = range(8)
MINIMUM, MAXIMUM, ABSOLUTE = range(3)


@kernel
def moments(x, params, out):
    n = len(x)
    total = pairwise_sum(x)
    out[LENGTH] = n
    out[SUM] = total
    out[MEAN] = total / n
    out[VARIANCE] = sum_of_squares(x, total / n, n) / n
    out[DEVIATION] = math.sqrt(out[VARIANCE])
    out[SQUARES] = sum_of_squares(x, 0.0, n)
    out[VARIATION] = out[DEVIATION] / out[MEAN] if out[MEAN] != 0 else math.nan
    out[ROOT_MEAN_SQUARE] = math.sqrt(out[SQUARES] / n)


@helper
def lesser(a, b):
    return a if a < b else b


@helper
def greater(a, b):
    return a if a > b else b


@kernel
def extremes(x, params, out):
    # Four candidates at a time: 0.8 us instead of 1.9 us at 1,000 (one waits for the other).
    a = b = c = d = p = q = r = s = x[0]
    whole = len(x) - len(x) % 4
    for i in range(0, whole, 4):
        a, p = lesser(x[i], a), greater(x[i], p)
        b, q = lesser(x[i + 1], b), greater(x[i + 1], q)
        c, r = lesser(x[i + 2], c), greater(x[i + 2], r)
        d, s = lesser(x[i + 3], d), greater(x[i + 3], s)
    for i in range(whole, len(x)):
        a, p = lesser(x[i], a), greater(x[i], p)
    out[MINIMUM] = lesser(lesser(a, b), lesser(c, d))
    out[MAXIMUM] = greater(greater(p, q), greater(r, s))
    out[ABSOLUTE] = greater(abs(out[MINIMUM]), abs(out[MAXIMUM]))


@kernel
def central(x, m, params, out):
    # About the mean as it is rounded, then moved by d to the mean as it is: exact to 1e-15 where
    # values lie far from zero (an offset of 1e9 and noise of 1 would leave 1e-6 otherwise).
    n, mean = len(x), m[MEAN]
    d = sum_of_distances(x, mean, n) / n
    second, third = m[VARIANCE] * n, sum_of_cubes(x, mean, n)
    fourth = sum_of_fourths(x, mean, n)
    out[0] = second - n * d * d
    out[1] = third - 3 * d * second + 2 * n * d**3
    out[2] = fourth - 4 * d * third + 6 * d * d * second - 3 * n * d**4


@kernel
def variance_larger_than_standard_deviation(m, params, out):
    out[0] = m[VARIANCE] > m[DEVIATION]


@kernel
def large_standard_deviation(m, e, params, out):
    (r,) = params
    for j in range(len(out)):
        out[j] = m[DEVIATION] > r[j] * (e[MAXIMUM] - e[MINIMUM])


@kernel
def symmetry_looking(m, e, median, params, out):
    (r,) = params
    distance = abs(m[MEAN] - median[0])
    for j in range(len(out)):
        out[j] = distance < r[j] * (e[MAXIMUM] - e[MINIMUM])


@kernel
def skewness(m, e, c, params, out):
    (of_constants,) = params
    n = m[LENGTH]
    if e[MINIMUM] == e[MAXIMUM]:
        out[0] = of_constants[0]
    else:
        out[0] = n * math.sqrt(n - 1) / (n - 2) * c[1] / c[0] ** 1.5


@kernel
def kurtosis(m, e, c, params, out):
    (of_constants,) = params
    n = m[LENGTH]
    if e[MINIMUM] == e[MAXIMUM]:
        out[0] = of_constants[0]
    else:
        ratio = n * (n + 1) * (n - 1) * c[2] / (c[0] * c[0])
        out[0] = (ratio - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3))


@helper
def _first_above(s, limit, mean):
    """The first of sorted values whose distance from the mean, as it is rounded, is above."""
    first, last = 0, len(s)
    while first < last:
        middle = (first + last) // 2
        if s[middle] - mean > limit:
            last = middle
        else:
            first = middle + 1
    return first


@helper
def _first_not_below(s, limit, mean):
    """The first of sorted values that is not below the mean by more than the limit."""
    first, last = 0, len(s)
    while first < last:
        middle = (first + last) // 2
        if mean - s[middle] > limit:
            first = middle + 1
        else:
            last = middle
    return first


@kernel
def ratio_beyond_r_sigma(s, m, params, out):
    (r,) = params
    n = len(s)
    for j in range(len(out)):
        limit = r[j] * m[DEVIATION]
        if limit < 0.0:  # every distance is above
            out[j] = 1.0
            continue
        inside = _first_above(s, limit, m[MEAN]) - _first_not_below(s, limit, m[MEAN])
        out[j] = (n - inside) / n
