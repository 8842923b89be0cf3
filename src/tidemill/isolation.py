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

from tidemill.blocks import Quarantined
from tidemill.errors import CalculationError, TidemillError

__all__ = ["Selection", "calculate_isolated"]

log = logging.getLogger(__name__)

#: Ids per announced range; a poison costs one more child of this many.
RANGE_IDS = 256
#: More poison than this in one part is a broken calculator or installation, not poison.
POISON_LIMIT = 20


@dataclass(slots=True)
class Selection:
    """Which ids of a part a child leaves out, and which it takes one by one (by position)."""

    skip: dict[int, str] = field(default_factory=dict)  # position -> reason
    solo: tuple[int, int] | None = None  # range of positions taken one by one

    def ranges(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Ranges within positions ``first`` to ``last`` (exclusive), without skipped ids.

        Examples
        --------
        >>> list(Selection(skip={3: "died"}, solo=(1, 3)).ranges(0, 6))
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
            Quarantined(ids[at - position].as_py(), None, reason)
            for at, reason in self.skip.items()
            if position <= at < position + len(ids)
        ]

    def _alone(self, position: int) -> bool:
        return self.solo is not None and self.solo[0] <= position < self.solo[1]


@dataclass(slots=True)
class _Outcome:
    """How a child ended."""

    result: dict[str, Any] | None = None  # what it calculated, if it finished
    last: tuple[int, int] | None = None  # the range it announced last
    reason: str = ""


def calculate_isolated(
    request: dict[str, Any], seconds: float, checkpoint: Callable[[], None]
) -> dict[str, Any]:
    """Calculate one part in child processes until its poison is alone; what the last child said.

    Parameters
    ----------
    request : JSON values that :func:`tidemill.execution.calculate_for_parent` understands
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
    while True:
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
        _narrow(selection, outcome)
        if len(selection.skip) > POISON_LIMIT:
            raise CalculationError(
                f"more than {POISON_LIMIT} series of part {number} kill their process "
                f"({outcome.reason}); check the custom calculators and the installation"
            )


def _narrow(selection: Selection, outcome: _Outcome) -> None:
    assert outcome.last is not None
    first, last = outcome.last
    if last - first == 1:
        selection.skip[first] = f"its process {outcome.reason}"
    else:
        selection.solo = (first, last)


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
        import tidemill.errors

        kind = getattr(tidemill.errors, said["error"], CalculationError)
        raise kind(said["message"])
    else:
        outcome.result = said["result"]


@contextmanager
def _child(request: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", "tidemill.isolation"]
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


def _exit_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Carry out the request on standard input; announcements and result as JSON lines."""
    from tidemill.execution import calculate_for_parent

    speak = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a calculator prints does not mix with the JSON lines
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_with_parent, daemon=True).start()

    def say(**said: object) -> None:
        speak.write(json.dumps(said) + "\n")

    try:
        result = calculate_for_parent(request, lambda first, last: say(range=[first, last]))
        say(result=result)
    except TidemillError as error:
        say(error=type(error).__name__, message=str(error))


if __name__ == "__main__":
    main()
