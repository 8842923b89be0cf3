"""Kernels: how the sum over a series is shared out between its stretches.

``m`` is the intermediate *moments* of :mod:`.distribution`.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.kernels.distribution import SQUARES
from tidemill.calculators.numerics.sums import sum_of, sum_of_squares


def _absolute(x, a, i):
    return abs(x[i])


_sum_of_absolutes = sum_of(_absolute)


@kernel
def energy_ratio_by_chunks(x, m, params, out):
    num_segments, segment_focus = params
    for j in range(len(out)):
        size, longer = divmod(len(x), num_segments[j])
        focus = segment_focus[j]
        if focus >= num_segments[j] or m[SQUARES] == 0.0:
            out[j] = math.nan
            continue
        first = focus * size + min(focus, longer)
        chunk = x[first : first + size + (focus < longer)]
        out[j] = sum_of_squares(chunk, 0.0, len(chunk)) / m[SQUARES]


@helper
def _first_with_share(running, total, q):
    """The first place whose running sum makes up the share q of the total; else 0."""
    first, last = 0, len(running)
    while first < last:
        middle = (first + last) // 2
        if running[middle] / total >= q:
            last = middle
        else:
            first = middle + 1
    return first if first < len(running) else 0


@kernel
def index_mass_quantile(x, params, out):
    (q,) = params
    n = len(x)
    total = _sum_of_absolutes(x, 0.0, n)
    if total == 0.0:
        out[:] = math.nan
        return
    running = np.empty(n)
    so_far = 0.0
    for i in range(n):
        so_far += abs(x[i])
        running[i] = so_far
    for j in range(len(out)):
        out[j] = (_first_with_share(running, total, q[j]) + 1) / n
