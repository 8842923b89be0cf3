"""How the functions that kernels call are compiled: numba's options, in one place.

A module that uses them has to be among those of :data:`tidemill.calculators.jit.cache.COMPILED`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba

__all__ = ["OPTIONS", "helper", "inline", "pasted"]

#: Never parallel (the default threading layer aborts the process under other threads), never
#: fastmath (values would depend on the CPU's vector width); nogil for the callers' threads.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_UNWRAPPED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def helper(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call; its machine code is stored with each caller's."""
    return numba.njit(**OPTIONS, **_UNWRAPPED)(function)


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
