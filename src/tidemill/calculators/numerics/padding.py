"""Kernel: a series as a row of a rectangle that holds series of about its length."""

from __future__ import annotations

import math

from tidemill.calculators.jit.kernel import kernel


@kernel
def padded(x, params, out):
    # Infinities on both sides keep the median in the middle. Sorting does not tell -0.0 from 0.0:
    # which comes first would depend on the width, so -0.0 becomes 0.0 here.
    n = len(x)
    left = (len(out) - n) // 2
    middle = out[left : left + n]  # an index that might be negative is slow
    for i in range(left):
        out[i] = -math.inf
    for i in range(n):
        middle[i] = x[i] + 0.0
    for i in range(left + n, len(out)):
        out[i] = math.inf
