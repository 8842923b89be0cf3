"""Kernels over sorted values.

``s`` is the intermediate *sorted*: the values in ascending order.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.numerics.select import quantile_of
from tidemill.calculators.numerics.sums import pairwise_sum


@kernel
def median_of_sorted(s, params, out):
    n = len(s)
    if n % 2:
        out[0] = s[n // 2] + 0.0
    else:
        out[0] = (s[n // 2 - 1] + s[n // 2]) / 2 + 0.0


@kernel
def quantile(s, params, out):
    (q,) = params
    for j in range(len(out)):
        out[j] = quantile_of(s, q[j])


@kernel
def mean_n_absolute_max(s, params, out):
    # The largest absolute values stand at either end; summed in ascending order, as by numpy.
    (number_of_maxima,) = params
    for j in range(len(out)):
        k = number_of_maxima[j]
        if len(s) <= k:
            out[j] = math.nan
            continue
        largest = np.empty(k)
        first, last = 0, len(s) - 1
        for place in range(k - 1, -1, -1):
            if -s[first] > s[last]:
                largest[place] = -s[first]
                first += 1
            else:
                largest[place] = abs(s[last])
                last -= 1
        out[j] = pairwise_sum(largest) / k
