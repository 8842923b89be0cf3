"""Watch the calculation of a part, so that a series that never ends holds up nothing else.

A part is calculated by a thread of its own, and the thread that wants it watches. When the series
in work make no progress for too long, the attempt is abandoned: the watching thread goes on without
it, and whatever the other one still does is thrown away. A thread cannot be ended, but this one
keeps no process from ending.

If Python code keeps the interpreter's lock, no thread can watch. Then the guard hears no sign of
life, and ends the process; what it had in work is isolated by whoever takes it next.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tidemill.execution.guard import sign_of_life
from tidemill.model.logs import engine_log

__all__ = ["Hang", "TilesInWork", "series_limit", "storage_limit", "watched"]

log = engine_log(__name__)

#: Seconds without progress that are suspect whatever was predicted.
LEAST_SECONDS = 300.0
#: Times the predicted seconds that a series may take: predictions are those of a quiet machine.
SLOWNESS = 20.0
#: Seconds without progress after which it is said.
TOLD_SECONDS = 60.0
#: Bytes of input per second that the slowest storage gives.
SLOWEST_STORAGE = 1e6
#: Seconds between two looks.
LOOK_SECONDS = 1.0
#: Seconds that a calculation has to stop by itself when the run is stopped.
STOP_SECONDS = 3.0
#: Seconds more before the guard ends the process: loading a module may keep the lock for a while.
LOCK_SECONDS = 10.0

T = TypeVar("T")


def series_limit(asked: float | None, predicted: float) -> float:
    """Seconds without progress after which a series counts as hung.

    Examples
    --------
    >>> series_limit(None, 0.1), series_limit(10.0, 0.1), series_limit(10.0, 404.0)
    (300.0, 10.0, 8080.0)
    """
    return max(LEAST_SECONDS if asked is None else asked, SLOWNESS * predicted)


def storage_limit(stall_seconds: float, n_bytes: int) -> float:
    """Seconds that a part of so many bytes may take to be read or written, without progress.

    Examples
    --------
    >>> storage_limit(60.0, 32_000_000)
    92.0
    """
    return stall_seconds + n_bytes / SLOWEST_STORAGE


@dataclass(frozen=True, slots=True)
class Hang:
    """Series that made no progress: the positions of a range of ids, and for how long."""

    first: int
    last: int
    seconds: float


class _AbandonedError(Exception):
    """Nobody waits for this calculation any more."""


@dataclass(slots=True)
class TilesInWork:
    """What a calculation says of the range of ids that it has in work; others look at it."""

    asked: float | None = None  # limit in seconds; None: by the prediction
    storage_seconds: float = float("inf")  # that it may be without progress while none is in work
    first: int = 0
    last: int = 0
    since: float | None = None  # moment of the last progress; None: no series is in work
    predict: Callable[[], float] = float
    is_abandoned: bool = False
    moved: float = field(default_factory=time.monotonic)  # moment of the last progress of any kind
    _limit: float | None = None

    def begin(self, first: int, last: int, predict: Callable[[], float]) -> None:
        """Series at these positions are calculated from now on; ``predict`` gives the seconds."""
        self.first, self.last, self.predict, self._limit = first, last, predict, None
        self.progress()

    def progress(self) -> None:
        """A series is finished, or a block of them."""
        if self.is_abandoned:
            raise _AbandonedError
        self.since = self.moved = time.monotonic()

    def end(self) -> None:
        """The range is calculated."""
        self.progress()
        self.since = None

    @property
    def silence(self) -> float:
        """Seconds since the last progress of a series."""
        since = self.since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def is_stuck(self) -> bool:
        """Whether no series is in work, and its reading or writing takes far too long."""
        return self.since is None and time.monotonic() - self.moved > self.storage_seconds

    @property
    def limit(self) -> float:
        """Seconds that the silence may last; predicted only once it matters."""
        if self._limit is None:
            self._limit = series_limit(self.asked, self.predict())
        return self._limit

    @property
    def trouble(self) -> str:
        """What people should know of the lack of progress; empty if there is nothing to be told."""
        if self.is_stuck:
            return (
                f"no progress for {self.storage_seconds:.0f} s of reading or writing; does its "
                "storage answer?"
            )
        if self.silence > TOLD_SECONDS:
            return (
                f"no progress for {TOLD_SECONDS:.0f} s among {self.last - self.first} series; "
                f"after {self.limit:.0f} s they are isolated"
            )
        return ""

    @property
    def is_slow(self) -> bool:
        """Whether more than half of the limit has passed without progress."""
        return self.silence > series_limit(self.asked, 0.0) / 2 and self.silence > self.limit / 2

    @property
    def is_overdue(self) -> bool:
        """Whether the series in work count as hung."""
        return self.silence > series_limit(self.asked, 0.0) and self.silence > self.limit


@dataclass(slots=True)
class _Calculation(Generic[T]):
    """A calculation in a thread of its own."""

    work: Callable[[TilesInWork], T]
    discard: Callable[[], None]
    tiles: TilesInWork
    done: threading.Event = field(default_factory=threading.Event)
    results: list[T] = field(default_factory=list)
    error: BaseException | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        context = contextvars.copy_context()  # logs know their task run by it
        threading.Thread(
            target=context.run, args=(self._carry_out,), daemon=True, name="tidemill-part"
        ).start()

    def _carry_out(self) -> None:
        try:
            result = self.work(self.tiles)
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            self.error = error
        else:
            with self._lock:
                self.results.append(result)
        finally:
            with self._lock:
                self.done.set()
                late = self.tiles.is_abandoned and bool(self.results)
            if late:
                self.discard()

    def abandon(self) -> bool:
        """Give the calculation up; False if it is done after all."""
        with self._lock:
            if self.done.is_set():
                return False
            self.tiles.is_abandoned = True
            return True

    def throw_away(self) -> None:
        """Discard the result of a calculation that is done, if it has one."""
        if self.results:
            with suppress(Exception):  # must not hide why
                self.discard()

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.results[0]


def watched(
    work: Callable[[TilesInWork], T],
    *,
    name: str,
    seconds: float | None,
    storage_seconds: float,
    discard: Callable[[], None],
    look: Callable[[TilesInWork], None],
) -> T | Hang:
    """Do ``work`` in a thread of its own, and give it up when a series in it hangs.

    Parameters
    ----------
    work : tells of its progress by what it is given
    name : for people, as "part 3"
    seconds : limit without progress of series; None: by the prediction
    storage_seconds : the same while none is in work; then it is said, and no mark is renewed
    discard : called if it ends with a result after it was given up, or the work stopped
    look : called about once a second; may raise to stop the work

    Returns
    -------
    T or Hang
        What the work gave, or which series hang.
    """
    tiles = TilesInWork(seconds, storage_seconds)
    calculation = _Calculation(work, discard, tiles)
    _signs.give(name, tiles)  # before: the first series may keep the lock at once
    calculation.start()
    told: float | None = None  # moment of the progress after which the log says that there is none
    try:
        while not calculation.done.wait(LOOK_SECONDS):
            _signs.give(name, tiles)
            try:
                look(tiles)
            except BaseException:
                if calculation.done.wait(STOP_SECONDS) or not calculation.abandon():
                    calculation.throw_away()
                raise
            if tiles.is_overdue:
                silence = tiles.silence
                if calculation.abandon():
                    return Hang(tiles.first, tiles.last, silence)
            elif tiles.trouble and tiles.moved != told:
                told = tiles.moved
                log.warning("%s: %s", name, tiles.trouble)
    finally:
        _signs.stop(tiles)
    return calculation.result()


class _Signs:
    """Signs of life for the guard, by all parts in work in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: dict[int, tuple[str, float]] = {}  # name and limit
        self._is_told = False

    def give(self, name: str, tiles: TilesInWork) -> None:
        """One of the threads that watch is running, so nobody keeps the lock."""
        with self._lock:
            self._parts[id(tiles)] = (name, series_limit(tiles.asked, 0.0) + LOCK_SECONDS)
            limit = max(limit for _, limit in self._parts.values())
            names = ", ".join(sorted({name for name, _ in self._parts.values()}))
            self._is_told = True
        sign_of_life(limit, f"a series ({names}) keeps the interpreter")

    def stop(self, tiles: TilesInWork) -> None:
        """A part is not watched any more."""
        with self._lock:
            self._parts.pop(id(tiles), None)
            if self._parts or not self._is_told:
                return
            self._is_told = False
        sign_of_life(None)


_signs = _Signs()
