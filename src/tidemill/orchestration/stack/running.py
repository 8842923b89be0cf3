"""One stack for a home of Prefect: its lock, and who holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from tidemill.errors import ArgumentError

__all__ = ["RunningStack", "only_stack", "running_stack"]

_LOCK, _OWNER = "tidemill-up.lock", "tidemill-up.json"


@dataclass(frozen=True, slots=True)
class RunningStack:
    """The ``tidemill up`` that uses a home of Prefect."""

    pid: int
    home: str
    api: str
    file: str

    def refusal(self, file: Path) -> str:
        """Why another one cannot be started, and what to do instead."""
        return (
            f"`tidemill up` runs already on PREFECT_HOME={self.home}: process {self.pid}, "
            f"{self.api}, {self.file}. Stop it (`kill {self.pid}`), put this project on its server "
            f"(`PREFECT_API_URL={self.api} tidemill deploy {file}`), or set PREFECT_HOME to "
            "another folder"
        )


def running_stack(home: Path) -> RunningStack | None:
    """The one that runs on this home; None if there is none."""
    try:
        with FileLock(home / _LOCK, timeout=0):
            return None
    except Timeout:
        return _owner(home)


@contextmanager
def only_stack(home: Path, api: str, file: Path) -> Iterator[None]:
    """Be the one that runs on this home.

    The system lets go of the lock however the process ends.

    Raises
    ------
    ArgumentError
        If there is one already.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / _OWNER
    try:
        with FileLock(home / _LOCK, timeout=0):
            path.write_text(
                json.dumps(asdict(RunningStack(os.getpid(), str(home), api, str(file))))
            )
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
    except Timeout:
        raise ArgumentError(_owner(home).refusal(file)) from None


def _owner(home: Path) -> RunningStack:
    try:
        return RunningStack(**json.loads((home / _OWNER).read_text()))
    except (OSError, ValueError, TypeError):  # it has begun this very moment
        return RunningStack(0, str(home), "?", "?")
