"""Kernel: the first digits of the values. ``s`` is the intermediate *sorted*.

The first digit is that of the shortest decimal that reads back as the value, as numpy and Python
write it. For most values that is the digit of the largest limit d * 10^k, rounded to a double,
that does not exceed the value: so comparisons do, and no decimal is made. The smallest double
alone is written otherwise than so (5e-324, though it is also the double nearest to 7e-324).

Sorted values that share digit and power stand together, so whole stretches are counted at once:
0.4 us for 1,000 values, where one by one took 3 us.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.numerics.select import place_of
from tidemill.calculators.numerics.sums import pairwise_sum

_SHORT = 8  # stretches are tried value by value so far
_DECIMALS = ["5e-324"] + [f"{d}e{k}" for k in range(-323, 309) for d in range(1, 10)]
_DECIMALS = [text for text in _DECIMALS if float(text) < np.inf]
_LIMITS = np.array([float(text) for text in _DECIMALS] + [np.inf])
#: The first digit of a value by how many limits do not exceed it.
_DIGIT = np.array([0] + [int(text[0]) for text in _DECIMALS])
#: How many limits are smaller than all doubles, by the doubles' exponent.
_SMALLER = np.searchsorted(_LIMITS, (np.arange(2048) << 52).view(np.float64))
#: Newcomb's and Benford's shares: their distances from the mean, scaled to a length of 1.
_LAW = np.log10(1 + 1 / np.arange(1, 10)) - 1 / 9
_LAW /= math.sqrt(np.sum(_LAW**2))


@helper
def _limits_up_to(magnitude, bits):
    """How many limits do not exceed a magnitude, by the bits of the value as uint64."""
    # Indices without a sign: a signed one may be negative, which costs a test each time.
    limits = np.uint64(_SMALLER[(bits >> np.uint64(52)) & np.uint64(2047)])
    while magnitude >= _LIMITS[limits]:
        limits += np.uint64(1)
    return limits


@helper
def _is_below(x, place, limit):
    return abs(x[np.uint64(place)]) < limit


@helper
def _stretch(x, start, step, most, limit):
    """How many of ``most`` values from ``start`` on, of ascending magnitude, are below limit."""
    found = 1
    while found < most and found < _SHORT and _is_below(x, start + step * found, limit):
        found += 1
    if found < _SHORT:
        return found
    below, above = found - 1, 2 * found
    while above < most and _is_below(x, start + step * above, limit):
        below, above = above, 2 * above
    above = min(above, most)
    while above - below > 1:
        middle = (below + above) // 2
        if _is_below(x, start + step * middle, limit):
            below = middle
        else:
            above = middle
    return above


@helper
def _count_digits(x, start, step, most, counts):
    """Count the first digits of ``most`` values from ``start`` on, of ascending magnitude."""
    bits = x.view(np.uint64)
    while most > 0:
        place = np.uint64(start)
        limits = _limits_up_to(abs(x[place]), bits[place])
        found = _stretch(x, start, step, most, _LIMITS[limits])
        counts[_DIGIT[limits]] += found
        start += step * found
        most -= found


@kernel
def benford_correlation(s, params, out):
    n, counts = len(s), np.zeros(10)
    start = place_of(s, 0.0)
    back, on = np.int64(-1), np.int64(1)  # plain numbers would compile two versions
    _count_digits(s, start - 1, back, start, counts)
    _count_digits(s, start, on, n - start, counts)
    shares = counts[1:]
    for k in range(9):
        shares[k] /= n
    mean = pairwise_sum(shares) / 9
    squares = products = 0.0
    for k in range(9):
        squares += (shares[k] - mean) * (shares[k] - mean)
        products += (shares[k] - mean) * _LAW[k]
    out[0] = products / math.sqrt(squares)
