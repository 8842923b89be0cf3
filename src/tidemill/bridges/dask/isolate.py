"""Calculate a frame in a child process, id by id, so that the series that kills it can be named.

A frame comes here if a worker died that had begun it. Mostly the worker died of something else;
then the child calculates all, the same bit for bit, as a row does not depend on its neighbours.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import pandas as pd
import psutil  # type: ignore[import-untyped, unused-ignore]
from distributed import get_worker

from tidemill.bridges.dask.calculate import Container, FrameCalculation
from tidemill.errors import CalculationError
from tidemill.execution.resources import memory_of_child
from tidemill.model.logs import engine_log

__all__ = ["calculate_isolated_frame"]

log = engine_log(__name__)

#: Signals that others send; a series that is its process's undoing causes other ones.
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM})
#: Times that a child is killed by such a signal on one id before the id is the reason.
MOST_KILLS = 2
#: Ids left out under ``on_error="nan"``; more mean a broken calculator or installation.
MOST_SKIPPED = 20
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _End:
    """How a child ended that gave no result."""

    position: int | None  # of the id in work; None: before the first
    name: str  # of that id
    reason: str
    is_suspect: bool  # whether it may have been killed by somebody else


def calculate_isolated_frame(container: Container, calculation: FrameCalculation) -> pd.DataFrame:
    """The feature matrix of a frame that may kill its process.

    Raises
    ------
    CalculationError
        If a series kills the process: it is named. Under ``on_error="nan"`` its row is NaN.
    Exception
        What the calculation raises.
    """
    kills: Counter[int] = Counter()
    skipped: list[int] = []
    with tempfile.TemporaryDirectory(prefix="tidemill-isolated-") as name:
        folder = Path(name)
        while True:
            asked = cloudpickle.dumps((container, calculation, skipped))
            (folder / "asked").write_bytes(asked)
            end = _run_child(folder)
            if not isinstance(end, _End):
                return end
            if end.position is None:
                raise CalculationError(
                    f"the isolated process of a chunk {end.reason} before the first series; check "
                    "the worker's memory and installation"
                )
            kills[end.position] += 1
            if end.is_suspect and kills[end.position] < MOST_KILLS:
                continue
            told = f"series {end.name} kills its process, which {end.reason}"
            if calculation.policies.on_error == "raise" or len(skipped) >= MOST_SKIPPED:
                raise CalculationError(
                    f"{told}; leave it out, or look for the calculator that does not stand it "
                    '(on_error="nan" makes its row NaN)'
                )
            log.warning("%s; its row is NaN", told)
            skipped.append(end.position)


def _run_child(folder: Path) -> pd.DataFrame | _End:
    limit = _memory_limit()
    with _child(folder) as process:
        reason = ""
        while process.poll() is None:
            if _memory_of(process.pid) > limit:
                reason = f"took more than the {limit / 2**20:,.0f} MiB that it may have"
                process.kill()
                process.wait()
            time.sleep(LOOK_SECONDS)
    if (folder / "result").exists():
        result = pickle.loads((folder / "result").read_bytes())  # noqa: S301  our own child's
        if isinstance(result, BaseException):
            raise result
        assert isinstance(result, pd.DataFrame)
        return result
    code = process.returncode
    suspect = not reason and -code in _FROM_OUTSIDE
    how = f"died of signal {-code}" if code < 0 else f"ended with exit code {code}"
    position, name = _last(folder)
    return _End(position, name, reason or how, suspect)


def _last(folder: Path) -> tuple[int | None, str]:
    """The id in work when a child ended."""
    path = folder / "position"
    text = path.read_text("utf-8") if path.exists() else ""
    position, _, name = text.partition(" ")
    return (int(position) if position else None), name


@contextmanager
def _child(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-P", "-m", "tidemill.bridges.dask.isolated_child", str(folder)]
    # The child must find modules of custom calculators where this process found them.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _memory_of(pid: int) -> int:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _memory_limit() -> int:
    """Bytes that the child may take: those of its worker, or most of what is free."""
    with suppress(ValueError, AttributeError):
        if limit := get_worker().memory_manager.memory_limit:
            return int(limit)
    return memory_of_child()
