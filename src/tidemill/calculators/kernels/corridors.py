"""Kernel: the changes that start and end inside a corridor between two quantiles.

``s`` is the intermediate *sorted*. All corridors share one table. A change has a lower and an
upper end, and these fall between some of the corridors' edges: that is its cell. The table holds
the sums over the changes of each cell; a corridor's changes are those whose lower end is not
below its one edge and whose upper end is not above its other, so sums over a part of the table
are the sums over the corridor.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.numerics.select import MEAN, MEDIAN, STD, aggregate, quantile_of

_EDGES = 6  # in one table; tsfresh's corridors have 6
_SIDE = _EDGES + 1
_SIZE = 4 * _SIDE * _SIDE
_TILE = 1024  # changes that are summed one by one, before sums are added
COUNT, SUM, ABSOLUTE, SQUARES = range(4)


@helper
def _find(edges, known, value):
    for k in range(known):
        if edges[k] == value:
            return k
    return -1


@helper
def _insert(edges, known, value):
    """Put a value into ascending edges; how many there are then."""
    if _find(edges, known, value) >= 0:
        return known
    k = known
    while k > 0 and edges[k - 1] > value:
        edges[k] = edges[k - 1]
        k -= 1
    edges[k] = value
    return known + 1


@helper
def _gather(s, ql, qh, first, lows, highs, edges):
    """Find the corridors from ``first`` on, as long as one table has room for their edges."""
    known = 0
    edges[:] = math.inf
    for j in range(first, len(ql)):
        if j > first and ql[j] == ql[j - 1] and qh[j] == qh[j - 1]:
            lows[j], highs[j] = lows[j - 1], highs[j - 1]
            continue
        # pandas.qcut goes by percentiles, so q is multiplied and divided by 100.
        low, high = quantile_of(s, ql[j] * 100 / 100), quantile_of(s, qh[j] * 100 / 100)
        # Where the distance of two values overflows a quantile is NaN: no value lies above such a
        # lower edge, and each below such an upper one.
        low = math.inf if math.isnan(low) else low
        high = math.inf if math.isnan(high) else high
        fresh = (_find(edges, known, low) < 0) + (_find(edges, known, high) < 0)
        if known + fresh > _EDGES:
            return j
        known = _insert(edges, _insert(edges, known, low), high)
        lows[j], highs[j] = low, high
    return len(ql)


@helper
def _find_cells(x, edges, cells):
    """The cells of all changes: how many edges reach up to the lower end, and below the upper."""
    a, b, c, d, e, f = edges[0], edges[1], edges[2], edges[3], edges[4], edges[5]
    for i in range(len(x) - 1):
        low = x[i] if x[i] < x[i + 1] else x[i + 1]
        high = x[i + 1] if x[i] < x[i + 1] else x[i]
        row = np.int64(low >= a) + np.int64(low >= b) + np.int64(low >= c)
        row += np.int64(low >= d) + np.int64(low >= e) + np.int64(low >= f)
        column = np.int64(high > a) + np.int64(high > b) + np.int64(high > c)
        column += np.int64(high > d) + np.int64(high > e) + np.int64(high > f)
        cells[i] = 4 * (_SIDE * row + column)


@helper
def _sum_cells(x, cells, sums):
    # Even and odd places have a table each, as an addition waits for the one before it.
    one, two, three, half = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(_SIZE)
    for i in range(len(x) - 1):
        change = x[i + 1] - x[i]
        cell = np.uint64(cells[i]) + half * np.uint64(i & 1)
        sums[cell] += 1.0
        sums[cell + one] += change
        sums[cell + two] += abs(change)
        sums[cell + three] += change * change


@helper
def _fill(x, edges, cells, sums, table):
    """The table of all changes, float64[cells * 4]."""
    table[:] = 0.0
    for first in range(0, len(x) - 1, _TILE):
        tile = x[first : first + _TILE + 1]
        sums[:] = 0.0
        _find_cells(tile, edges, cells)
        _sum_cells(tile, cells, sums)
        for k in range(_SIZE):
            table[k] += sums[k] + sums[k + _SIZE]


@helper
def _accumulate(table):
    """Let each cell hold the sums over all cells of later rows and earlier columns, and its own."""
    row = 4 * _SIDE
    for k in range(len(table) - row - 1, -1, -1):
        table[k] += table[k + row]
    for first in range(0, len(table), row):
        for k in range(first + 4, first + row):
            table[k] += table[k - 4]


@helper
def _changes_inside(x, low, high, is_absolute, changes):
    """Collect the changes between neighbours that both lie in [low, high]."""
    count = 0
    inside = low <= x[0] <= high
    for i in range(1, len(x)):
        before, inside = inside, (low <= x[i]) & (x[i] <= high)
        change = x[i] - x[i - 1]
        changes[count] = abs(change) if is_absolute else change
        count += before & inside
    return count


@helper
def _one_by_one(x, low, high, is_absolute, f_agg):
    """The aggregate from the changes themselves."""
    changes = np.empty(len(x))
    count = _changes_inside(x, low, high, is_absolute, changes)
    return aggregate(changes[:count], f_agg)


@helper
def _from_sums(sums, cell, is_absolute, f_agg):
    """The aggregate from sums; NaN where they do not tell it exactly enough."""
    n, distances = sums[cell + COUNT], sums[cell + ABSOLUTE]
    if n == 0.0 or distances == 0.0:
        return 0.0
    if f_agg == MEDIAN:
        return math.nan
    total = distances if is_absolute else sums[cell + SUM]
    mean = total / n
    if f_agg == MEAN:  # where changes cancel each other out, the order of the sum decides
        return mean if abs(total) > 1e-8 * distances else math.nan
    if n == 1.0 and abs(mean) < math.inf:
        return 0.0
    # Four of sixteen digits may cancel out, and squares keep theirs from 1e-308 to 1e308.
    variance = sums[cell + SQUARES] / n - mean * mean
    if not (variance > 1e-4 * mean * mean and 1e-290 < variance < math.inf):
        return math.nan
    return math.sqrt(variance) if f_agg == STD else variance


@kernel
def change_quantiles(x, s, params, out):
    f_agg, isabs, qh, ql = params
    lows, highs, edges = np.empty(len(out)), np.empty(len(out)), np.empty(_EDGES)
    sums, table = np.empty(2 * _SIZE), np.empty(_SIZE)
    cells = np.empty(_TILE, np.int64)
    last = 0
    for j in range(len(out)):
        if j == last:
            last = _gather(s, ql, qh, j, lows, highs, edges)
            _fill(x, edges, cells, sums, table)
            _accumulate(table)
        out[j] = 0.0
        if ql[j] < qh[j]:
            row, column = _find(edges, _EDGES, lows[j]) + 1, _find(edges, _EDGES, highs[j])
            out[j] = _from_sums(table, 4 * (_SIDE * row + column), isabs[j], f_agg[j])
            if math.isnan(out[j]):
                out[j] = _one_by_one(x, lows[j], highs[j], isabs[j], f_agg[j])
