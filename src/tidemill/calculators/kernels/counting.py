"""Kernels: counts, places and strikes of values.

``m`` and ``e`` are the intermediates *moments* and *extremes* of :mod:`.distribution`.
"""

from __future__ import annotations

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.distribution import MAXIMUM, MEAN, MINIMUM

_TILE = 2048  # values whose windows stay in a core's nearest cache


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


@helper
def _locate(x, value, out):
    n, first, last = len(x), _first_of(x, value), _last_of(x, value)
    out[0] = first < last
    out[1] = first / n
    out[2] = 1.0 - (n - 1 - last) / n


@kernel
def locations(x, e, params, out):
    _locate(x, e[MAXIMUM], out[:3])
    _locate(x, e[MINIMUM], out[3:])


@helper
def _longest_runs(x, mean, out):
    run_above = run_below = longest_above = longest_below = 0
    for i in range(len(x)):
        run_above = run_above + 1 if x[i] > mean else 0
        run_below = run_below + 1 if x[i] < mean else 0
        longest_above = run_above if run_above > longest_above else longest_above
        longest_below = run_below if run_below > longest_below else longest_below
    out[0], out[1] = longest_above, longest_below


@kernel
def sides(x, m, params, out):
    above = below = 0
    for i in range(len(x)):
        above += x[i] > m[MEAN]
        below += x[i] < m[MEAN]
    out[0], out[1] = above, below
    _longest_runs(x, m[MEAN], out[2:])


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
    before, after = x[:-1], x[1:]
    for j in range(len(out)):
        count = 0
        for i in range(len(after)):
            count += (after[i] > m[j]) != (before[i] > m[j])
        out[j] = count


@helper
def _widen(windows, step, wider):
    """The largest values of wider windows, each made of two that start ``step`` apart."""
    # Of slices, as an index that might be negative keeps the loop from vector operations.
    first, second = windows[: len(windows) - step], windows[step:]
    for i in range(len(second)):
        wider[i] = first[i] if first[i] > second[i] else second[i]


@helper
def _count_peaks(x, largest, n, first, last):
    """Values x[first:last] that exceed the n before and after, by the largest of all windows."""
    inner = x[first:last]
    before, after = largest[first - n : last - n], largest[first + 1 : last + 1]
    count = 0
    for i in range(len(inner)):
        count += (inner[i] > before[i]) & (inner[i] > after[i])
    return count


@helper
def _next_above(n, width):
    """The smallest of ``n`` above a width; 0 if there is none."""
    found = 0
    for j in range(len(n)):
        if n[j] > width and (found == 0 or n[j] < found):
            found = n[j]
    return found


@helper
def _add_peaks(x, left, right, n, scratch, out):
    """Add the peaks of x but for so many values on the left and right, which belong to others."""
    width = np.int64(1)
    wanted = _next_above(n, width - 1)
    largest, wider = scratch[: len(scratch) // 2], scratch[len(scratch) // 2 :]
    for i in range(len(x)):
        largest[i] = x[i]
    while wanted > 0 and 2 * wanted < len(x):
        while width < wanted:
            step = min(width, wanted - width)
            width += step
            _widen(largest[: len(x) - width + step + 1], step, wider)
            largest, wider = wider, largest
        first, last = max(left, wanted), len(x) - max(right, wanted)
        count = _count_peaks(x, largest, wanted, first, max(first, last))
        for j in range(len(out)):
            if n[j] == wanted:
                out[j] += count
        wanted = _next_above(n, wanted)


@kernel
def number_peaks(x, params, out):
    # By the largest values of all windows of n values: 2 us for five n at 1,000, whatever the
    # values. A search around each peak takes 8 us, as branches on values are mostly missed.
    (n,) = params
    most = 0
    for j in range(len(out)):
        out[j] = 0.0
        if n[j] > most and 2 * n[j] < len(x):
            most = n[j]
    tile = _TILE if 4 * most < _TILE else 4 * most
    scratch = np.empty(2 * min(tile + 2 * most, len(x)))
    for first in range(0, len(x), tile):
        last = min(first + tile, len(x))
        start, stop = max(first - most, 0), min(last + most, len(x))
        _add_peaks(x[start:stop], first - start, stop - last, n, scratch, out)
