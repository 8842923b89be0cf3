"""A Dask scheduler for one test, with workers that the test stops, and short limits."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from distributed import Client

from tidemill.orchestration import worker_watch

from . import programs

STALL = 8.0  # seconds; workers tell the scheduler twice a second that they live


@dataclass(frozen=True)
class Ground:
    """A scheduler that no other test uses, a client of it, and where its tasks leave files."""

    scheduler: programs.Program
    client: Client
    folder: Path

    def worker(self) -> AbstractContextManager[programs.Program]:
        return programs.worker(self.client.scheduler.address, threads=1, nanny=False)

    def function(self) -> Callable[[int], int]:
        """What leaves a file ``<number>-<process>``, and hangs in a process that is to."""
        folder = self.folder

        def work(number: int) -> int:
            (folder / f"{number}-{os.getpid()}").touch()
            while (folder / f"hang.{os.getpid()}").exists():
                time.sleep(0.02)
            return number

        return work

    def begun_by(self, program: programs.Program) -> set[int]:
        names = [path.name.partition("-") for path in self.folder.glob("*-*")]
        return {int(number) for number, _, pid in names if pid == str(program.pid)}

    def hang(self, program: programs.Program) -> None:
        (self.folder / f"hang.{program.pid}").touch()

    def release(self, program: programs.Program) -> None:
        (self.folder / f"hang.{program.pid}").unlink()


@contextmanager
def ground_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A ground with short limits."""
    monkeypatch.setattr(worker_watch, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(worker_watch, "REPLACEMENT_SECONDS", 2.0)
    with programs.scheduler_program() as (scheduler, address), Client(address, timeout=5) as client:
        yield Ground(scheduler, client, folder)
        os.kill(scheduler.pid, signal.SIGCONT)  # so that the client can take its leave
