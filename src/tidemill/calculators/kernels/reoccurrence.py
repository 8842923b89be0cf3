"""Kernels: which values occur more than once. ``s`` is the intermediate *sorted*."""

from __future__ import annotations

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.numerics.sums import pairwise_sum


@helper
def _repeats(s):
    """How many values equal the one before them, and how many runs of equal values these make."""
    repeats = runs = 0
    if len(s) > 1:
        repeats = runs = int(s[1] == s[0])
    # Of slices: 0.2 us for 1,000 values, as an index that might be negative takes 0.9 us.
    before, here, after = s[:-2], s[1:-1], s[2:]
    for i in range(len(after)):
        repeats += after[i] == here[i]
        runs += (after[i] == here[i]) & (here[i] != before[i])
    return repeats, runs


@helper
def _sums_of_repeated(s, distinct):
    """The sum of the values that occur more than once: each once, and each time that it occurs.

    Every distinct value has its term, 0 for a single one, as numpy's sum goes by places.
    """
    once, often = np.zeros(distinct), np.zeros(distinct)
    place, count = 0, 1
    for i in range(1, len(s)):
        if s[i] == s[i - 1]:
            count += 1
            once[place], often[place] = s[i], count * s[i]
        else:
            place += 1
            count = 1
    return pairwise_sum(once), pairwise_sum(often)


@kernel
def reoccurrence(s, params, out):
    n = len(s)
    repeats, runs = _repeats(s)
    distinct = n - repeats
    out[0] = runs / distinct
    out[1] = (repeats + runs) / n
    out[2] = out[3] = 0.0
    if runs:
        out[2], out[3] = _sums_of_repeated(s, distinct)
    out[4] = distinct / n
    out[5] = repeats > 0
