"""Kernels: functions of one series whose loops over a block are compiled, or loaded from disk.

A kernel is a function of one series: ``f(x, ..., params, out)``. ``x, ...`` are slices of what
its table row names in ``needs``; ``params`` is a tuple with one array per parameter, one element
per combination asked for; ``out`` is float64[m], one slot per combination.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock

from tidemill.calculators.jit.cache import LOCK, cache_folder, numba_cache
from tidemill.calculators.jit.loops import declare_loop, loop_signature

__all__ = ["Kernel", "compiled_here", "kernel", "load_kernel", "note_compiled"]

_load_lock = threading.Lock()
_compiled_here = 0  # kernels that this process compiled or had compiled


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
        with numba_cache():
            dispatcher = declare_loop(self.function, self.name, len(inputs))
        dispatcher.compile(loop_signature(inputs, parameters))
        dispatcher.disable_compile()
        return dispatcher  # type: ignore[no-any-return]


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
