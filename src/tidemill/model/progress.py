"""How far a run is: told by the steps, heard by whoever wants to show it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Board", "Progress", "listening", "tell"]


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a run at one moment."""

    step: str  # name of the step under way, as the task is called
    parts_done: int = 0
    parts_total: int = 0
    ids_done: int = 0  # rows of the matrix that are committed
    note: str = ""  # something that a person should read, once
    about: str = ""  # the interval whose parts these are; "": a run without intervals


Listener = Callable[[Progress], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("tidemill_progress", default=())


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of runs in this context to ``listener`` too.

    Examples
    --------
    >>> heard = []
    >>> with listening(heard.append):
    ...     tell(Progress("partition"))
    >>> heard[0].step
    'partition'
    """
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


def tell(progress: Progress) -> None:
    """Tell the listeners of this context, if there are any."""
    for listener in _listeners.get():
        listener(progress)


class Board:
    """How far all jobs of a run are: of a table's intervals, or the only one of a matrix.

    Every interval counts the same: how many parts one has is known only when it begins.

    Examples
    --------
    >>> board = Board()
    >>> board.expect(["Monday", "Tuesday"])
    >>> board.finish("Monday")
    >>> board.hear(Progress("calculate_features", 1, 4, about="Tuesday"))
    >>> board.share, board.text
    (0.625, '1 of 2 intervals, 1 of 4 parts of those begun: calculate_features')
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # another thread shows what this one says
        self._parts: dict[str, tuple[int, int]] = {}  # interval -> done, total (0: not known yet)
        self._finished: set[str] = set()
        self._step = "starting"

    def expect(self, names: Iterable[str]) -> None:
        """Say which intervals are to be made, besides those named before."""
        with self._lock:
            for name in names:
                self._parts.setdefault(name, (0, 0))

    def hear(self, progress: Progress) -> None:
        """Note what a step tells; to be given to :func:`listening`."""
        with self._lock:
            self._step = progress.step
            if progress.parts_total:
                self._parts[progress.about] = (progress.parts_done, progress.parts_total)

    def finish(self, name: str) -> None:
        """Say that there is nothing left to do about an interval, if it was expected."""
        with self._lock:
            self._finished |= {name} & self._parts.keys()

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        with self._lock:
            shares = [
                1.0 if name in self._finished else done / max(total, 1)
                for name, (done, total) in self._parts.items()
            ]
        return sum(shares) / max(len(shares), 1)

    @property
    def text(self) -> str:
        """The same in words; empty while nothing is expected."""
        with self._lock:
            known = list(self._parts.values())
            done, total = sum(one[0] for one in known), sum(one[1] for one in known)
            parts = f"{done:,} of {total:,} parts"
            step = self._step if len(self._finished) < len(known) else "done"
            if not known or set(self._parts) == {""}:
                return f"{parts}: {step}" if known else ""
            intervals = f"{len(self._finished):,} of {len(known):,} intervals"
            return f"{intervals}, {parts} of those begun: {step}"
