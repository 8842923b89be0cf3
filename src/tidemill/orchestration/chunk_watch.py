"""Notices chunks that make no progress although their worker lives: its storage may hang.

A chunk makes progress when one of its parts is committed, or the attempt mark of one is renewed.
Workers renew that of a part which gets on, and of one whose series has not reached its own limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from distributed import Client

from tidemill.model.logs import engine_log
from tidemill.orchestration.scheduler_calls import ask
from tidemill.storage.markers import attempts
from tidemill.storage.run_address import Run
from tidemill.storage.transient import is_transient

__all__ = ["ChunkWatch", "StuckChunk"]

log = engine_log(__name__)

#: Seconds between two looks, and those after which this process itself must have been stopped.
LOOK_SECONDS = 5.0
GAP_SECONDS = 20.0
#: Seconds without progress that a chunk may have in any case.
LEAST_SECONDS = 30.0
#: The marks of a chunk are read after this share of the limit.
QUIET = 0.5
#: Seconds for workers to say what they are at.
STACK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class StuckChunk:
    """A chunk that a worker has in hand, without progress."""

    worker: str  # its address
    part: int  # the first one that is missing
    seconds: float

    def __str__(self) -> str:
        return (
            f"worker {self.worker} has made no progress with part {self.part + 1} for "
            f"{self.seconds:.0f} s, though it lives"
        )


@dataclass(slots=True)
class _Seen:
    """What was last seen of a chunk."""

    worker: str  # that has it in hand, or will; "": none
    done: int  # parts
    changed: float  # moment when either was first seen
    moved: float  # the same, or of a renewed mark


@dataclass(slots=True)
class ChunkWatch:
    """Looks at the chunks of a run now and then.

    How long a chunk is without progress is measured here, by this process's clock. The time begins
    anew whenever another worker gets the chunk.
    """

    run: Run
    client: Client
    committed: Callable[[], Collection[int]]  # indexes of parts
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, _Seen] = field(default_factory=dict)  # by the key of the task
    _renewed: dict[str, float] = field(default_factory=dict)  # by the path of the mark
    _heard: float = float("-inf")  # last renewal of any mark
    _looked: float = float("-inf")

    def look(self, chunks: Mapping[str, Sequence[int]]) -> list[StuckChunk]:
        """Those of ``chunks``, the parts by the key of the task, that a worker is stuck with."""
        now = self.clock()
        if now - self._looked < LOOK_SECONDS:
            return []
        if now - self._looked > GAP_SECONDS:
            self.begin_anew()
        try:
            return self._look(chunks, now)
        except Exception as error:
            if not is_transient(error):
                raise
            log.debug("could not look for progress: %s", error)
            return []
        finally:
            self._looked = self.clock()

    def is_busy(self) -> bool:
        """Whether a mark was renewed lately: its process runs, even if its worker is silent."""
        return self.clock() - self._heard < GAP_SECONDS

    def begin_anew(self) -> None:
        """All chunks have all the time again."""
        self._seen.clear()

    def _look(self, chunks: Mapping[str, Sequence[int]], now: float) -> list[StuckChunk]:
        processing = ask(self.client, lambda scheduler: scheduler.processing(workers=None))
        workers = {key: worker for worker, keys in processing.items() for key in keys}
        done = frozenset(self.committed())
        for key, parts in chunks.items():
            self._see(key, workers.get(key, ""), len(done.intersection(parts)), now)
        for key in self._seen.keys() - chunks.keys():
            del self._seen[key]
        limit = max(self.run.stall_seconds, LEAST_SECONDS)
        seen = self._seen
        quiet = [key for key, one in seen.items() if now - one.changed > QUIET * limit]
        self._read_marks({key: chunks[key] for key in quiet}, now)
        silent = [key for key, one in seen.items() if now - one.moved > limit]
        return [
            StuckChunk(
                seen[key].worker,
                next((part for part in chunks[key] if part not in done), chunks[key][-1]),
                now - seen[key].moved,
            )
            for key in self._in_hand(silent, now)
        ]

    def _see(self, key: str, worker: str, done: int, now: float) -> None:
        before = self._seen.get(key)
        if not worker or before is None or (before.worker, before.done) != (worker, done):
            self._seen[key] = _Seen(worker, done, now, now)

    def _read_marks(self, chunks: Mapping[str, Sequence[int]], now: float) -> None:
        owner = {index: key for key, parts in chunks.items() for index in parts}
        for mark in attempts(self.run.key, owner) if owner else ():
            before = self._renewed.get(mark.path)
            self._renewed[mark.path] = mark.renewed
            if before is not None and before != mark.renewed:
                self._heard = now
            if before != mark.renewed:
                self._seen[owner[mark.index]].moved = now

    def _in_hand(self, keys: Sequence[str], now: float) -> list[str]:
        """Those tasks that a thread carries out; the others wait on their worker."""
        if not keys:
            return []
        stacks = ask(
            self.client, lambda scheduler: scheduler.call_stack(keys=list(keys)), STACK_SECONDS
        )
        running = {key for stack in stacks.values() for key in stack}
        for key in keys:
            if key not in running:
                self._seen[key].moved = now
        return [key for key in keys if key in running]
