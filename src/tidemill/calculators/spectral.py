"""Kernels over the spectrum ``f``: the complex values of numpy.fft.rfft."""

from __future__ import annotations

import math

import numpy as np

from tidemill.calculators.kernels import helper, kernel

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
