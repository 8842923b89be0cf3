"""The mark that a process leaves while it works on a part, and what the marks of others tell.

A mark is renewed while the part makes progress, and while a series in work has not reached its
limit: a mark that is not tells of a process that is stopped, or waits for storage in vain. It is
removed when the part is committed or fails in an ordinary way, and when the run is stopped, unless
a series was hanging: whoever takes the part next isolates it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Self

from tidemill.execution.guard import hand_over_mark, take_back_mark
from tidemill.execution.part_watch import TilesInWork
from tidemill.model.logs import engine_log
from tidemill.storage.markers import (
    Attempt,
    attempts,
    begin_attempt,
    clear_attempts,
    end_attempt,
    renew_attempt,
)
from tidemill.storage.run_address import Run

__all__ = ["MarkedAttempt", "clear_attempts_of_stopped", "suspects"]

log = engine_log(__name__)

#: Seconds between two renewals.
RENEW_SECONDS = 5.0


@dataclass(slots=True)
class MarkedAttempt:
    """An attempt of this process at a part, and its mark."""

    run: Run
    mark: Attempt
    _next: float = field(default_factory=lambda: time.monotonic() + RENEW_SECONDS)

    @classmethod
    @contextlib.contextmanager
    def of(cls, run: Run, index: int) -> Iterator[Self]:
        """Mark the part as long as this lasts, or for good if a series hangs at the end."""
        mark = begin_attempt(run.key, index, generation=run.generation, run_id=run.run_id)
        one = cls(run, mark)
        hand_over_mark(mark.path, {"run": asdict(run), "mark": asdict(mark)})
        try:
            yield one
        except BaseException:
            take_back_mark(mark.path)
            if one.mark.hangs:
                one.renew(hangs=True)
            else:
                end_attempt(run.key, mark)
            raise
        take_back_mark(mark.path)
        end_attempt(run.key, mark)

    def look(self, tiles: TilesInWork) -> None:
        """Renew the mark now and then, and at once when a series begins to hang."""
        if tiles.is_stuck:
            return
        note = f"part {self.mark.index + 1}: {tiles.trouble}" if tiles.trouble else ""
        if (tiles.is_slow, note) != (self.mark.hangs, self.mark.note):
            self.renew(hangs=tiles.is_slow, note=note)
        else:
            self.live()

    def live(self) -> None:
        """Renew the mark now and then."""
        if time.monotonic() > self._next:
            self.renew(hangs=self.mark.hangs, note=self.mark.note)

    def renew(self, *, hangs: bool, note: str = "") -> None:
        """Write the mark again; if that fails the next one may do."""
        self._next = time.monotonic() + RENEW_SECONDS
        try:
            self.mark = renew_attempt(self.run.key, self.mark, hangs=hangs, note=note)
        except OSError as error:
            log.debug("the mark of part %d was not renewed: %s", self.mark.index + 1, error)


def suspects(run: Run, index: int) -> list[Attempt]:
    """Attempts on a part that are not known to go on: a series in it may kill or hang.

    Those of another host cannot be checked. Isolating an innocent part costs seconds; not isolating
    a poison costs another worker.
    """
    return [one for one in attempts(run.key, [index]) if one.hangs or not _goes_on(one)]


def _goes_on(one: Attempt) -> bool:
    return one.process.is_here and one.process.is_alive and not one.is_silent


def clear_attempts_of_stopped(run: Run) -> None:
    """Remove attempt marks of processes that were stopped with their run: no series killed them.

    To cancel a run, a Prefect worker stops its whole process group, Dask's workers included. Marks
    of a series that was hanging stay, and those that were not renewed: it may have kept the
    interpreter's lock.
    """
    with contextlib.suppress(Exception):  # must not hide why the run was stopped
        mine = [one for one in attempts(run.key) if one.run_id == run.run_id]
        here = [one for one in mine if one.process.is_here and not one.process.is_alive]
        clear_attempts(run.key, [one for one in here if not (one.hangs or one.is_silent)])
