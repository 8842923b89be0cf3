"""Eight numbers at a time: a type for the compiler that keeps them in vector registers.

``lanes_of(x)[i]`` are the *lanes* x[i] to x[i + 7], and ``numbers_of(lanes_of(x))[i]`` is x[i],
both without a look at bounds. Lanes are added, subtracted and multiplied with lanes or with one
number, lane by lane; ``fold`` is their sum in the order of numpy's pairwise summation. So one
function of ``x[i]`` works on an array, on its numbers and on its lanes.

The compiler does not form vectors from sums by itself, since it may not change their order; in
eight lanes the order is numpy's, on every CPU: sums of 1,000 terms take 0.1 to 0.3 us where
scalars took 0.3 to 0.9 us, and less time to compile.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

__all__ = ["WIDTH", "fold", "lanes_of", "numbers_of"]

WIDTH = 8
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_BITS = ir.VectorType(ir.IntType(64), WIDTH)
_PLACES = ir.VectorType(ir.IntType(32), WIDTH)
_ALL_BUT_THE_SIGN = 2**63 - 1


class _Lanes(types.Type):
    """Eight float64."""


class _View(types.Type):
    """The address of the values of an array."""

    def __init__(self, name: str, item: types.Type) -> None:
        super().__init__(name)
        self.item = item  # what it is read as


_LANES = _Lanes("Lanes")
_LANES_OF, _NUMBERS_OF = _View("LanesOf", _LANES), _View("NumbersOf", types.float64)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, frontend: Any) -> None:
        super().__init__(manager, frontend, _VECTOR)


@register_model(_View)
class _ViewModel(models.PrimitiveModel):
    def __init__(self, manager: Any, frontend: Any) -> None:
        super().__init__(manager, frontend, ir.DoubleType().as_pointer())


def _view(typing, x):
    """The lanes of a C-contiguous float64 array."""

    def generate(context, builder, signature, args):
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    is_fit = isinstance(x, types.Array) and x.dtype == types.float64 and x.layout == "C"
    return (_LANES_OF(x), generate) if is_fit else None


def _numbers(typing, view):
    """The same values, to be read one by one."""

    def generate(context, builder, signature, args):
        return args[0]

    return _NUMBERS_OF(_LANES_OF), generate


def _sum(typing, lanes):
    """The sum ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)) of the lanes."""

    def generate(context, builder, signature, args):
        parts = [builder.extract_element(args[0], ir.IntType(32)(k)) for k in range(WIDTH)]
        while len(parts) > 1:
            parts = [builder.fadd(*parts[k : k + 2]) for k in range(0, len(parts), 2)]
        return parts[0]

    return types.float64(_LANES), generate


lanes_of: Any = intrinsic(_view)
numbers_of: Any = intrinsic(_numbers)
fold: Any = intrinsic(_sum)


@type_callable(operator.getitem)
def _type_of_item(context):
    return lambda x, i: x.item if isinstance(x, _View) and isinstance(i, types.Integer) else None


@lower_builtin(operator.getitem, _View, types.Integer)
def _item(context, builder, signature, args):
    place = builder.gep(args[0], [args[1]])
    if signature.return_type == _LANES:
        place = builder.bitcast(place, _VECTOR.as_pointer())
    item = builder.load(place)
    item.align = 8  # bytes: lanes may start at any place of an array
    return item


@type_callable(abs)
def _type_of_magnitude(context):
    return lambda x: _LANES if x == _LANES else None


@lower_builtin(abs, _Lanes)
def _magnitude(context, builder, signature, args):
    mask = ir.Constant(_BITS, [_ALL_BUT_THE_SIGN] * WIDTH)
    bits = builder.and_(builder.bitcast(args[0], _BITS), mask)
    return builder.bitcast(bits, _VECTOR)


def _spread(context, builder, value, kind):
    """Lanes as they are; a number in every lane."""
    if kind == _LANES:
        return value
    number = context.cast(builder, value, kind, types.float64)
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, nothing, ir.Constant(_PLACES, [0] * WIDTH))


def _type_of_operation(context):
    def of(a, b):
        is_fit = all(kind == _LANES or isinstance(kind, types.Number) for kind in (a, b))
        return _LANES if is_fit and _LANES in (a, b) else None

    return of


def _define(function: Any, instruction: str) -> None:
    def generate(context, builder, signature, args):
        pairs = zip(args, signature.args, strict=True)
        return getattr(builder, instruction)(*(_spread(context, builder, *pair) for pair in pairs))

    type_callable(function)(_type_of_operation)
    for kinds in ((_Lanes, _Lanes), (_Lanes, types.Number), (types.Number, _Lanes)):
        lower_builtin(function, *kinds)(generate)


_define(operator.add, "fadd")
_define(operator.iadd, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
