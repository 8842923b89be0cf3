"""Helpers: dot products and convolutions with the bits of numpy's.

numpy.convolve asks BLAS for each element, and whether an element of a wavelet transform is a peak
is a strict comparison between neighbours: where a series has ties or symmetries, the order of
the sum decides. So the order here is OpenBLAS's (ddot with AVX-512), on every CPU:

* as many groups of 16 terms as there are: 32 sums as long as 32 terms are left, of which each two
  that lie 4 apart are added in the end; a last group goes to the 16 sums that this gives; they
  are added to s0 to s3 (each fourth one), and (s0 + s2) + (s1 + s3) is the total;
* the last 0 to 15 terms are added to the total in turn;
* every product is fused with the addition that follows it.

numba knows no vectors, so the sums are written in LLVM's language. In ``dot`` the terms of a sum
lie side by side in vectors, as in BLAS: 10 ns for 50 terms. In the middle of a convolution eight
sums do: 4 ns each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tidemill.calculators.jit.decorators import helper

__all__ = ["convolve", "dot", "plain_dot"]

_DOUBLE, _SIZE, _INDEX = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
_EIGHT = ir.VectorType(_DOUBLE, 8)


def _written(function: Callable[..., Any]) -> Any:
    """A function that kernels call and whose code ``function`` writes."""
    return intrinsic(function)


class _Writer:
    """Writes code that sums products of values from x[i] and from k[j] on."""

    def __init__(self, context, builder, signature, arguments) -> None:
        def data(place):
            array = context.make_array(signature.args[place])
            return array(context, builder, arguments[place]).data

        self.builder = builder
        self.x = builder.gep(data(0), [arguments[1]])
        self.k = builder.gep(data(2), [arguments[3]])

    def load(self, data, place, kind):
        address = self.builder.bitcast(self.builder.gep(data, [place]), kind.as_pointer())
        return self.builder.load(address, align=8, typ=kind)

    def pick(self, vector, places):
        mask = ir.Constant(ir.VectorType(_INDEX, len(places)), places)
        return self.builder.shuffle_vector(vector, vector, mask)

    def variables(self, values):
        return [(cgutils.alloca_once_value(self.builder, v), v.type) for v in values]

    def values(self, variables):
        return [self.builder.load(address, typ=kind) for address, kind in variables]

    def fuse(self, a, b, variable):
        """Add a * b to the variable, rounded once."""
        kind = ir.FunctionType(a.type, [a.type] * 3)
        name = f"llvm.fma.v{a.type.count}f64"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        total = self.builder.call(function, [a, b, *self.values([variable])])
        self.builder.store(total, variable[0])

    def add_terms(self, place, variable):
        """Add as many products as the variable has numbers."""
        kind = variable[1]
        self.fuse(self.load(self.x, place, kind), self.load(self.k, place, kind), variable)

    def add_to_eight(self, place, variable):
        """Add one product to each of eight sums, which lie side by side in x."""
        factor = ir.Constant(_EIGHT, ir.Undefined)
        number = self.load(self.k, place, _DOUBLE)
        factor = self.pick(self.builder.insert_element(factor, number, _INDEX(0)), [0] * 8)
        self.fuse(self.load(self.x, place, _EIGHT), factor, variable)

    def sum_groups(self, n, first, lanes, step, fold, add):
        """The sum of all groups of 16 of n terms, or of each fourth term from ``first`` on."""

        def add_all(start, step, variables):
            for q, variable in enumerate(variables):
                add(self.builder.add(start, _SIZE(first + step * q)), variable)

        wide = self.builder.and_(n, _SIZE(-32))
        sums = self.variables([ir.Constant(_EIGHT, [0.0] * 8)] * lanes)
        with cgutils.for_range_slice(self.builder, _SIZE(0), wide, _SIZE(32)) as (place, _):
            add_all(place, step, sums)
        sums = self.variables(fold(self.values(sums)))
        with self.builder.if_then(
            self.builder.trunc(self.builder.lshr(n, _SIZE(4)), ir.IntType(1))
        ):
            add_all(wide, 4, sums)
        a, b, c, d = self.values(sums)
        return self.builder.fadd(self.builder.fadd(self.builder.fadd(a, b), c), d)

    def total(self, s0, s1, s2, s3):
        return self.builder.fadd(self.builder.fadd(s0, s2), self.builder.fadd(s1, s3))


def _write_dot(writer, n):
    builder = writer.builder

    def halves(sums):
        return [
            builder.fadd(writer.pick(v, [0, 1, 2, 3]), writer.pick(v, [4, 5, 6, 7])) for v in sums
        ]

    four = writer.sum_groups(n, 0, 4, 8, halves, writer.add_terms)
    return writer.total(*(builder.extract_element(four, _INDEX(s)) for s in range(4)))


def _write_eight_dots(writer, n):
    builder = writer.builder

    def pairs(sums):
        return [builder.fadd(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]

    parts = [writer.sum_groups(n, s, 8, 4, pairs, writer.add_to_eight) for s in range(4)]
    (total,) = writer.variables([writer.total(*parts)])
    whole = builder.and_(n, _SIZE(-16))
    with cgutils.for_range_slice(builder, whole, n, _SIZE(1)) as (place, _):
        writer.add_to_eight(place, total)
    return writer.values([total])[0]


@_written
def _fma(typing_context, a, b, c):
    """Give a * b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


@_written
def _groups(typing_context, x, i, k, j, n):
    """The sum of x[i + t] * k[j + t] over n terms, n a multiple of 16."""

    def generate(context, builder, signature, arguments):
        return _write_dot(_Writer(context, builder, signature, arguments), arguments[4])

    size = types.int64
    return types.float64(x, size, k, size, size), generate


@_written
def _eight_dots(typing_context, x, i, k, j, n, out, place):
    """Set eight elements of out: the sums for i to i + 7."""

    def generate(context, builder, signature, arguments):
        eight = _write_eight_dots(_Writer(context, builder, signature, arguments), arguments[4])
        array = context.make_array(out)(context, builder, arguments[5])
        address = builder.gep(array.data, [arguments[6]])
        builder.store(eight, builder.bitcast(address, _EIGHT.as_pointer()), align=8)
        return context.get_dummy_value()

    size = types.int64
    return types.void(x, size, k, size, size, out, size), generate


@helper
def dot(x, i, k, j, n):
    """The sum of x[i + t] * k[j + t] over n terms."""
    whole = n // 16 * 16
    total = _groups(x, i, k, j, whole) if whole else 0.0
    for t in range(whole, n):
        total = _fma(x[i + t], k[j + t], total)
    return total


@helper
def plain_dot(x, i, k, j, n):
    """The same sum as numpy calculates it without BLAS: for at most 11 terms."""
    total = 0.0
    for t in range(n):
        total += x[i + t] * k[j + t]
    return total


@helper
def _plain_dots(x, k, out):
    for t in range(len(out)):
        out[t] = 0.0
    for j in range(len(k)):
        factor, y = k[j], x[j:]
        for t in range(len(out)):
            out[t] += y[t] * factor


@helper
def convolve(x, k, out):
    """numpy.convolve(x, k, "same") for a symmetric k that is no longer than x."""
    n, taps = len(x), len(k)
    left, right = taps // 2, taps - taps // 2 - 1
    zero = np.int64(0)  # a plain 0 would be a type of its own, to compile ``dot`` for
    for i in range(left):
        out[i] = dot(x, zero, k, left - i, taps - left + i)
    for i in range(right):
        out[n - right + i] = dot(x, n - taps + 1 + i, k, zero, taps - 1 - i)
    middle = n - taps + 1
    if taps <= 11:
        _plain_dots(x, k, out[left : left + middle])
        return
    for i in range(0, middle - 7, 8):
        _eight_dots(x, i, k, 0, taps, out, left + i)
    for i in range(middle // 8 * 8, middle):
        out[left + i] = dot(x, i, k, zero, taps)
