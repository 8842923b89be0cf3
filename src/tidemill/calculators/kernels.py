"""How a kernel is compiled: one decorator with all of numba's options, one loop over series.

A kernel is a function of one series: ``f(x, ..., params, out)``. ``x, ...`` are slices of what
its table row names in ``needs``; ``params`` is a tuple with one array per parameter, one element
per combination asked for; ``out`` is float64[m], one slot per combination. The loop over the
series of a block is written once, below, and made anew around each kernel.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from types import FunctionType
from typing import Any

import numba
from filelock import FileLock
from numba import types

from tidemill.calculators.cache import cache_folder, numba_cache

__all__ = ["Kernel", "helper", "kernel", "load_kernel"]

#: Never parallel (the default threading layer aborts the process under other threads), never
#: fastmath (values would depend on the CPU's vector width); nogil for the callers' threads.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}

_load_lock = threading.Lock()


def helper(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call; its machine code is stored with each caller's."""
    return numba.njit(**OPTIONS)(function)


def inline(template: Callable[..., Any], **names: Any) -> Any:
    """A copy of ``template``, compiled with these global names; ``itself`` is the copy."""
    scope = {**template.__globals__, **names}
    copy = FunctionType(template.__code__, scope, template.__name__)
    scope["itself"] = helper(copy)
    return scope["itself"]


class Kernel:
    """A kernel of one series and, compiled on first use, its loop over the series of a block."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self._compiled: dict[Any, Any] = {}

    def loop(self, inputs: Sequence[str], parameters: Sequence[str]) -> Callable[..., None]:
        """The loop for inputs and parameters of these dtypes, loaded from disk or compiled."""
        key = (tuple(inputs), tuple(parameters))
        if key not in self._compiled:
            with _load_lock:
                if key not in self._compiled:
                    self._compiled[key] = self._load(*key)
        compiled: Callable[..., None] = self._compiled[key]
        return compiled

    def _load(self, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> Callable[..., None]:
        dispatcher = self._declare(len(inputs))
        ready = cache_folder() / f"{self.name}-{'-'.join(inputs + parameters)}.ready"
        signature = _signature(inputs, parameters)
        if ready.exists():
            dispatcher.compile(signature)
        else:
            with FileLock(cache_folder() / "fill.lock"):
                dispatcher.compile(signature)
                ready.touch()
        dispatcher.disable_compile()
        return dispatcher  # type: ignore[no-any-return]

    def _declare(self, n_inputs: int) -> Any:
        template = _LOOPS[n_inputs - 1]
        scope = {"kernel_": helper(self.function), "nan": math.nan, "range": range, "len": len}
        function = FunctionType(template.__code__, scope, template.__name__)
        # numba names the file by module and qualified name: each kernel needs its own. (A
        # closure over the kernel would not do: its pickled form changes from start to start.)
        function.__qualname__ = f"{self.name}.{template.__name__}"
        function.__module__ = __name__
        with numba_cache():
            return numba.njit(cache=True, **OPTIONS)(function)


def kernel(function: Callable[..., Any]) -> Kernel:
    """Declare a kernel; nothing is compiled before its first use."""
    return Kernel(function)


@cache
def load_kernel(path: str) -> Kernel:
    """The kernel ``"module:function"`` of this package."""
    module, _, name = path.partition(":")
    found = getattr(import_module(f"tidemill.calculators.{module}"), name)
    assert isinstance(found, Kernel), path
    return found


def _signature(inputs: tuple[str, ...], parameters: tuple[str, ...]) -> Any:
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
