"""BLAS and OpenMP pools at one thread while chunks run: parallelism belongs to our threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

__all__ = ["one_pool_thread"]

_lock = threading.Lock()
_users = 0
_limits: threadpool_limits | None = None


@contextmanager
def one_pool_thread() -> Iterator[None]:
    """Hold the pools of this process at one thread; the last user restores them."""
    global _users, _limits  # noqa: PLW0603  the pools are the process's, and so is the count
    with _lock:
        if _users == 0:
            _limits = threadpool_limits(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _limits is not None:
                _limits.restore_original_limits()
                _limits = None
