"""BLAS and OpenMP pools at one thread while chunks run: parallelism belongs to our threads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

from tidemill.model.shared_context import SharedContext

__all__ = ["one_pool_thread"]

_found: tuple[int, ThreadpoolController] | None = None


@SharedContext
@contextmanager
def one_pool_thread() -> Iterator[None]:
    """Hold the pools of this process at one thread; the last user restores them."""
    with _controller().limit(limits=1):
        yield


def _controller() -> ThreadpoolController:
    """The pools that are loaded; looked for again once a module was imported.

    The search reads the process's memory map: 0.5 to 1 ms, as much as the minimal features of a
    thousand short series.
    """
    global _found  # noqa: PLW0603  the pools are the process's
    modules = len(sys.modules)
    if _found is None or _found[0] != modules:
        _found = (modules, ThreadpoolController())
    return _found[1]
