"""Helpers: whether a peak stands out of the noise around it.

The noise at a place is the 10th percentile of the values in a window around it, a 20th of the
series long, interpolated as scipy.stats.scoreatpercentile does it.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.numerics.select import select

__all__ = ["count_clear", "is_extreme", "moving_noise", "noise_of"]

_MARGIN = 2.0**-50  # more than the relative rounding error of a percentile
_LOW, _HIGH = 0, 1  # heaps: of the values up to the percentile, of those above it

#: Counting costs length / 50 ns for each peak, heaps 80 ns for each value.
_LONG = 30_000


@helper
def _window(n, place):
    """Where the window around a place of a series of n values starts and stops."""
    size = (n + 19) // 20
    half, odd = size // 2, size % 2
    return max(place - half, 0), min(place + half + odd, n)


@helper
def _place(n):
    """The place of the percentile among n values in ascending order."""
    return 10 / 100.0 * (n - 1)


@helper
def _interpolate(low, high, place):
    """The percentile between its neighbours in ascending order."""
    lower = math.floor(place)
    if lower == place:
        return low
    first, second = lower + 1 - place, place - lower
    return (low * first + high * second) / (first + second)


@helper
def _count_below(window, limit):
    count = 0
    for i in range(len(window)):
        count += window[i] < limit
    return count


@helper
def _around(window, limit):
    """The largest value below a limit and the smallest that is not."""
    low, high = -math.inf, math.inf
    for i in range(len(window)):
        value = window[i]
        if value >= limit:
            high = min(high, value)
        elif value > low:
            low = value
    return low, high


@helper
def _ranked(window, rank, guess):
    """The value before which ``rank`` come in ascending order, from a guess step by step."""
    value = guess
    while True:
        below = equal = 0
        low, high = -math.inf, math.inf
        for i in range(len(window)):
            other = window[i]
            below += other < value
            equal += other == value
            low = other if low < other < value else low
            high = other if value < other < high else high
        if below <= rank < below + equal:
            return value
        value = low if rank < below else high


@helper
def noise_of(window, guess):
    """The noise in a window, from a guess."""
    place = _place(len(window))
    ranks = int(place), math.ceil(place)
    low = high = guess
    for rank in ranks:
        low, high = high, _ranked(window, rank, high)
    return _interpolate(low, high, place)


@helper
def _is_larger(row, start, stop, size):
    """Whether the noise is further from zero than ``size``: mostly, counting answers that.

    ``_MARGIN`` makes sure that rounding the percentile would not change the answer.
    """
    window = row[start:stop]
    place = _place(len(window))
    lower = np.int64(place)
    upper = lower + (lower < place)
    outer, inner = size * (1 + _MARGIN), size * (1 - _MARGIN)
    beyond = below = within = 0
    for i in range(len(window)):
        beyond += window[i] < -outer
        below += window[i] < -inner
        within += window[i] < inner
    larger = beyond > upper
    if larger | ((below <= lower) & (upper < within)):
        return larger
    if lower < beyond == upper:
        low, high = _around(window, -outer)
        return abs(_interpolate(low, high, place)) > size
    if size > 0 and _count_below(window, outer) <= lower:
        return True
    return abs(noise_of(window, -size if below > lower else size)) > size


@helper
def is_extreme(row):
    """Whether values are NaN or infinite, or so large or small that ``_MARGIN`` tells nothing."""
    largest, beyond = 0.0, 0
    for i in range(len(row)):
        size = abs(row[i])
        largest = size if size > largest else largest
        beyond += not size < 1e300
    return beyond > 0 or largest < 1e-290


@helper
def _ranked_with_nan(window, count, rank):
    """The value of this rank among ``count`` that are not NaN; these come first. NaN is last."""
    return select(window[:count], np.int64(rank)) if rank < count else math.nan


@helper
def _is_noisy(row, start, stop, height):
    """Whether a peak does not stand out, by the quotient that scipy takes."""
    window, count = np.empty(stop - start), 0
    for i in range(start, stop):
        window[count] = row[i]
        count += row[i] == row[i]
    place = _place(len(window))
    low = _ranked_with_nan(window, count, math.floor(place))
    high = _ranked_with_nan(window, count, math.ceil(place))
    return abs(height / _interpolate(low, high, place)) < 1


@helper
def _push(values, heaps, sizes, side, item):
    node = sizes[side]
    while node > 0 and values[side, item] < values[side, heaps[side, (node - 1) // 2]]:
        heaps[side, node] = heaps[side, (node - 1) // 2]
        node = (node - 1) // 2
    heaps[side, node] = item
    sizes[side] += 1


@helper
def _pop(values, heaps, sizes, side):
    sizes[side] -= 1
    size, node = sizes[side], 0
    item = heaps[side, size]
    while 2 * node + 1 < size:
        child = 2 * node + 1
        if child + 1 < size:
            child += values[side, heaps[side, child + 1]] < values[side, heaps[side, child]]
        if values[side, item] <= values[side, heaps[side, child]]:
            break
        heaps[side, node] = heaps[side, child]
        node = child
    heaps[side, node] = item


@helper
def _drop_old(values, heaps, sizes, start):
    """Take places before ``start`` from the tops, and all others if they may be the most."""
    for side in range(2):
        if sizes[side] > 2 * heaps.shape[1] // 3:
            size, sizes[side] = sizes[side], 0
            for i in range(size):
                if heaps[side, i] >= start:
                    _push(values, heaps, sizes, side, heaps[side, i])
        while sizes[side] > 0 and heaps[side, 0] < start:
            _pop(values, heaps, sizes, side)


@helper
def moving_noise(row):
    """The noise at every place of a long row; nothing for a short one.

    Two heaps hold the places in the window, and for some time others that it has left.
    """
    n = len(row) if len(row) > _LONG else 0
    noise, values, is_low = np.empty(n), np.empty((2, n)), np.zeros(n, np.bool_)
    for i in range(n):
        values[_LOW, i], values[_HIGH, i] = -row[i], row[i]
    heaps, sizes = np.empty((2, n // 6), np.int64), np.zeros(2, np.int64)
    alive = left = entered = np.int64(0)  # alive: places in the window and the low heap
    for i in range(n):
        start, stop = _window(n, i)
        while left < start:
            alive -= is_low[left]
            left += 1
        _drop_old(values, heaps, sizes, start)
        while entered < stop:
            low = sizes[_LOW] > 0 and row[entered] < row[heaps[_LOW, 0]]
            _push(values, heaps, sizes, _LOW if low else _HIGH, entered)
            is_low[entered] = low
            alive += low
            entered += 1
        wanted = np.int64(_place(stop - start)) + 1
        while alive != wanted:
            side = _LOW if alive > wanted else _HIGH
            item = heaps[side, 0]
            _pop(values, heaps, sizes, side)
            _push(values, heaps, sizes, 1 - side, item)
            is_low[item] = side == _HIGH
            alive += 2 * side - 1
            _drop_old(values, heaps, sizes, start)
        noise[i] = _interpolate(row[heaps[_LOW, 0]], row[heaps[_HIGH, 0]], _place(stop - start))
    return noise


@helper
def count_clear(row, extreme, moving, places, heights, chosen, count, verdicts):
    """How many of the chosen peaks stand out; each peak's verdict is kept (0: not yet known)."""
    clear = 0
    for j in range(count):
        i = chosen[j]
        if verdicts[i] == 0:
            size = abs(heights[i])
            if extreme:
                start, stop = _window(len(row), places[i])
                noisy = _is_noisy(row, start, stop, heights[i])
            elif len(moving) > 0:
                noisy = abs(moving[places[i]]) > size
            else:
                start, stop = _window(len(row), places[i])
                noisy = _is_larger(row, start, stop, size)
            verdicts[i] = 1 + noisy
        clear += verdicts[i] == 1
    return clear
