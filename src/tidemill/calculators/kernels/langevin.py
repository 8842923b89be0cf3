"""Kernels: a polynomial drift h of a Langevin model, and its largest fixed point.

The values but the last are put into r bins between quantiles; the polynomial is fitted to the mean
value and the mean next change of each bin. ``s`` is the intermediate *sorted*.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.unsolved import UNSOLVED
from tidemill.calculators.numerics.leastsquares import (
    dot,
    inverse_norm,
    orthogonalise,
    solve_triangle,
)
from tidemill.calculators.numerics.select import place_of
from tidemill.model.aliases import Floats, Index

#: Beyond this condition of the scaled powers numpy's own steps are taken: it drops singular values
#: from 1e-14 on, and either solution has lost half its digits.
_CONDITION = 1e8
_BLOCK = 256  # values whose bins are found at a time
_UP = 1.25 * 2.0**-53  # q + q * _UP is the next number above q


@helper
def _edge(s, left_out, k, r):
    """The k-th of r + 1 quantiles of the sorted values but one, as pandas.qcut takes them."""
    n = len(s) - 1
    q = k * (1 / r) if k < r else 1.0
    if q * r != k:
        q += q * _UP
    place = (n - 1) * q
    low = np.int64(math.floor(place))
    if low >= n - 1:
        return s[n - 1 + (n - 1 >= left_out)]
    a, b, t = s[low + (low >= left_out)], s[low + 1 + (low + 1 >= left_out)], place - low
    return b - (b - a) * (1 - t) if t >= 0.5 else a + (b - a) * t


@helper
def _fill_edges(x, s, edges, r):
    """The inner edges, filled up with infinity; false if two of all edges are equal."""
    left_out = place_of(s, x[-1])
    before = _edge(s, left_out, 0, r)
    edges[:] = math.inf
    for k in range(1, r + 1):
        edge = _edge(s, left_out, k, r)
        if edge == before and r > 1:
            return False
        if k < r:
            edges[k - 1] = edge
        before = edge
    return True


@helper
def _find_bins(x, edges, bins):
    """The number of edges below each value."""
    # Comparing with every edge is a vector operation: 2 us for 1,000 values and 30 bins, where a
    # search by halves takes 15 us (noise makes it guess wrong).
    bins[:] = 0
    for k in range(0, len(edges), 4):
        a, b, c, d = edges[k], edges[k + 1], edges[k + 2], edges[k + 3]
        for i in range(len(bins)):
            v = x[i]
            bins[i] += (a < v) * 1 + (b < v) * 1 + (c < v) * 1 + (d < v) * 1


@helper
def _add(sums, b, column, value):
    """Add with Kahan's compensation, in the next column: the means of pandas' groups are so."""
    value -= sums[b, column + 1]
    total = sums[b, column] + value
    sums[b, column + 1] = total - sums[b, column] - value
    sums[b, column] = total


@helper
def _fill_bins(x, edges, sums):
    """Add each value but the last to its bin: number, sums of values and of next changes."""
    places = np.empty(min(len(x) - 1, _BLOCK), np.int64)
    for first in range(0, len(x) - 1, _BLOCK):
        part = x[first : min(first + _BLOCK + 1, len(x))]
        bins = places[: len(part) - 1]
        _find_bins(part, edges, bins)
        for i in range(len(bins)):
            b = bins[i]
            sums[b, 0] += 1
            _add(sums, b, np.int64(1), part[i])
            _add(sums, b, np.int64(3), part[i + 1] - part[i])


@helper
def _points(x, s, r):
    """The mean values and mean next changes of the bins that are not empty, float64[2, bins]."""
    inner = r - 1 + (1 - r) % 4
    edges, sums, points = np.empty(inner), np.zeros((r, 5)), np.empty((2, r))
    count = 0
    if _fill_edges(x, s, edges, r):
        _fill_bins(x, edges, sums)
        for b in range(r):
            if sums[b, 0]:
                points[0, count] = sums[b, 1] / sums[b, 0]
                points[1, count] = sums[b, 3] / sums[b, 0]
                count += 1
    return points[:, :count]


@helper
def _polynomial(points, c):
    """Fill the coefficients, highest power first; false if that is left to numpy."""
    n, p = points.shape[1], len(c)
    if n < p:
        return False
    a, r = np.empty((p + 1, n)), np.empty((p, p + 1))
    for i in range(n):
        a[p, i], a[p - 1, i] = points[1, i], 1.0
    for j in range(p - 2, -1, -1):
        for i in range(n):
            a[j, i] = a[j + 1, i] * points[0, i]
    scale = np.empty(p)
    for j in range(p):
        scale[j] = math.sqrt(dot(a[j], a[j]))
        for i in range(n):
            a[j, i] /= scale[j]
    orthogonalise(a, r)
    if not inverse_norm(r, np.empty((p, p))) < _CONDITION:
        return False
    solve_triangle(r, c)
    for j in range(p):
        c[j] /= scale[j]
    return True


@helper
def _fit(x, s, m, r, c):
    """The drift's coefficients; NaN without bins, UNSOLVED where numpy has to solve."""
    points = _points(x, s, r)
    if points.shape[1] == 0:
        c[:] = math.nan
    elif not _polynomial(points, c):
        c[:] = UNSOLVED


@kernel
def friedrich_coefficients(x, s, params, out):
    coeff, m, r = params
    c = np.empty(0)
    for j in range(len(out)):
        if j == 0 or m[j] != m[j - 1] or r[j] != r[j - 1]:
            c = np.empty(m[j] + 1)
            _fit(x, s, m[j], r[j], c)
        out[j] = c[coeff[j]] if coeff[j] <= m[j] else math.nan


@helper
def _quadratic_maximum(b, c):
    """The largest real part of the roots of x^2 + b x + c."""
    half = -b / 2
    square = half * half - c
    if square < 0.0:
        return half
    far = half + math.copysign(math.sqrt(square), half)
    return max(far, c / far) if far != 0.0 else 0.0


@helper
def _cubic_root(b, c, d):
    """A real root of x^3 + b x^2 + c x + d, by Newton's steps from outside (Kahan).

    It lies on that side of the turning point which the value there says. From a start beyond it
    all steps go one way, up to rounding.
    """
    x = -b / 3
    value, slope = ((x + b) * x + c) * x + d, (3 * x + 2 * b) * x + c
    if value == 0.0:
        return x
    reach = abs(value) ** (1 / 3)
    if slope < 0.0:
        reach = 1.324718 * max(reach, math.sqrt(-slope))
    direction = math.copysign(1.0, value)
    x -= direction * reach
    for _ in range(200):
        slope = (3 * x + 2 * b) * x + c
        following = x - (((x + b) * x + c) * x + d) / slope
        if slope == 0.0 or not direction * following > direction * x:
            break
        x = following
    return x


@helper
def _cubic_maximum(b, c, d):
    """The largest real part of the roots of x^3 + b x^2 + c x + d."""
    x = _cubic_root(b, c, d)
    # Dividing by x - root from the end where the terms are larger keeps the digits.
    if abs(x * x * x) > abs(d):
        constant = -d / x
        return max(x, _quadratic_maximum((constant - c) / x, constant))
    return max(x, _quadratic_maximum(x + b, (x + b) * x + c))


@helper
def _largest_root(c, degree, q):
    """The largest real part of the roots; ``q`` is scratch, float64[3]."""
    reach = 0.0
    for k in range(degree):
        q[k] = c[k + 1] / c[0]
        if math.isinf(q[k]):
            return math.nan
        reach = max(reach, abs(q[k]) ** (1 / (k + 1)))
    if reach == 0.0:
        return 0.0
    for k in range(degree):  # all roots are at most 2 now
        for _ in range(k + 1):
            q[k] /= reach
    if degree == 1:
        return -q[0] * reach
    if degree == 2:
        return _quadratic_maximum(q[0], q[1]) * reach
    return _cubic_maximum(q[0], q[1], q[2]) * reach


@helper
def _fixed_point(c, q):
    """As numpy.roots: zeros in front lower the degree, zeros at the end are roots at zero."""
    first, last = 0, len(c)
    while first < last and c[first] == 0.0:
        first += 1
    while last > first and c[last - 1] == 0.0:
        last -= 1
    degree = last - first - 1
    if degree > 3 or c[0] == UNSOLVED:
        return UNSOLVED
    if degree < 1:
        return 0.0 if degree == 0 and last < len(c) else math.nan
    largest = _largest_root(c[first:last], degree, q)
    return largest if last == len(c) or largest > 0.0 else 0.0


@kernel
def max_langevin_fixed_point(x, s, params, out):
    m, r = params
    for j in range(len(out)):
        c = np.empty(m[j] + 1)
        _fit(x, s, m[j], r[j], c)
        out[j] = math.nan if math.isnan(c[0]) else _fixed_point(c, np.empty(3))


@kernel
def drift_points(x, s, params, out):
    (r,) = params
    points = _points(x, s, r[0])
    count = points.shape[1]
    out[0] = count
    for b in range(count):
        out[1 + b], out[1 + count + b] = points[0, b], points[1, b]


def fit_exactly(x: Floats, m: int, r: int) -> Floats:
    """The drift's coefficients by numpy's steps, of a series that has bins."""
    out, ends = np.empty((1, 2 * r + 1)), np.array([len(x)])
    series = np.ascontiguousarray(x), ends * 0, ends
    ordered = np.sort(x), ends * 0, ends
    loop = drift_points.loop(("float64", "float64"), ("int64",))
    loop(ends, 0, *series, *ordered, (np.array([r]),), out, 0, out.shape[1])
    count = int(out[0, 0])
    return _solve(out[0, 1 : 1 + 2 * count].tobytes(), m)


@lru_cache(maxsize=2_048)
def _solve(points: bytes, m: int) -> Floats:
    """As numpy.polyfit, of means and mean changes; two calculators ask for each.

    70 us for 30 bins, where numpy.polyfit and pandas' way to the means take 350 and more.
    """
    means, targets = np.frombuffer(points).reshape(2, -1)
    powers = np.vander(means, m + 1)
    scale = np.sqrt((powers * powers).sum(axis=0))
    powers /= scale
    if not (np.isfinite(powers).all() and np.isfinite(targets).all()):
        return np.full(m + 1, math.nan)  # LAPACK may never come back from columns of NaN
    try:
        solved = np.linalg.lstsq(powers, targets, len(means) * np.finfo(np.float64).eps)[0]
    except np.linalg.LinAlgError:
        return np.full(m + 1, math.nan)
    return np.asarray(solved / scale)


def friedrich_exactly(x: Floats, cells: Floats, coeff: Index, m: Index, r: Index) -> list[float]:
    """The kernel's results by numpy, where it left them."""
    left = [*zip(cells == UNSOLVED, m.tolist(), r.tolist(), strict=True)]
    fits = {(order, bins): fit_exactly(x, order, bins) for open_, order, bins in set(left) if open_}
    return [
        float(fits[order, bins][c]) if open_ else math.nan
        for c, (open_, order, bins) in zip(coeff, left, strict=True)
    ]


def fixed_point_exactly(x: Floats, cells: Floats, m: Index, r: Index) -> list[float]:
    """The kernel's results by numpy, where it left them."""
    left = zip(cells == UNSOLVED, m.tolist(), r.tolist(), strict=True)
    return [_numpy_fixed_point(fit_exactly(x, *one)) if open_ else math.nan for open_, *one in left]


def _numpy_fixed_point(c: Floats) -> float:
    try:
        return float(np.roots(c).real.max(initial=-math.inf))
    except np.linalg.LinAlgError:
        return math.nan
