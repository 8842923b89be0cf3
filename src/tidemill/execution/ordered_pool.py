"""Work on several things at once, and let each finish in its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

__all__ = ["Turn", "in_turns"]

T = TypeVar("T")
R = TypeVar("R")

#: Seconds between two looks whether the work was stopped.
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Turn:
    """The place of one piece of work among several; by itself it has not to wait for others."""

    before: Sequence[Event] = ()  # set as the pieces before this one are done
    stopped: Event = field(default_factory=Event)
    ahead: Sequence[Event] = ()  # set as the pieces before this one hold what others may want
    holds: Event = field(default_factory=Event)  # the same of this one

    def wait(self) -> None:
        """Wait until all pieces before this one are done.

        Raises
        ------
        CancelledError
            If the work was stopped.
        """
        self._wait_for(self.before)

    def wait_to_hold(self) -> None:
        """Wait until all pieces before this one hold what others may want; then set ``holds``.

        What holds one thing and waits for its turn must not keep it from somebody who waits for
        their turn with what a piece before this one wants: neither would ever end.

        Raises
        ------
        CancelledError
            If the work was stopped.
        """
        self._wait_for(self.ahead)

    def _wait_for(self, events: Sequence[Event]) -> None:
        for event in events:
            while not event.wait(LOOK_SECONDS):
                self.sleep(0.0)
        self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        """Sleep, unless the work was stopped.

        Raises
        ------
        CancelledError
            If the work was stopped.
        """
        if self.stopped.wait(seconds):
            raise CancelledError("the work that this belongs to was stopped")


def in_turns(
    work: Callable[[T, Turn], R],
    items: Sequence[T],
    concurrency: int,
    stop: Callable[[], None] = lambda: None,
) -> list[R]:
    """Work on up to ``concurrency`` items at once; the results, in the order of the items.

    Parameters
    ----------
    work : gets an item and its turn; it calls ``turn.wait()`` before what must happen in order
    items : what to work on; work on them begins in this order
    concurrency : with 1 the work is done in the calling thread
    stop : called when the work on one item raised an error, or this thread was interrupted; it
        makes the work under way end soon

    Raises
    ------
    BaseException
        What work on the first item that failed raised, after all that was begun has ended.

    Examples
    --------
    >>> import time
    >>> published = []
    >>> def square(n, turn):
    ...     time.sleep(0.02 / n)
    ...     turn.wait()
    ...     published.append(n)
    ...     return n * n
    >>> in_turns(square, [1, 2, 3], concurrency=3), published
    ([1, 4, 9], [1, 2, 3])
    """
    if concurrency == 1:
        return [work(item, Turn()) for item in items]
    done, hold = ([Event() for _ in items] for _ in range(2))
    stopped = Event()

    def do(index: int) -> R:
        try:
            turn = Turn(done[:index], stopped, hold[:index], hold[index])
            turn.sleep(0.0)
            return work(items[index], turn)
        finally:
            hold[index].set()
            done[index].set()

    with ThreadPoolExecutor(concurrency, "tidemill-turn") as pool:
        futures = [pool.submit(copy_context().run, do, index) for index in range(len(items))]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stopped.set()
            stop()
            raise
