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
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from filelock import FileLock
from numba import types

from tidemill.calculators.jit.cache import LOCK, cache_folder, numba_cache
from tidemill.calculators.jit.linked import Linked

__all__ = ["Kernel", "compiled_here", "helper", "kernel", "load_kernel", "note_compiled", "pasted"]

#: Never parallel (the default threading layer aborts the process under other threads), never
#: fastmath (values would depend on the CPU's vector width); nogil for the callers' threads.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_UNWRAPPED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

_load_lock = threading.Lock()
_compiled_here = 0  # kernels that this process compiled or had compiled


def helper(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call; its machine code is stored with each caller's."""
    return numba.njit(pipeline_class=Linked, **OPTIONS, **_UNWRAPPED)(function)


def pasted(function: Callable[..., Any]) -> Any:
    """A helper that becomes part of its only caller: LLVM optimises each level of calls anew."""
    return numba.njit(inline="always", **OPTIONS)(function)


def inline(template: Callable[..., Any], **names: Any) -> Any:
    """A copy of ``template``, compiled with these helpers under their names.

    The copy's own name says what it holds. numba counts copies of one name anew in each process,
    and of two kernels from the cache the second would be linked to a helper of the first.
    """
    scope = {**template.__globals__, **names}
    copy = FunctionType(template.__code__, scope, template.__name__)
    held = [getattr(one, "py_func", one) for one in names.values()]
    inside = ",".join(f"{getattr(one, '__module__', '')}.{_name(one)}" for one in held)
    copy.__module__, copy.__qualname__ = template.__module__, f"{template.__name__}[{inside}]"
    return helper(copy)


def _name(held: Any) -> str:
    """The name of a function or an intrinsic; of anything else its value."""
    return getattr(held, "__qualname__", None) or getattr(held, "__name__", None) or repr(held)


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
                    self._load(*key)
        compiled: Callable[..., None] = self._compiled[key]
        return compiled

    def is_ready(self, inputs: Sequence[str], parameters: Sequence[str]) -> bool:
        """Whether the loop is loaded, or on disk."""
        key = (tuple(inputs), tuple(parameters))
        return key in self._compiled or self._ready(*key).exists()

    def compile(self, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> None:
        """Compile the loop into the cache; the caller holds the lock of the cache's folder."""
        self._compiled[inputs, parameters] = self._build(inputs, parameters)
        self._ready(inputs, parameters).touch()

    def _ready(self, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> Path:
        return cache_folder() / f"{self.name}-{'-'.join(inputs + parameters)}.ready"

    def _load(self, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> None:
        if not self._ready(inputs, parameters).exists():
            with FileLock(cache_folder() / LOCK):
                self.compile(inputs, parameters)
            if self._compiled[inputs, parameters].stats.cache_misses:
                note_compiled(1)
        else:
            self._compiled[inputs, parameters] = self._build(inputs, parameters)

    def _build(self, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> Callable[..., None]:
        """The loop, from the cache if it is there."""
        dispatcher = self._declare(len(inputs))
        dispatcher.compile(_signature(inputs, parameters))
        dispatcher.disable_compile()
        return dispatcher  # type: ignore[no-any-return]

    def _declare(self, n_inputs: int) -> Any:
        template = _LOOPS[n_inputs - 1]
        series_kernel = pasted(self.function)
        scope = {"kernel_": series_kernel, "nan": math.nan, "range": range, "len": len}
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


def compiled_here() -> int:
    """Kernels that this process has compiled so far, and did not find on disk."""
    return _compiled_here


def note_compiled(count: int) -> None:
    """Count kernels that were compiled for this process."""
    global _compiled_here  # noqa: PLW0603 - it counts for the whole process
    _compiled_here += count


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
