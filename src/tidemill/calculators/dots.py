"""Helpers: dot products and convolutions with the bits of numpy's.

numpy.convolve asks BLAS for each element, and whether an element of a wavelet transform is a peak
is a strict comparison between neighbours: where a series has ties or symmetries, the order of
the sum decides. So the order here is OpenBLAS's (ddot with AVX-512), on every CPU:

* as many groups of 16 terms as there are: 32 sums as long as 32 terms are left, of which each two
  that lie 4 apart are added in the end; a last group goes to the 16 sums that this gives; they
  are added to s0 to s3 (each fourth one), and (s0 + s2) + (s1 + s3) is the total;
* the last 0 to 15 terms are added to the total in turn;
* every product is fused with the addition that follows it.

``dot`` works on the terms of one sum side by side, as BLAS does: 10 ns for 50 terms. In the middle
of a convolution neighbouring elements are worked on side by side: 4 ns each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tidemill.calculators.kernels import helper, inline

__all__ = ["convolve", "dot", "fma", "new_scratch", "plain_dot"]

_DOUBLE = ir.DoubleType()
_TILE = 256  # elements worked on together, so that their partial sums stay in the L1 cache


@intrinsic
def fma(typing_context, a, b, c):
    """A * b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        return builder.fma(*arguments)

    double = types.float64
    return double(double, double, double), generate


def _fuse(builder, a, b, c):
    kind = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fma.v{a.type.count}f64"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


def _load(builder, data, place, width):
    kind = ir.VectorType(_DOUBLE, width)
    address = builder.bitcast(builder.gep(data, [place]), kind.as_pointer())
    return builder.load(address, align=8, typ=kind)


def _fold(builder, eight):
    """The sum of the two halves of a vector of eight."""
    pick = ir.VectorType(ir.IntType(32), 4)
    halves = [
        builder.shuffle_vector(eight, eight, ir.Constant(pick, places))
        for places in ([0, 1, 2, 3], [4, 5, 6, 7])
    ]
    return builder.fadd(*halves)


def _total(builder, sums):
    a, b, c, d = sums
    four = builder.fadd(builder.fadd(builder.fadd(a, b), c), d)
    s0, s1, s2, s3 = (builder.extract_element(four, ir.IntType(32)(s)) for s in range(4))
    return builder.fadd(builder.fadd(s0, s2), builder.fadd(s1, s3))


def _sum_groups(builder, x, i, k, j, n):
    """Code for the sum of x[i + t] * k[j + t] over n terms, n a multiple of 16."""

    def add(first, width, target):
        a = _load(builder, x, builder.add(i, first), width)
        b = _load(builder, k, builder.add(j, first), width)
        builder.store(_fuse(builder, a, b, builder.load(target, typ=a.type)), target)

    eight, size = ir.VectorType(_DOUBLE, 8), n.type
    lanes = [cgutils.alloca_once_value(builder, ir.Constant(eight, [0.0] * 8)) for _ in range(4)]
    with cgutils.for_range(builder, builder.udiv(n, size(32))) as loop:
        for q, lane in enumerate(lanes):
            add(builder.add(builder.mul(loop.index, size(32)), size(8 * q)), 8, lane)
    sums = [_fold(builder, builder.load(lane, typ=eight)) for lane in lanes]
    places = [cgutils.alloca_once_value(builder, four) for four in sums]
    with builder.if_then(builder.trunc(builder.lshr(n, size(4)), ir.IntType(1))):
        for q, place in enumerate(places):
            add(builder.add(builder.sub(n, size(16)), size(4 * q)), 4, place)
    return _total(builder, [builder.load(place, typ=sums[0].type) for place in places])


@intrinsic
def _groups(typing_context, x, i, k, j, n):
    """The sum of x[i + t] * k[j + t] over n terms, n a multiple of 16."""

    def generate(context, builder, signature, arguments):
        def data(place):
            array = context.make_array(signature.args[place])
            return array(context, builder, arguments[place]).data

        return _sum_groups(builder, data(0), arguments[1], data(2), *arguments[3:])

    return types.float64(x, types.int64, k, types.int64, types.int64), generate


@helper
def dot(x, i, k, j, n):
    """The sum of x[i + t] * k[j + t] over n terms."""
    whole = n // 16 * 16
    total = _groups(x, i, k, j, whole) if whole else 0.0
    for t in range(whole, n):
        total = fma(x[i + t], k[j + t], total)
    return total


@helper
def plain_dot(x, i, k, j, n):
    """The same sum as numpy calculates it, without BLAS, for at most 11 terms."""
    total = 0.0
    for t in range(n):
        total += x[i + t] * k[j + t]
    return total


# In the next three functions lies every fourth term; the sum of all is (s0 + s2) + (s1 + s3).


@helper
def _one_group(x, k, out):
    k0, k1, k2, k3 = k[0], k[4], k[8], k[12]
    for t in range(len(out)):
        out[t] = ((x[t] * k0 + x[t + 4] * k1) + x[t + 8] * k2) + x[t + 12] * k3


@helper
def _two_groups(x, k, out):
    k0, k1, k2, k3, k4, k5, k6, k7 = k[0], k[4], k[8], k[12], k[16], k[20], k[24], k[28]
    for t in range(len(out)):
        a = x[t] * k0 + x[t + 4] * k1
        b = x[t + 8] * k2 + x[t + 12] * k3
        c = x[t + 16] * k4 + x[t + 20] * k5
        d = x[t + 24] * k6 + x[t + 28] * k7
        out[t] = ((a + b) + c) + d


@helper
def _three_groups(x, k, out):
    k0, k1, k2, k3, k4, k5, k6, k7 = k[0], k[4], k[8], k[12], k[16], k[20], k[24], k[28]
    k8, k9, k10, k11 = k[32], k[36], k[40], k[44]
    for t in range(len(out)):
        a = fma(x[t + 32], k8, x[t] * k0 + x[t + 4] * k1)
        b = fma(x[t + 36], k9, x[t + 8] * k2 + x[t + 12] * k3)
        c = fma(x[t + 40], k10, x[t + 16] * k4 + x[t + 20] * k5)
        d = fma(x[t + 44], k11, x[t + 24] * k6 + x[t + 28] * k7)
        out[t] = ((a + b) + c) + d


@helper
def _groups_of_all(x, k, out, scratch):
    for s in range(4):
        part = scratch[s, : len(out)]
        if len(k) < 32:
            _one_group(x[s:], k[s:], part)
        elif len(k) < 48:
            _two_groups(x[s:], k[s:], part)
        else:
            _three_groups(x[s:], k[s:], part)
    s0, s1, s2, s3 = scratch[0], scratch[1], scratch[2], scratch[3]
    for t in range(len(out)):
        out[t] = (s0[t] + s2[t]) + (s1[t] + s3[t])


step: Any = None  # the name that `inline` puts into each copy of the next function


def _add_in_turn(x, k, first, out):
    j = first
    while j + 4 <= len(k):
        k0, k1, k2, k3, y = k[j], k[j + 1], k[j + 2], k[j + 3], x[j:]
        for t in range(len(out)):
            total = step(y[t + 1], k1, step(y[t], k0, out[t]))
            out[t] = step(y[t + 3], k3, step(y[t + 2], k2, total))
        j += 4
    while j < len(k):
        factor, y = k[j], x[j:]
        for t in range(len(out)):
            out[t] = step(y[t], factor, out[t])
        j += 1


@helper
def _rounded_twice(a, b, c):
    return a * b + c


_add_fused = inline(_add_in_turn, step=fma)
_add_rounded = inline(_add_in_turn, step=_rounded_twice)


@helper
def new_scratch():
    """Room for the partial sums of :func:`convolve`."""
    return np.empty((4, _TILE))


@helper
def _middle(x, k, out, scratch):
    """out[t] = dot(x, t, k, 0, len(k))."""
    if len(k) >= 64:
        for t in range(len(out)):
            out[t] = dot(x, t, k, 0, len(k))
        return
    for first in range(0, len(out), _TILE):
        y, part = x[first:], out[first : first + _TILE]
        if len(k) > 11:
            if len(k) >= 16:
                _groups_of_all(y, k, part, scratch)
            else:
                part[:] = 0.0
            _add_fused(y, k, len(k) // 16 * 16, part)
        else:  # numpy does not ask BLAS
            part[:] = 0.0
            _add_rounded(y, k, 0, part)


@helper
def convolve(x, k, out, scratch):
    """numpy.convolve(x, k, "same") for a symmetric k that is no longer than x."""
    n, taps = len(x), len(k)
    left, right = taps // 2, taps - taps // 2 - 1
    for i in range(left):
        out[i] = dot(x, 0, k, left - i, taps - left + i)
    _middle(x, k, out[left : n - right], scratch)
    for i in range(right):
        out[n - right + i] = dot(x, n - taps + 1 + i, k, 0, taps - 1 - i)
