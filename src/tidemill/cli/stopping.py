"""Ctrl-C, SIGTERM, a closed terminal: all stop the command in the same way, and always end it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.execution.guard import guarded
from tidemill.execution.guard_process import SOFT_SECONDS

__all__ = ["Terminated", "exit_status", "stoppable", "stoppable_for_long"]


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP has arrived: the run stops as after Ctrl-C."""


@contextmanager
def stoppable(seconds: float = SOFT_SECONDS) -> Iterator[None]:
    """Do a run that stops on request; what hangs in it is ended by force after ``seconds``."""
    if threading.current_thread() is not threading.main_thread():
        with guarded(seconds):
            yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        with guarded(seconds):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stoppable_for_long(seconds: float) -> Iterator[None]:
    """The same for a command that runs for days and starts others.

    It stops when its terminal is closed, unless `nohup` says otherwise. As a job in the background
    of a script it would ignore Ctrl-C, and so would all that it starts.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    if before[signal.SIGHUP] is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _terminate)
    if before[signal.SIGINT] is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with stoppable(seconds):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
