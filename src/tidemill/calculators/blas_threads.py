"""BLAS and OpenMP pools at one thread while chunks run: parallelism belongs to our threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_pool_thread"]

_lock = threading.Lock()
_users = 0
_limits: Any = None
_found: tuple[int, ThreadpoolController] | None = None


@contextmanager
def one_pool_thread() -> Iterator[None]:
    """Hold the pools of this process at one thread; the last user restores them."""
    global _users, _limits  # noqa: PLW0603  the pools are the process's, and so is the count
    with _lock:
        if _users == 0:
            _limits = _controller().limit(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _limits is not None:
                _limits.restore_original_limits()
                _limits = None


def _controller() -> ThreadpoolController:
    """The pools that are loaded; looked for again once a module was imported.

    The search reads the process's memory map: 0.5 to 1 ms, as much as the minimal features of a
    thousand short series.
    """
    global _found  # noqa: PLW0603  as above
    modules = len(sys.modules)
    if _found is None or _found[0] != modules:
        _found = (modules, ThreadpoolController())
    return _found[1]
