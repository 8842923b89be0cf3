"""Kernels: peaks that form ridge lines in a continuous wavelet transform.

Each row of the transform is the series, convolved with a Ricker wavelet of one width from 1 to n.
From the widest to the narrowest row, every maximum continues the line of maxima that ends nearest
to it in the rows before, if that is near enough, or starts a line. A line has ended if two rows
do not continue it. It is a peak if it is long enough and stands out of the noise at its end.
"""

from __future__ import annotations

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.noise import count_clear, is_extreme, moving_noise
from tidemill.calculators.numerics.dots import convolve

# What is known of a line: the narrowest row that continues it; the place of its last maximum
# there, and at which place that stands among all maxima; the place where the line ended before
# this row; the number of its maxima (two of one row may continue it).
_ROW, _END, _MAXIMUM, _OLD_END, _LENGTH = range(5)


@helper
def _ricker(rickers, width, n):
    """The wavelet on 10 points for each unit of its width, but at most n."""
    points = min(10 * width, n)
    odd = points % 2
    first = 10 * width * (width - 1 + odd) + (10 * width - odd - points) // 2
    return rickers[first : first + points]


@helper
def _find_maxima(row, places, heights):
    """Places and heights of the values above both neighbours; returns their number."""
    count = 0
    for t in range(1, len(row) - 1):
        places[count] = t
        heights[count] = row[t]
        count += (row[t] > row[t - 1]) & (row[t] > row[t + 1])
    return count


@helper
def _transform(x, rickers, narrowest, places, heights, bounds):
    """Fill the narrowest row; the maxima of row r come to bounds[r] to bounds[r + 1]."""
    other = np.empty(len(x))
    bounds[0] = 0
    for r in range(len(bounds) - 1):
        row = other if r else narrowest
        convolve(x, _ricker(rickers, r + 1, len(x)), row)
        first = bounds[r]
        bounds[r + 1] = first + _find_maxima(row, places[first:], heights[first:])


@helper
def _nearest_line(owner, place, reach):
    """The line that ends nearest to a place, the older of two, or -1."""
    line = owner[place]
    for distance in range(1, reach + 1):
        if line >= 0:
            break
        left = owner[place - distance] if distance <= place else -1
        right = owner[place + distance] if place + distance < len(owner) else -1
        line = min(left, right) if left >= 0 and right >= 0 else max(left, right)
    return line


@helper
def _continue_lines(r, places, bounds, lines, owner, count):
    """Give each maximum of row r to a line; returns the number of lines."""
    for i in range(bounds[r], bounds[r + 1]):
        line = _nearest_line(owner, places[i], (r + 1) // 4)
        if line < 0:
            line = count
            count += 1
            lines[line, _LENGTH] = 0
        lines[line, _ROW], lines[line, _END], lines[line, _MAXIMUM] = r, places[i], i
        lines[line, _LENGTH] += 1
    return count


@helper
def _keep_lines(r, lines, owner, before, count):
    """Put the lines that go on after row r before the others; returns their number."""
    for i in range(before):
        owner[lines[i, _OLD_END]] = -1
    kept = 0
    for i in range(count):
        if lines[i, _ROW] <= r + 1:
            lines[i, _OLD_END] = lines[i, _END]
            owner[lines[i, _END]] = kept
            for field in range(5 if kept < i else 0):
                other = lines[kept, field]
                lines[kept, field] = lines[i, field]
                lines[i, field] = other
            kept += 1
    return kept


@helper
def _choose(lines, first, last, least, chosen, count):
    """Choose the last maxima of the lines that are long enough; returns the number of all."""
    for i in range(first, last):
        chosen[count] = lines[i, _MAXIMUM]
        count += lines[i, _LENGTH] >= least
    return count


@helper
def _follow_ridges(rows, places, bounds, lines, owner, chosen):
    """Choose the narrowest maxima of the long lines in some rows; returns their number."""
    least = (rows + 3) // 4
    zero = count = n_chosen = np.int64(0)  # plain zeros would be compiled for apart
    for place in range(len(owner)):
        owner[place] = -1
    for r in range(rows - 1, -1, -1):
        before = count
        count = _continue_lines(r, places, bounds, lines, owner, count)
        kept = _keep_lines(r, lines, owner, before, count)
        n_chosen = _choose(lines, kept, count, least, chosen, n_chosen)
        count = kept
    return _choose(lines, zero, count, least, chosen, n_chosen)


@kernel
def number_cwt_peaks(x, params, out):
    n, rickers = params
    rows = 0
    for j in range(len(out)):
        rows = max(rows, n[j])
    most = rows * (len(x) // 2) + 1
    places, heights, bounds = np.empty(most, np.int64), np.empty(most), np.empty(rows + 1, np.int64)
    narrowest = np.empty(len(x))
    _transform(x, rickers, narrowest, places, heights, bounds)
    extreme, verdicts = is_extreme(narrowest), np.zeros(bounds[rows], np.int8)
    moving = moving_noise(narrowest[:0] if extreme else narrowest)
    lines, owner = np.empty((bounds[rows], 5), np.int64), np.empty(len(x), np.int64)
    chosen = np.empty(bounds[rows] + 1, np.int64)
    for j in range(len(out)):
        count = _follow_ridges(n[j], places, bounds, lines, owner, chosen)
        out[j] = count_clear(narrowest, extreme, moving, places, heights, chosen, count, verdicts)
