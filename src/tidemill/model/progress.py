"""Progress of runs: emitted by their steps, shown by whoever subscribes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from tidemill.model.counts import counted

__all__ = ["Board", "Progress", "emit", "subscribe"]


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a run at one moment."""

    step: str  # name of the current step, as its task is named; "": still the same
    parts_done: int = 0
    parts_total: int = 0
    ids_done: int = 0  # rows of the matrix that are committed
    note: str = ""  # a message to show once
    about: str = ""  # interval that the parts belong to; "": a run without intervals
    expected: tuple[str, ...] = ()  # intervals that the run will calculate
    finished: str | None = None  # an interval that is done


Listener = Callable[[Progress], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("tidemill_progress", default=())


@contextmanager
def subscribe(listener: Listener) -> Iterator[None]:
    """Send the progress of runs in this context to ``listener`` as well.

    Examples
    --------
    >>> seen = []
    >>> with subscribe(seen.append):
    ...     emit(Progress("partition"))
    >>> seen[0].step
    'partition'
    """
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


def emit(progress: Progress) -> None:
    """Send progress to the subscribers of this context, if there are any."""
    for listener in _listeners.get():
        listener(progress)


class Board:
    """Progress of all jobs of a run: one per interval of a table, or the only one of a matrix.

    Every interval has the same weight: its number of parts is known only once it starts.

    Examples
    --------
    >>> board = Board()
    >>> board.expect(["Monday", "Tuesday"])
    >>> board.finish("Monday")
    >>> board.on_progress(Progress("calculate_features", 1, 4, about="Tuesday"))
    >>> board.share, board.text
    (0.625, '1 of 2 intervals, 1 of 4 parts of those begun: calculate_features')
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # one thread shows what another one reports
        self._parts: dict[str, tuple[int, int]] = {}  # interval -> done, total (0: not known yet)
        self._finished: set[str] = set()
        self._step = "starting"

    def expect(self, names: Iterable[str]) -> None:
        """Add intervals that the run will calculate, here and for all subscribers."""
        expected = Progress("", expected=tuple(names))
        self.on_progress(expected)
        emit(expected)

    def on_progress(self, progress: Progress) -> None:
        """Record the progress of a step; pass this method to :func:`subscribe`."""
        with self._lock:
            self._step = progress.step or self._step
            for name in progress.expected:
                self._parts.setdefault(name, (0, 0))
            if progress.finished is not None:
                self._finished |= {progress.finished} & self._parts.keys()
            if progress.parts_total:
                self._parts[progress.about] = (progress.parts_done, progress.parts_total)

    def finish(self, name: str) -> None:
        """Mark an interval as done, if it was expected."""
        finished = Progress("", finished=name)
        self.on_progress(finished)
        emit(finished)

    @property
    def share(self) -> float:
        """Share of the work that is done, from 0 to 1."""
        with self._lock:
            shares = [
                1.0 if name in self._finished else done / max(total, 1)
                for name, (done, total) in self._parts.items()
            ]
        return sum(shares) / max(len(shares), 1)

    @property
    def step(self) -> str:
        """The current step."""
        with self._lock:
            is_done = self._parts and len(self._finished) >= len(self._parts)
            return "done" if is_done else self._step

    @property
    def counts(self) -> str:
        """How much is done, in words; empty while nothing is expected."""
        with self._lock:
            known = list(self._parts.values())
            done, total = sum(one[0] for one in known), sum(one[1] for one in known)
            parts = f"{done:,} of {counted(total, 'part')}"
            if not known or set(self._parts) == {""}:
                return parts if known else ""
            intervals = f"{len(self._finished):,} of {counted(len(known), 'interval')}"
            return f"{intervals}, {parts} of those begun"

    @property
    def text(self) -> str:
        """Progress in words; empty while nothing is expected."""
        counts = self.counts
        return f"{counts}: {self.step}" if counts else ""
