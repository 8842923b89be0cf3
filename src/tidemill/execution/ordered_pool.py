"""Work on several items at once, and let them finish in order."""

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

#: Seconds between checks of whether the work was stopped.
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Turn:
    """The place of one item of work among several; by default it does not wait."""

    before: Sequence[Event] = ()  # each is set when an earlier item is done
    stopped: Event = field(default_factory=Event)
    ahead: Sequence[Event] = ()  # each is set when an earlier item holds its lease
    holds: Event = field(default_factory=Event)  # set when this item holds its lease

    def wait(self) -> None:
        """Wait until all earlier items are done.

        Raises
        ------
        CancelledError
            If the work was stopped.
        """
        self._wait_for(self.before)

    def wait_to_hold(self) -> None:
        """Wait until all earlier items hold their leases; the caller then sets ``holds``.

        An item that holds a lease while it waits for its turn could deadlock with another pool,
        which waits for that lease and itself holds one that an earlier item here needs.

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
    """Work on up to ``concurrency`` items at once; the results in the order of the items.

    Parameters
    ----------
    work : takes an item and its turn; calls ``turn.wait()`` before what must happen in order
    items : what to work on, started in this order
    concurrency : with 1, the calling thread does the work
    stop : called when an item fails or this thread is interrupted; makes work in progress end
        soon

    Raises
    ------
    BaseException
        The error of the first item that failed, once all work in progress has ended.

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
