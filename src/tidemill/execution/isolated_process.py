"""One isolated child process: started, listened to, ended if it takes too long or too much."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import IO, Any

import psutil  # type: ignore[import-untyped, unused-ignore]

import tidemill.errors
from tidemill.errors import CalculationError, TidemillError
from tidemill.execution.part_watch import series_limit

__all__ = ["Ending", "Fate", "run_child"]

#: Seconds between two looks at the child and its memory.
LOOK_SECONDS = 0.2
#: Seconds for what is not about a series: starting, loading kernels, reading.
PREPARING_SECONDS = 600.0
#: Signals that others send; a series that is its process's undoing causes other ones.
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
MIB = 2**20


class Fate(Enum):
    """Why a child ended without a result."""

    DIED = "died"
    KILLED = "killed"  # by a signal that somebody else may have sent
    HUNG = "hung"  # a range took too long
    GREEDY = "greedy"  # it took too much memory


@dataclass(slots=True)
class Ending:
    """How a child ended."""

    result: dict[str, Any] | None = None  # what it calculated, if it finished
    fate: Fate = Fate.DIED
    last: tuple[int, int] | None = None  # the range in work; None: none was
    predicted: float = 0.0  # seconds for that range
    ranges: int = 0  # that it began
    reason: str = ""


def run_child(
    request: dict[str, Any], seconds: float | None, memory: int, checkpoint: Callable[[], None]
) -> Ending:
    """Let a child calculate a part; how it ended.

    Parameters
    ----------
    request : JSON values for :func:`tidemill.execution.chunk.calculate_for_parent`
    seconds : of a range without progress until it counts as hung; None: by its prediction
    memory : bytes that the child may take
    checkpoint : called several times a second; may raise to stop the child

    Raises
    ------
    Exception
        What the child raised.
    """
    ending = Ending()
    with _child(request) as process:
        lines = _lines(process)
        taken = _Memory(process.pid, memory)
        limit, since = PREPARING_SECONDS, time.monotonic()
        while True:
            checkpoint()
            if taken.is_too_much():
                return _ended(ending, Fate.GREEDY, taken.text)
            try:
                line = lines.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                if time.monotonic() - since > limit:
                    return _ended(ending, Fate.HUNG, f"took more than {limit:.0f} s")
                continue
            if line is None:
                break
            since = time.monotonic()
            _take(ending, json.loads(line))
            limit = PREPARING_SECONDS
            if ending.last is not None:
                limit = series_limit(seconds, ending.predicted)
        code = process.wait()
    if code >= 0:
        return _ended(ending, Fate.DIED, f"ended with exit code {code}")
    fate = Fate.KILLED if -code in _FROM_OUTSIDE else Fate.DIED
    return _ended(ending, fate, f"died of signal {-code} ({_name(-code)})")


def _ended(ending: Ending, fate: Fate, reason: str) -> Ending:
    ending.fate, ending.reason = fate, reason
    return ending


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have none
        return "no name"


class _Memory:
    """The memory that a process has."""

    def __init__(self, pid: int, limit: int) -> None:
        self._process = psutil.Process(pid)
        self._limit = limit
        self._bytes = 0

    def is_too_much(self) -> bool:
        with suppress(psutil.Error):
            self._bytes = self._process.memory_info().rss
        return self._bytes > self._limit

    @property
    def text(self) -> str:
        taken, limit = self._bytes / MIB, self._limit / MIB
        return f"took {taken:,.0f} MiB of memory, more than the {limit:,.0f} MiB that it may have"


def _take(ending: Ending, message: dict[str, Any]) -> None:
    if "range" in message:
        first, last = message["range"]
        ending.last, ending.predicted = (first, last), message["seconds"]
        ending.ranges += 1
    elif "done" in message:
        ending.last = None
    elif "error" in message:
        raise _as_error(message)
    elif "result" in message:
        ending.result = message["result"]


def _as_error(message: dict[str, Any]) -> Exception:
    """The child's error: ours by name, transient ones as such, others by their text."""
    kind = None if message["transient"] else getattr(tidemill.errors, message["error"], None)
    if isinstance(kind, type) and issubclass(kind, TidemillError):
        return kind(message["message"])
    text = f"{message['error']}: {message['message']}"
    return ConnectionError(text) if message["transient"] else CalculationError(text)


@contextmanager
def _child(request: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "tidemill.execution.isolated_child"]
    # The child must find modules of custom calculators where this process found them.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(  # noqa: S603
        command, stdin=pipe, stdout=pipe, text=True, env=environment
    )
    try:
        assert process.stdin is not None
        # The pipe stays open: when it closes, the child knows that the parent is gone.
        with suppress(BrokenPipeError):  # killed already
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close(stream)


def _close(stream: IO[str]) -> None:
    with suppress(BrokenPipeError):
        stream.close()


def _lines(process: subprocess.Popen[str]) -> queue.Queue[str | None]:
    """The lines that the child prints, then None."""
    found: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                found.put(line)
        except ValueError:  # closed by the parent
            pass
        found.put(None)

    threading.Thread(target=read, daemon=True, name="tidemill-isolated").start()
    return found
