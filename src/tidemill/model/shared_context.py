"""Contexts that belong to the process, however many are in them at a time."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

__all__ = ["SharedContext"]


class SharedContext:
    """A context that its first user enters and its last user leaves.

    It is for settings of the whole process. Blocks in several threads, or such that end in another
    order than they began, cannot restore what each of them found: the last one would bring back the
    settings of another block that is over.

    Parameters
    ----------
    make : callable
        Makes the context, without arguments.

    Examples
    --------
    >>> @SharedContext
    ... @contextmanager
    ... def lit():
    ...     print("on")
    ...     yield
    ...     print("off")
    >>> with lit(), lit():
    ...     print("work")
    on
    work
    off
    """

    def __init__(self, make: Callable[[], AbstractContextManager[object]]) -> None:
        functools.update_wrapper(self, make)
        self._make = make
        self._lock = threading.Lock()
        self._users = 0
        self._entered = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Stay in it for a block."""
        with self._lock:
            if self._users == 0:
                self._entered.enter_context(self._make())
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._entered.close()
