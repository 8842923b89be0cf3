"""Helpers: whether a peak stands out of the noise around it.

The noise at a place is the 10th percentile of the values in a window around it, a 20th of the
series long, as scipy.stats.scoreatpercentile interpolates it.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.kernels import helper
from tidemill.calculators.order import select

__all__ = ["count_clear", "moving_noise", "noise_of"]

_MARGIN = 2.0**-50  # more than the relative rounding error of a percentile
_LOW, _HIGH = 0, 1  # the heaps: values up to the percentile, values above it

#: Counting costs 1/20 ns x length for each peak, heaps 70 ns for each value of the series.
_LONG = 30_000


@helper
def _percentile(low, high, place):
    """``place``, counted from zero in ascending order, lies between the values low and high."""
    lower = math.floor(place)
    if lower == place:
        return low
    first, second = lower + 1 - place, place - lower
    return (low * first + high * second) / (first + second)


@helper
def _place(n):
    return 10 / 100.0 * (n - 1)


@helper
def _neighbours(window, lower):
    """The value at a place in ascending order, and the next."""
    scratch = window.copy()
    low, high = select(scratch, lower), math.inf
    for i in range(lower + 1, len(scratch)):
        high = min(high, scratch[i])
    return low, high


@helper
def noise_of(window):
    """The 10th percentile of a window."""
    place = _place(len(window))
    low, high = _neighbours(window, np.int64(place))
    return _percentile(low, high, place)


@helper
def _around(window, limit):
    """The largest value below a limit, and the smallest that is not."""
    low, high = -math.inf, math.inf
    for i in range(len(window)):
        if window[i] < limit:
            low = max(low, window[i])
        else:
            high = min(high, window[i])
    return low, high


@helper
def _is_larger(row, start, stop, size):
    """Whether abs(noise_of(window)) > size: mostly, counting answers that.

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
    if not (larger | ((below <= lower) & (upper < within))):
        if lower < beyond == upper:
            low, high = _around(window, -outer)
        else:
            low, high = _neighbours(window, lower)
        larger = abs(_percentile(low, high, place)) > size
    return larger


@helper
def _window(n, place):
    """Where the window around a place of a series of n values starts and stops."""
    size = (n + 19) // 20
    half, odd = size // 2, size % 2
    return max(place - half, 0), min(place + half + odd, n)


@helper
def _push(values, heap, size, item):
    node = size
    while node > 0 and values[item] < values[heap[(node - 1) // 2]]:
        heap[node] = heap[(node - 1) // 2]
        node = (node - 1) // 2
    heap[node] = item


@helper
def _pop(values, heap, size):
    size, node, item = size - 1, 0, heap[size - 1]
    while 2 * node + 1 < size:
        child = 2 * node + 1
        if child + 1 < size and values[heap[child + 1]] < values[heap[child]]:
            child += 1
        if values[item] <= values[heap[child]]:
            break
        heap[node] = heap[child]
        node = child
    heap[node] = item


@helper
def _drop_old(values, heap, size, start):
    """Take items before ``start`` from the top of a heap; returns its size."""
    while size > 0 and heap[0] < start:
        _pop(values, heap, size)
        size -= 1
    return size


@helper
def _clear_out(values, heap, size, start):
    """Keep the heap in the cache: take all old items out if they may be most of it."""
    if size < 2 * len(heap) // 3:
        return size
    kept = 0
    for i in range(size):
        if heap[i] >= start:
            _push(values, heap, kept, heap[i])
            kept += 1
    return kept


@helper
def moving_noise(row):
    """The noise at every place of a long row; nothing for a short one.

    Two heaps of places hold the values up to the percentile and those above it. A place that
    has left the window is taken out when it comes to the top.
    """
    n = len(row) if len(row) > _LONG else 0
    noise, negated, is_low = np.empty(n), -row[:n], np.zeros(n, np.bool_)
    low, high = np.empty(n // 6, np.int64), np.empty(n // 6, np.int64)
    low_size = high_size = alive = left = entered = 0
    for i in range(n):
        start, stop = _window(n, i)
        while left < start:
            alive -= is_low[left]
            left += 1
        low_size = _drop_old(negated, low, _clear_out(negated, low, low_size, start), start)
        high_size = _clear_out(row, high, high_size, start)
        while entered < stop:
            if low_size > 0 and row[entered] < row[low[0]]:
                _push(negated, low, low_size, entered)
                is_low[entered] = True
                low_size += 1
                alive += 1
            else:
                _push(row, high, high_size, entered)
                high_size += 1
            entered += 1
        place = _place(stop - start)
        wanted = np.int64(place) + 1
        while alive > wanted:
            item = low[0]
            _pop(negated, low, low_size)
            _push(row, high, high_size, item)
            is_low[item] = False
            low_size = _drop_old(negated, low, low_size - 1, start)
            high_size += 1
            alive -= 1
        high_size = _drop_old(row, high, high_size, start)
        while alive < wanted:
            item = high[0]
            _pop(row, high, high_size)
            _push(negated, low, low_size, item)
            is_low[item] = True
            high_size = _drop_old(row, high, high_size - 1, start)
            low_size += 1
            alive += 1
        noise[i] = _percentile(row[low[0]], row[high[0]], place)
    return noise


@helper
def count_clear(row, moving, places, heights, chosen, verdicts):
    """How many of the chosen peaks stand out; each peak's verdict is kept (0: not yet known)."""
    clear = 0
    for i in chosen:
        if verdicts[i] == 0:
            size = abs(heights[i])
            if len(moving) > 0:
                noisy = abs(moving[places[i]]) > size
            else:
                start, stop = _window(len(row), places[i])
                noisy = _is_larger(row, start, stop, size)
            verdicts[i] = 1 + noisy
        clear += verdicts[i] == 1
    return clear
