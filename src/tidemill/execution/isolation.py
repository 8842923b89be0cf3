"""A part in a process of its own, so that a series that kills its process is found and left out.

The child announces each range of ids before it calculates it. When it dies, or a range takes too
long, the parent starts another that goes through that range one id at a time; the id announced
last when that one dies is the poison. It is quarantined, and the next child skips it. Every other
id of the part gets its row: a row does not depend on the range it is calculated in.
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
#: More poison than this in one part is a broken calculator or installation, not poison.
POISON_LIMIT = 20
#: Children for one part: two for each poison, and some for ranges that died without one.
MOST_CHILDREN = 3 * POISON_LIMIT


@dataclass(slots=True)
class Selection:
    """Which ids of a part a child leaves out, and which it takes one by one (by position)."""

    skip: dict[int, str] = field(default_factory=dict)  # position -> reason
    solo: list[tuple[int, int]] = field(default_factory=list)  # ranges taken one by one

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
        """The ids left out of a batch whose first id is at ``position``, with the reasons."""
        return [
            Quarantined(id_name(ids[at - position]), None, reason)
            for at, reason in self.skip.items()
            if position <= at < position + len(ids)
        ]

    def narrow(self, first: int, last: int, *, reason: str, hung: bool) -> None:
        """Leave out the id on which a child ended, or look at its range one by one.

        Where a range of several ids only took too long, the whole part is slow: then every id is
        taken alone, instead of one child for each such range.
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
    last: tuple[int, int] | None = None  # the range it announced last
    reason: str = ""
    hung: bool = False  # it was ended because a range took too long


def calculate_isolated(
    request: dict[str, Any], seconds: float, checkpoint: Callable[[], None]
) -> dict[str, Any]:
    """Calculate one part in child processes until its poison is alone; what the last child said.

    Parameters
    ----------
    request : JSON values that :func:`tidemill.execution.chunk.calculate_for_parent` understands
    seconds : how long a range may take before it counts as hung
    checkpoint : called about once a second; may raise to stop the child

    Raises
    ------
    CalculationError
        If children die before any id, or on more than :data:`POISON_LIMIT` ids.
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


def _take(outcome: _Outcome, said: dict[str, Any]) -> None:
    if "range" in said:
        outcome.last = (said["range"][0], said["range"][1])
    elif "error" in said:
        raise _as_error(said)
    else:
        outcome.result = said["result"]


def _as_error(said: dict[str, Any]) -> Exception:
    """The child's own error: ours by its name, one that may pass as such, others by their text."""
    kind = None if said["transient"] else getattr(tidemill.errors, said["error"], None)
    if isinstance(kind, type) and issubclass(kind, TidemillError):
        return kind(said["message"])
    text = f"{said['error']}: {said['message']}"
    return ConnectionError(text) if said["transient"] else CalculationError(text)


@contextmanager
def _child(request: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "tidemill.execution.isolated_child"]
    # The modules of custom calculators are found where this process found them.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(  # noqa: S603
        command, stdin=pipe, stdout=pipe, text=True, env=environment
    )
    try:
        assert process.stdin is not None
        # The pipe stays open: its end tells the child that the parent is gone.
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
    """What the child prints, line by line; None at its end."""
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
