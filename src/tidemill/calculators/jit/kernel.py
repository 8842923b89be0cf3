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

from tidemill.calculators.jit.cache import cache_folder, give_up, numba_cache
from tidemill.calculators.jit.fill_lock import filling
from tidemill.calculators.jit.loops import declare_loop, loop_signature
from tidemill.calculators.jit.ready_files import discard, is_ready, mark_ready

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
        if key in self._compiled:
            return True
        folder = cache_folder()
        return folder is not None and is_ready(folder, self._label(*key))

    def compile(self, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> None:
        """Compile the loop into the cache; the caller works under :func:`filling`."""
        folder, label = cache_folder(), self._label(inputs, parameters)
        if folder is None:
            self._compiled[inputs, parameters] = self._build(inputs, parameters, None)
            return
        stored = is_ready(folder, label)
        if not stored:
            discard(folder, label)  # half of it may be there
        loop = self._compiled[inputs, parameters] = self._build(inputs, parameters, folder)
        if stored or loop.stats.cache_path is None:
            return
        try:
            mark_ready(folder, label, Path(loop.stats.cache_path))
        except OSError as error:
            give_up(folder, error)

    def _label(self, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> str:
        """The name of the loop's files."""
        return f"{self.name}-{'-'.join(inputs + parameters)}"

    def _load(self, inputs: tuple[str, ...], parameters: tuple[str, ...]) -> None:
        folder = cache_folder()
        if folder is not None and is_ready(folder, self._label(inputs, parameters)):
            self._compiled[inputs, parameters] = self._build(inputs, parameters, folder)
            return
        with filling(folder):
            self.compile(inputs, parameters)
        if self._compiled[inputs, parameters].stats.cache_misses:
            note_compiled(1)

    def _build(
        self, inputs: tuple[str, ...], parameters: tuple[str, ...], folder: Path | None
    ) -> Any:
        """The loop, from the cache in ``folder`` if it is there."""
        label = self._label(inputs, parameters)
        dispatcher = self._declare(label, len(inputs), folder)
        try:
            dispatcher.compile(loop_signature(inputs, parameters))
        except Exception as error:
            if folder is None:
                raise
            if not dispatcher.signatures:  # what is stored cannot be loaded
                discard(folder, label)
                return self._build(inputs, parameters, None)
            give_up(folder, error)  # compiled, but not stored
        dispatcher.disable_compile()
        return dispatcher

    def _declare(self, label: str, n_inputs: int, folder: Path | None) -> Any:
        """The dispatcher. Where numba cannot write to ``folder``, it would take another one."""
        if folder is not None:
            try:
                with numba_cache(folder):
                    dispatcher = declare_loop(self.function, label, n_inputs)
            except (OSError, RuntimeError) as error:
                give_up(folder, error)
            else:
                if folder in Path(dispatcher.stats.cache_path).parents:
                    return dispatcher
                give_up(folder, OSError("no file can be made there"))
        return declare_loop(self.function, label, n_inputs, cached=False)


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
