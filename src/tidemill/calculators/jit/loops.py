"""The loop over the series of a block, written once and compiled anew around each kernel.

The folder of compiled kernels is named after this file's text as it is: numba stamps what it caches
with it. So nothing but what is compiled belongs here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
from numba import types

from tidemill.calculators.jit.decorators import OPTIONS, pasted

__all__ = ["declare_loop", "loop_signature"]


def declare_loop(
    kernel: Callable[..., Any], name: str, n_inputs: int, *, cached: bool = True
) -> Any:
    """The dispatcher of a kernel's loop, which numba caches under ``name``."""
    template = _LOOPS[n_inputs - 1]
    scope = {"kernel_": pasted(kernel), "nan": math.nan, "range": range, "len": len}
    function = FunctionType(template.__code__, scope, template.__name__)
    # numba names the file by module and qualified name: each kernel needs its own. (A closure
    # over the kernel would not do: its pickled form changes from start to start.)
    function.__qualname__ = f"{name}.{template.__name__}"
    function.__module__ = __name__
    return numba.njit(cache=cached, **OPTIONS)(function)


def loop_signature(inputs: tuple[str, ...], parameters: tuple[str, ...]) -> Any:
    """Numba's signature of the loop for inputs and parameters of these element types."""

    # Inputs are declared read-only: arrays over Arrow buffers are, and others convert to it.
    def array(dtype: str) -> Any:
        return types.Array(getattr(types, dtype), 1, "C", readonly=True)

    rows = [array(dtype) for name in inputs for dtype in (name, "int64", "int64")]
    params = types.Tuple([types.Array(getattr(types, dtype), 1, "C") for dtype in parameters])
    out = [types.Array(types.float64, 2, "C"), types.int64, types.int64]
    return types.void(array("int64"), types.int64, *rows, params, *out)


# The names that a kernel puts into its copy of the loops below.
kernel_: Any = None
nan = math.nan


def _loop_1(lengths, minimum, a, a0, a1, params, out, first, last):
    for i in range(len(lengths)):
        slots = out[i, first:last]
        if lengths[i] < minimum:
            slots[:] = nan
        else:
            kernel_(a[a0[i] : a1[i]], params, slots)


def _loop_2(lengths, minimum, a, a0, a1, b, b0, b1, params, out, first, last):
    for i in range(len(lengths)):
        slots = out[i, first:last]
        if lengths[i] < minimum:
            slots[:] = nan
        else:
            kernel_(a[a0[i] : a1[i]], b[b0[i] : b1[i]], params, slots)


def _loop_3(lengths, minimum, a, a0, a1, b, b0, b1, c, c0, c1, params, out, first, last):
    for i in range(len(lengths)):
        slots = out[i, first:last]
        if lengths[i] < minimum:
            slots[:] = nan
        else:
            kernel_(a[a0[i] : a1[i]], b[b0[i] : b1[i]], c[c0[i] : c1[i]], params, slots)


_LOOPS = (_loop_1, _loop_2, _loop_3)
