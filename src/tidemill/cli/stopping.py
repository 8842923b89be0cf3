"""Ctrl-C and SIGTERM on the command: both stop the run in the same way, and always end it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.execution.guard import guarded

__all__ = ["Terminated", "exit_status", "stoppable"]


class Terminated(KeyboardInterrupt):
    """SIGTERM has arrived: the run stops as after Ctrl-C."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Do a run that stops on request; what hangs in it is ended by force."""
    if threading.current_thread() is not threading.main_thread():
        with guarded():
            yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        with guarded():
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_status(error: BaseException | None) -> int:
    """The status that shells know of a program that a signal has stopped.

    Examples
    --------
    >>> exit_status(KeyboardInterrupt()), exit_status(Terminated())
    (130, 143)
    """
    return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


def _terminate(_number: int, _frame: object) -> None:
    raise Terminated
