"""Kernels: Lempel-Ziv complexity and permutation entropy.

``e`` is the intermediate *extremes*, ``table`` is *tie_numbers* (see :mod:`.ties`).
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.distribution import MAXIMUM, MINIMUM
from tidemill.calculators.kernels.entropy import edge
from tidemill.calculators.numerics.ties import FIRST, LAST

_FEW = 16  # bins, up to which a phrase has an array of all its continuations
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: spreads neighbours
_LONG = 1 << 26  # values, from which on such arrays would outgrow their 32-bit numbers
_SMALL = 64  # counts below this are gathered before the logarithm is taken


@helper
def _find_symbols(x, low, high, bins, symbols):
    """For each value the number of edges, but for the lowest, that lie below it."""
    step, last = (high - low) / bins, bins - 1.0
    if 1e-14 * max(abs(low), abs(high)) < step < math.inf:
        # By division, then moved by one where rounding took the wrong side of an edge.
        for i in range(len(x)):
            place = np.floor((x[i] - low) / step)
            beyond = (place + 1.0) * step + low < x[i]
            place -= 1.0 if place * step + low >= x[i] else 0.0
            place += 1.0 if beyond else 0.0
            symbols[i] = np.int32(min(max(place, 0.0), last))
    else:
        for i in range(len(x)):
            symbols[i] = _count_edges_below(x[i], low, high, bins)


@helper
def _count_edges_below(value, low, high, bins):
    first, last = 0, bins - 1
    while first < last:
        middle = (first + last) // 2
        if edge(middle + 1, low, high, bins) < value:
            first = middle + 1
        else:
            last = middle
    return first


@helper
def _most_phrases(n, bins):
    """How many phrases n symbols can have at most: all of one symbol, all of two, ..."""
    count, length, kinds = 0, 1, bins
    while kinds * length < n:
        count += kinds
        n -= kinds * length
        length += 1
        kinds *= bins
    return count + n // length + 1


@helper
def _step(children, place, root, end, bins):
    """From a phrase's place for a symbol to the longer phrase; a new one starts at the root."""
    found = children[place]
    is_new = found == 0
    end += bins if is_new else 0
    children[place] = end if is_new else found
    return root if is_new else np.int64(found), end


@helper
def _count_phrases(symbols, roots, bins, children, counts):
    """The phrases of four sequences: four chains of loads at a time, and no branch to miss."""
    a = p = roots[0]
    b = q = roots[1]
    c = r = roots[2]
    d = s = roots[3]
    for i in range(symbols.shape[1]):
        a, p = _step(children, a + symbols[0, i], roots[0], p, bins[0])
        b, q = _step(children, b + symbols[1, i], roots[1], q, bins[1])
        c, r = _step(children, c + symbols[2, i], roots[2], r, bins[2])
        d, s = _step(children, d + symbols[3, i], roots[3], s, bins[3])
    counts[0] = (p - roots[0]) // bins[0]
    counts[1] = (q - roots[1]) // bins[1]
    counts[2] = (r - roots[2]) // bins[2]
    counts[3] = (s - roots[3]) // bins[3]


@helper
def _bits_for(n):
    """The least b with 2**b >= n."""
    bits = 0
    while 1 << bits < n:
        bits += 1
    return bits


@helper
def _count_phrases_of_many_symbols(symbols, bins):
    """A phrase is the slot of its key in a hash table: the phrase without its end, and the end."""
    bits = _bits_for(2 * _most_phrases(len(symbols), bins))
    shift = np.uint64(64 - bits)
    keys = np.zeros(1 << bits, np.int64)
    count, phrase = 0, np.int64(0)
    for i in range(len(symbols)):
        key = phrase * bins + symbols[i] + 1
        slot = np.int64((np.uint64(key) * _MULTIPLIER) >> shift)
        while keys[slot] != key and keys[slot] != 0:
            slot = (slot + 1) & (len(keys) - 1)
        if keys[slot] == key:
            phrase = slot + 1
        else:
            keys[slot] = key
            count += 1
            phrase = np.int64(0)
    return count


@helper
def _count_few(x, low, high, bins, group, symbols, out):
    """For four numbers of bins; in ``children`` each phrase has a place for each symbol."""
    roots, widths = np.empty(4, np.int64), np.empty(4, np.int64)
    end = 1  # 0 is no phrase
    for k in range(4):
        roots[k], widths[k] = end, bins[group[k]]
        end += widths[k] * (_most_phrases(len(x), widths[k]) + 1)
        _find_symbols(x, low, high, widths[k], symbols[k])
    counts = np.empty(4, np.int64)
    _count_phrases(symbols, roots, widths, np.zeros(end, np.int32), counts)
    for k in range(4):
        out[group[k]] = counts[k] / len(x)


@kernel
def lempel_ziv_complexity(x, e, params, out):
    (bins,) = params
    symbols = np.empty((4, len(x)), np.int32)
    few = np.empty(len(out) + 3, np.int64)
    n_few = 0
    for j in range(len(out)):
        if bins[j] <= _FEW and len(x) < _LONG:
            few[n_few] = j
            n_few += 1
        else:
            _find_symbols(x, e[MINIMUM], e[MAXIMUM], bins[j], symbols[0])
            out[j] = _count_phrases_of_many_symbols(symbols[0], bins[j]) / len(x)
    for k in range(n_few, len(few)):
        few[k] = few[n_few - 1]
    for first in range(0, n_few, 4):
        _count_few(x, e[MINIMUM], e[MAXIMUM], bins, few[first : first + 4], symbols, out)


@helper
def _weight(k):
    """k!, by which a permutation's digit k counts; beyond 20! a power that mixes the bits."""
    weight = np.int64(1)
    for i in range(2, k + 1):
        weight *= i if k <= 20 else np.int64(_MULTIPLIER)
    return weight


@helper
def _extend(x, d, smaller, equal, numbers, ties):
    """From windows of d - 1 values to windows of d, by comparing values d - 1 apart.

    A window's number is that of its stable permutation: its first value's digit, the count of
    smaller values behind it, and the number of the shorter window that starts one later. The
    bits of ``ties`` say which values are equal to a later one of the window.
    """
    weight, bit = _weight(d - 1), np.int64(min(d - 2, 62))
    any_tie = np.int64(0)
    for i in range(len(x) - d + 1):
        smaller[i] += x[i + d - 1] < x[i]
        equal[i] |= x[i + d - 1] == x[i]
        numbers[i] = smaller[i] * weight + numbers[i + 1]
        ties[i] = (equal[i] << bit) | ties[i + 1]
        any_tie |= ties[i]
    return any_tie != 0


@helper
def _exchange(window, places, a, b):
    if a < b < len(window) and window[places[a]] > window[places[b]]:
        places[a], places[b] = places[b], places[a]


@helper
def _sort_by_network(window, places):
    """The places of the values in ascending order, by a bitonic sorting network."""
    for i in range(len(window)):
        places[i] = i
    size = 2
    while size < 2 * len(window):
        for i in range(len(window)):
            _exchange(window, places, i, i ^ (size - 1))
        half = size // 4
        while half > 0:
            for i in range(len(window)):
                _exchange(window, places, i, i ^ half)
            half //= 2
        size *= 2


@helper
def _number_of(places, ranks):
    """The number of the permutation that puts these places in order."""
    d = len(places)
    for i in range(d):
        ranks[places[i]] = i
    number = np.int64(0)
    for i in range(d - 1):
        digit = 0
        for j in range(i + 1, d):
            digit += ranks[j] < ranks[i]
        number += digit * _weight(d - 1 - i)
    return number


@helper
def _look_up(table, d, numbers, ties, ordered):
    """The numbers of the permutations that numpy makes of up to seven values."""
    first, permutations = 1, 1
    for i in range(2, d):
        permutations *= i
        first += (permutations << (i - 1)) if i >= FIRST else 0
    permutations *= d
    for i in range(len(ordered)):
        ordered[i] = table[first + ties[i] * permutations + numbers[i]]


@helper
def _sort_ties(x, d, by_network, numbers, ties, ordered):
    """The same for more values: only a network changes the order of equal ones."""
    places, ranks = np.empty(d, np.int64), np.empty(d, np.int64)
    for i in range(len(ordered)):
        ordered[i] = numbers[i]
        if by_network and ties[i] != 0:
            _sort_by_network(x[i : i + d], places)
            ordered[i] = _number_of(places, ranks)


@helper
def _find_slots(numbers, keys):
    """Replace large numbers by their slots in a hash table."""
    shift = np.uint64(64 - _bits_for(len(keys)))
    for i in range(len(numbers)):
        key = numbers[i] + 1
        slot = np.int64((np.uint64(key) * _MULTIPLIER) >> shift)
        while keys[slot] != key and keys[slot] != 0:
            slot = (slot + 1) & (len(keys) - 1)
        keys[slot] = key
        numbers[i] = slot


@helper
def _entropy(numbers, tau, counts):
    """The entropy of every tau-th number; ``counts`` is zero before and after."""
    for i in range(0, len(numbers), tau):
        counts[numbers[i]] += 1
    n = (len(numbers) - 1) // tau + 1
    total = 0.0
    times = np.zeros(_SMALL, np.int64)  # how many numbers have this count
    for i in range(0, len(numbers), tau):
        count = counts[numbers[i]]
        counts[numbers[i]] = 0
        if count < _SMALL:
            times[count] += 1
        else:
            total -= count / n * math.log(count / n)
    for count in range(1, _SMALL):
        if times[count] > 0:
            total -= times[count] * (count / n * math.log(count / n))
    return total


@helper
def _entropy_of_windows(x, d, tau, any_tie, table, numbers, ties, ordered, counts):
    if any_tie and d <= LAST:
        _look_up(table, d, numbers, ties, ordered)
    else:
        _sort_ties(x, d, any_tie and table[0] != 0, numbers, ties, ordered)
    if d > LAST:
        counts = np.zeros(1 << _bits_for(2 * len(ordered)), np.int32)
        _find_slots(ordered, np.zeros(len(counts), np.int64))
    return _entropy(ordered, tau, counts)


@kernel
def permutation_entropy(x, table, params, out):
    dimension, tau = params
    n = len(x)
    longest = 0
    for j in range(len(out)):
        out[j] = math.nan
        longest = max(longest, dimension[j] if dimension[j] <= n else 0)
    smaller, equal = np.zeros(n, np.int64), np.zeros(n, np.int64)
    numbers, ties = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    ordered = np.empty(n, np.int64)
    counts = np.zeros(_weight(min(longest, LAST)), np.int32)
    for d in range(2, longest + 1):
        any_tie = _extend(x, d, smaller, equal, numbers, ties)
        for j in range(len(out)):
            if dimension[j] == d:
                out[j] = _entropy_of_windows(
                    x, d, tau[j], any_tie, table, numbers, ties, ordered[: n - d + 1], counts
                )
