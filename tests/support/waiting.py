"""Waiting with a deadline."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Running(Protocol):
    """What may end before its time: a future, or a program."""

    def done(self) -> bool: ...

    def result(self) -> object: ...


def until(
    condition: Callable[[], T], seconds: float, what: str, running: Running | None = None
) -> T:
    """Poll until the condition holds, and return what it gave; fail after ``seconds``.

    Fails at once, with its error, when what should be ``running`` has ended. A failure prints the
    stacks of all threads: one of them may tell what never came.
    """
    give_up = time.monotonic() + seconds
    while not (found := condition()):
        if running is not None and running.done() and not (found := condition()):
            raise AssertionError(f"it ended before {what}: {running.result()}")
        if time.monotonic() > give_up:
            faulthandler.dump_traceback(sys.__stderr__)
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)
    return found
