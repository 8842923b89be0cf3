"""Kernels: entropies of values in bins and of templates.

A template is a run of m values; two match where no value differs by more than the tolerance.
``m`` is the intermediate *moments*, ``e`` is *extremes*, ``order`` the places of the values in
ascending order.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.distribution import DEVIATION, MAXIMUM, MINIMUM

_LANES = 4  # partial histograms: an addition need not wait for the one before
_WORD = 64  # bits
_WORDS = 16  # in a row of matches, at most
_ONE, _TWO, _FOUR = np.uint64(1), np.uint64(2), np.uint64(4)
_LAST, _LAST_TWO = np.uint64(63), np.uint64(62)
_PAIRS = np.uint64(0x5555555555555555)
_FOURS = np.uint64(0x3333333333333333)
_EIGHTS = np.uint64(0x0F0F0F0F0F0F0F0F)
_SUM = np.uint64(0x0101010101010101)


@helper
def edge(k, low, high, bins):
    """Edge k < bins of ``bins`` equal bins from low to high, with the bits of np.linspace."""
    step = (high - low) / bins
    return k * step + low if step != 0 else k / bins * (high - low) + low


@helper
def _edges_ascend(low, high, bins):
    before, ascend = low, True
    for k in range(1, bins):
        after = edge(k, low, high, bins)
        ascend &= before < after
        before = after
    return ascend & (before < high)


@helper
def _find_bins(x, low, high, bins, places):
    # numpy divides first, then moves by one what rounding has put beside its bin.
    width, step, last = high - low, (high - low) / bins, bins - 1.0
    for i in range(len(x)):
        place = min(np.floor((x[i] - low) / width * bins), last)
        place -= 1.0 if x[i] < place * step + low else 0.0
        beyond = (x[i] >= (place + 1.0) * step + low) & (place != last)
        places[i] = np.int32(place + 1.0 if beyond else place)


@helper
def entropy_of_bins(x, low, high, bins):
    """The entropy of np.histogram(x, bins), NaN where that raises; x has these extremes."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    if not (high - low < math.inf and _edges_ascend(low, high, bins)):
        return math.nan
    places = np.empty(len(x), np.int32)
    _find_bins(x, low, high, bins, places)
    counts = np.zeros((_LANES, bins), np.int64)
    for i in range(len(x)):
        counts[i % _LANES, places[i]] += 1
    total = 0.0
    for k in range(bins):
        p = (counts[0, k] + counts[1, k] + counts[2, k] + counts[3, k]) / len(x)
        total -= p * math.log(p) if p > 0 else 0.0
    return total


@kernel
def binned_entropy(x, e, params, out):
    (max_bins,) = params
    for j in range(len(out)):
        out[j] = entropy_of_bins(x, e[MINIMUM], e[MAXIMUM], max_bins[j])


@helper
def _advance(s, r, stop, tolerance, reach):
    reach[0, stop] = r
    reach[1, r] = stop
    within = s[stop] - s[r] <= tolerance
    return min(r + 1 - within, len(s) - 1), stop + within


@helper
def _reach_five(s, a, b, c, d, e, tolerances, reaches):
    """For five tolerances where the sorted values within one of each start and stop.

    A step moves one end: that has no branch, which an inner loop would miss half the time. Five
    chains of such steps take the time of one. A NaN ends s.
    """
    reach_a, reach_b, reach_c = reaches[a], reaches[b], reaches[c]
    reach_d, reach_e = reaches[d], reaches[e]
    first_a = first_b = first_c = first_d = first_e = 0
    stop_a = stop_b = stop_c = stop_d = stop_e = 0
    for _ in range(2 * (len(s) - 1)):
        first_a, stop_a = _advance(s, first_a, stop_a, tolerances[a], reach_a)
        first_b, stop_b = _advance(s, first_b, stop_b, tolerances[b], reach_b)
        first_c, stop_c = _advance(s, first_c, stop_c, tolerances[c], reach_c)
        first_d, stop_d = _advance(s, first_d, stop_d, tolerances[d], reach_d)
        first_e, stop_e = _advance(s, first_e, stop_e, tolerances[e], reach_e)


@helper
def _reaches(x, order, r, deviation):
    """For each r the places from [j, 0] to [j, 1] of those within r deviations of each value."""
    n, last = len(x), len(r) - 1
    s, tolerances = np.empty(n + 1), np.empty(len(r))
    for i in range(n):
        s[i] = x[order[i]]
    s[n] = math.nan
    for j in range(len(r)):
        tolerances[j] = r[j] * deviation if r[j] * deviation >= 0 else 0.0
    reaches = np.empty((len(r), 2, n + 1), np.int64)
    for j in range(0, len(r), 5):
        b, c, d, e = min(j + 1, last), min(j + 2, last), min(j + 3, last), min(j + 4, last)
        _reach_five(s, j, b, c, d, e, tolerances, reaches)
    return reaches


@helper
def _fill_prefixes(order, first, prefixes):
    """Row r: bits for the places from ``first`` on, set for the r smallest values."""
    width = prefixes.shape[1]
    for w in range(width):
        prefixes[0, w] = 0
    for r in range(len(order)):
        for w in range(width):
            prefixes[r + 1, w] = prefixes[r, w]
        place = order[r] - first
        if 0 <= place < width * _WORD:
            prefixes[r + 1, place // _WORD] |= _ONE << np.uint64(place % _WORD)


@helper
def _fill_rows(prefixes, order, low, high, rows):
    """Row i: bits set for the values within the tolerance of value i."""
    for r in range(len(order)):
        row, below, upto = rows[order[r]], prefixes[low[r]], prefixes[high[r]]
        for w in range(len(row)):
            row[w] = below[w] ^ upto[w]


@helper
def _bits(v):
    # Compilers know this way to count bits: one instruction where the CPU has one.
    v = v - ((v >> _ONE) & _PAIRS)
    v = (v & _FOURS) + ((v >> _TWO) & _FOURS)
    return (((v + (v >> _FOUR)) & _EIGHTS) * _SUM) >> np.uint64(56)


@helper
def _lengthen(rows):
    """Make templates longer by one value: their row and the next, moved by a bit, match."""
    for i in range(len(rows) - 1):
        row, following = rows[i], rows[i + 1]
        for w in range(len(row) - 1):
            row[w] &= (following[w] >> _ONE) | (following[w + 1] << _LAST)


@helper
def _count(rows, words, longer, longest):
    """Matches in the first words of templates longer by one value, and by two."""
    for i in range(len(rows) - 2):
        row, next_, second = rows[i], rows[i + 1], rows[i + 2]
        one = two = np.uint64(0)
        for w in range(words):
            match = row[w] & ((next_[w] >> _ONE) | (next_[w + 1] << _LAST))
            one += _bits(match)
            two += _bits(match & ((second[w] >> _TWO) | (second[w + 1] << _LAST_TWO)))
        longer[i] += np.int64(one)
        longest[i] += np.int64(two)


@helper
def _count_values(order, reach, counts):
    """Matches of the templates of one value."""
    for i in range(len(order)):
        counts[order[i]] = reach[1, i] - reach[0, i]


@helper
def _count_matches(x, order, m, r, deviation):
    """Matches of each template of m[j] values, int64[3 * j, n], and of one more: [3 * j + 1, n].

    A row of bits per value says which values match it: 64 pairs in one instruction. Columns are
    taken 1,024 at a time, and as many beyond as templates reach, so memory is linear.
    """
    n, most = len(x), 1
    for j in range(len(m)):
        most = max(most, min(m[j], n))
    words = min(_WORDS, (n - 1) // _WORD + 1)
    width = words + most // _WORD + 2
    counts = np.zeros((3 * len(m), n), np.int64)
    prefixes, rows = np.empty((n + 1, width), np.uint64), np.zeros((n + 2, width), np.uint64)
    reaches = _reaches(x, order, r, deviation)
    for first in range(0, n, words * _WORD):
        _fill_prefixes(order, first, prefixes)
        for j in range(len(m)):
            _fill_rows(prefixes, order, reaches[j, 0], reaches[j, 1], rows)
            for _ in range(2, min(m[j], n)):
                _lengthen(rows)
            begin = 3 * j + (m[j] == 1)
            _count(rows, words, counts[begin], counts[begin + 1])
    for j in range(len(m)):
        if m[j] == 1:
            _count_values(order, reaches[j], counts[3 * j])
    return counts


@kernel
def sample_entropy(x, m, order, params, out):
    n = len(x)
    if math.isnan(m[DEVIATION]):  # no template matches even itself, which is taken off all the same
        out[0] = -math.log((n - 2) / (n - 1))
        return
    two, fifth = np.empty(1, np.int64), np.empty(1)
    two[0], fifth[0] = 2, 0.2
    counts = _count_matches(x, order, two, fifth, m[DEVIATION])
    # Every template matches itself, which does not count.
    shorter, longer = -(n - 1), -(n - 2)
    for i in range(n):
        shorter += counts[0, i]
        longer += counts[1, i]
    out[0] = -math.log(longer / shorter)


@helper
def _mean_log(counts, n):
    """The mean logarithm of the first n counts, divided by n; 0.0 where all are complete."""
    # One logarithm for many factors.
    total, product = 0.0, 1.0
    for i in range(n):
        product *= counts[i] / n
        if product < 1e-280:
            total += math.log(product)
            product = 1.0
    return (total + math.log(product)) / n


@kernel
def approximate_entropy(x, moments, order, params, out):
    m, r = params
    n = len(x)
    counts = _count_matches(x, order, m, r, moments[DEVIATION])
    for j in range(len(out)):
        shorter, longer = n - m[j] + 1, n - m[j]
        tolerance = r[j] * moments[DEVIATION]
        if longer <= 1 and not tolerance < 0:
            out[j] = 0.0
        elif not tolerance >= 0:
            out[j] = math.nan
        else:
            out[j] = abs(_mean_log(counts[3 * j], shorter) - _mean_log(counts[3 * j + 1], longer))
