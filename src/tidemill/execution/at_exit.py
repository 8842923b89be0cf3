"""What is to be done at the end of the program while its threads can still work."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["call_before_threads_end"]


def call_before_threads_end(function: Callable[..., object], *arguments: Any) -> None:
    """Call a function at the end of the program, before Python waits for threads and their pools.

    ``atexit`` calls when that is over: threads that wait for something to be closed would never
    come to their end, and pools take no more work. Python offers the earlier moment to its own
    ``concurrent.futures`` only. A Python that has no such function any more gets ``atexit``.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    with suppress(RuntimeError):  # the program ends already
        register(function, *arguments)
