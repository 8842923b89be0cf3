"""Copies of a template hold the helpers they were given, and are named after them."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from tidemill.calculators.jit.decorators import OPTIONS, helper, inline, pasted


def _double(value):
    return 2 * value


def _square(value):
    return value * value


step = None  # the name that copies of the template fill


def _total(x):
    total = 0.0
    for value in x:
        total += step(value)
    return total


@pytest.mark.parametrize(("function", "wanted"), [(_double, 12.0), (_square, 14.0)])
def test_each_copy_calls_its_own_helper(function, wanted):
    copy = inline(_total, step=helper(function))

    @numba.njit
    def caller(x):
        return copy(x)

    assert caller(np.array([1.0, 2.0, 3.0])) == wanted
    assert copy.py_func.__qualname__ == f"_total[{__name__}.{function.__name__}]"
    assert step is None


def test_pasted_code_is_part_of_its_caller():
    inside = pasted(_square)

    @numba.njit
    def caller(value):
        return inside(value)

    assert caller(3.0) == 9.0
    (text,) = caller.inspect_llvm().values()
    assert "_square" not in text


def test_options_leave_bits_alone():
    assert not OPTIONS.keys() & {"fastmath", "parallel"}
    assert OPTIONS["nogil"]
