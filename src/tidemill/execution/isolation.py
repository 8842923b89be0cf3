"""Calculate a part in a child process, so that a series that kills it can be found and left out.

The child announces each range of ids before calculating it. If it dies, or a range takes too long,
the parent starts another child that goes through that range one id at a time; the last id announced
before that one dies is the poison. It is quarantined, and the next child skips it. All other ids of
the part get their rows: a row does not depend on the range it is calculated in.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import IO, Any

import pyarrow as pa

import tidemill.errors
from tidemill.errors import CalculationError, TidemillError
from tidemill.model.ids import id_name
from tidemill.model.series import Quarantined

__all__ = ["Selection", "calculate_isolated"]

log = logging.getLogger(__name__)

#: Ids per announced range; a poison costs one more child of this many.
RANGE_IDS = 256
#: More poison than this in one part means a broken calculator or installation.
POISON_LIMIT = 20
#: Children for one part: two for each poison, and some for ranges that died without one.
MOST_CHILDREN = 3 * POISON_LIMIT


@dataclass(slots=True)
class Selection:
    """The ids of a part to skip, and those to calculate one at a time (by position)."""

    skip: dict[int, str] = field(default_factory=dict)  # position -> reason
    solo: list[tuple[int, int]] = field(
        default_factory=list
    )  # ranges to calculate one id at a time

    def ranges(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges within positions ``first`` to ``last`` (exclusive), without skipped ids.

        Examples
        --------
        >>> list(Selection(skip={3: "died"}, solo=[(1, 3)]).ranges(0, 6))
        [(0, 1), (1, 2), (2, 3), (4, 6)]
        """
        start = first
        for position in range(first, last + 1):
            ends = position == last or position in self.skip or position - start >= RANGE_IDS
            if (ends or self._alone(position) or self._alone(position - 1)) and start < position:
                yield start, position
                start = position
            if position in self.skip:
                start = position + 1

    def skipped(self, ids: pa.Array, position: int) -> list[Quarantined]:
        """The skipped ids of a batch whose first id is at ``position``, with the reasons."""
        return [
            Quarantined(id_name(ids[at - position]), None, reason, is_poison=True)
            for at, reason in self.skip.items()
            if position <= at < position + len(ids)
        ]

    def narrow(self, first: int, last: int, *, reason: str, hung: bool) -> None:
        """Skip the id on which a child ended, or calculate its range one id at a time.

        If a range of several ids merely took too long, the whole part is slow: then every id is
        calculated alone, instead of starting a child for each such range.
        """
        if last - first == 1:
            self.skip[first] = f"its process {reason}"
        else:
            self.solo.append((0, sys.maxsize) if hung else (first, last))

    def _alone(self, position: int) -> bool:
        return any(first <= position < last for first, last in self.solo)


@dataclass(slots=True)
class _Outcome:
    """How a child ended."""

    result: dict[str, Any] | None = None  # what it calculated, if it finished
    last: tuple[int, int] | None = None  # the last range it announced
    reason: str = ""
    hung: bool = False  # stopped because a range took too long


def calculate_isolated(
    request: dict[str, Any], seconds: float, checkpoint: Callable[[], None]
) -> dict[str, Any]:
    """Calculate one part in child processes until all poison is found; the last child's result.

    Parameters
    ----------
    request : JSON values for :func:`tidemill.execution.chunk.calculate_for_parent`
    seconds : how long a range may take before it is considered hung
    checkpoint : called about once a second; may raise to stop the child

    Raises
    ------
    CalculationError
        If children die before the first id, or on more than :data:`POISON_LIMIT` ids.
    """
    number = request["part"] + 1  # as in all log lines
    selection = Selection()
    deaths_while_reading = 0
    for _ in range(MOST_CHILDREN):
        outcome = _run_child({**request, "selection": asdict(selection)}, seconds, checkpoint)
        if outcome.result is not None:
            return outcome.result
        log.warning("part %d: isolated process %s", number, outcome.reason)
        if outcome.last is None:
            deaths_while_reading += 1
            if deaths_while_reading > 1:
                raise CalculationError(
                    f"part {number} kills its process while its input is read "
                    f"({outcome.reason}); check the input files and the memory of the worker"
                )
            continue
        selection.narrow(*outcome.last, reason=outcome.reason, hung=outcome.hung)
        if len(selection.skip) > POISON_LIMIT:
            break
    raise CalculationError(
        f"part {number} still kills its process with {len(selection.skip)} series left out "
        f"({outcome.reason}); check the custom calculators, the memory and the installation"
    )


def _run_child(request: dict[str, Any], seconds: float, checkpoint: Callable[[], None]) -> _Outcome:
    outcome = _Outcome()
    with _child(request) as process:
        lines = _lines(process)
        deadline = time.monotonic() + seconds
        while True:
            checkpoint()
            try:
                line = lines.get(timeout=1.0)
            except queue.Empty:
                if time.monotonic() > deadline:
                    outcome.hung = True
                    outcome.reason = f"did not finish within {seconds:.0f} s"
                    return outcome
                continue
            if line is None:
                break
            deadline = time.monotonic() + seconds
            _take(outcome, json.loads(line))
        code = process.wait()
    outcome.reason = f"died of signal {-code}" if code < 0 else f"ended with exit code {code}"
    return outcome


def _take(outcome: _Outcome, message: dict[str, Any]) -> None:
    if "range" in message:
        outcome.last = (message["range"][0], message["range"][1])
    elif "error" in message:
        raise _as_error(message)
    else:
        outcome.result = message["result"]


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
