"""Kernels over spectra.

``f`` is the spectrum, the complex values of numpy.fft.rfft; ``p`` the power spectral density after
Welch.
"""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel
from tidemill.calculators.numerics.sums import pairwise_sum

ABS, ANGLE, IMAG, REAL = range(4)  # the choices of attr, in order


@helper
def _magnitude(value):
    # math.hypot is safe from overflow and takes 7 ns; it is needed at the extremes only.
    square = value.real * value.real + value.imag * value.imag
    if 1e-280 < square < 1e280:
        return math.sqrt(square)
    return math.hypot(value.real, value.imag)


@kernel
def fft_coefficient(f, params, out):
    attr, coeff = params
    for j in range(len(out)):
        if coeff[j] >= len(f):
            out[j] = math.nan
            continue
        value = f[coeff[j]]
        if attr[j] == REAL:
            out[j] = value.real
        elif attr[j] == IMAG:
            out[j] = value.imag
        elif attr[j] == ABS:
            out[j] = _magnitude(value)
        else:
            out[j] = math.atan2(value.imag, value.real) * (180 / np.pi)


@kernel
def fft_aggregated(f, params, out):
    (aggtype,) = params
    total = m1 = m2 = m3 = m4 = 0.0
    for k in range(len(f)):
        y = _magnitude(f[k])
        total += y
        m1 += y * k
        m2 += y * (k * k)
        m3 += y * (float(k) * k * k)
        m4 += y * (float(k) * k * k * k)
    centroid, m2, m3, m4 = m1 / total, m2 / total, m3 / total, m4 / total
    variance = m2 - centroid**2
    for j in range(len(out)):
        if aggtype[j] == 0:
            out[j] = centroid
        elif aggtype[j] == 1:
            out[j] = variance
        elif variance < 0.5:
            out[j] = math.nan
        elif aggtype[j] == 2:
            out[j] = (m3 - 3 * centroid * variance - centroid**3) / variance**1.5
        else:
            # The last term lacks a power of 3 in tsfresh; kept for equal values.
            fourth = m4 - 4 * centroid * m3 + 6 * m2 * centroid**2 - 3 * centroid
            out[j] = fourth / variance**2


@kernel
def spkt_welch_density(p, params, out):
    (coeff,) = params
    for j in range(len(out)):
        out[j] = p[coeff[j]] if coeff[j] < len(p) else math.nan


@helper
def _count_in_bins(y, shares, first, last, counts, places):
    """numpy.histogram of y between its smallest and its largest value.

    ``shares`` is where the values lie, from 0 at the first to 1 at the last.
    """
    bins = len(counts)
    step = (last - first) / bins
    for i in range(len(y)):
        b = min(np.int64(shares[i] * bins), bins - 1)
        # In doubt, the edges decide.
        b -= np.int64(y[i] < b * step + first)
        b += np.int64((b < bins - 1) & (y[i] >= (b + 1) * step + first))
        places[i] = b
    # Apart from the vector operations above, for half the time.
    counts[:] = 0
    for i in range(len(y)):
        counts[places[i]] += 1


@helper
def _entropy(counts, n, terms):
    before, term = 0, 0.0
    for b in range(len(counts)):
        if counts[b] != before:
            before = counts[b]
            term = before / n * math.log(before / n) if before else 0.0
        terms[b] = term
    return -pairwise_sum(terms[: len(counts)])


@kernel
def fourier_entropy(p, params, out):
    (bins,) = params
    smallest, largest, unknown = p[0], p[0], False
    for i in range(len(p)):
        smallest, largest = min(smallest, p[i]), max(largest, p[i])
        unknown |= p[i] != p[i]
    if unknown or not 0 < largest < math.inf:
        out[:] = math.nan
        return
    first, last = smallest / largest, 1.0
    if first == last:
        first, last = 0.5, 1.5
    y = p / largest
    shares = (y - first) / (last - first)
    counts, places = np.empty(max(bins), np.int64), np.empty(len(p), np.int64)
    terms = np.empty(max(bins))
    for j in range(len(out)):
        _count_in_bins(y, shares, first, last, counts[: bins[j]], places)
        out[j] = _entropy(counts[: bins[j]], len(p), terms)
