"""How far a run is: told by the steps, heard by whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Progress", "listening", "tell"]


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a run at one moment."""

    step: str  # name of the step under way, as the task is called
    parts_done: int = 0
    parts_total: int = 0
    ids_done: int = 0  # rows of the matrix that are committed
    note: str = ""  # something that a person should read, once


Listener = Callable[[Progress], None]

_listener: ContextVar[Listener | None] = ContextVar("tidemill_progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of runs in this context to ``listener``.

    Examples
    --------
    >>> heard = []
    >>> with listening(heard.append):
    ...     tell(Progress("partition"))
    >>> heard[0].step
    'partition'
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(progress: Progress) -> None:
    """Tell the listener of this context, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(progress)
