"""Compile many kernels at once: one process per host, with helpers for the other cores.

Compiling holds the interpreter's lock, so that only processes share the work: two cores halve the
time of the first start. All of them write into one cache, each kernel into a file of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tidemill.calculators.jit.cache import CACHE_VARIABLE, cache_folder, has_room
from tidemill.calculators.jit.fill_lock import filling, stalled
from tidemill.calculators.jit.kernel import load_kernel, note_compiled
from tidemill.calculators.jit.own_folders import own_folder
from tidemill.model.logs import engine_log

__all__ = ["CompileJob", "fill"]

_WORTH = 8  # kernels for which a helper is started: its own start takes as long as four
_MOST_HELPERS = 3
_log = engine_log(__name__)


class CompileJob(NamedTuple):
    """A kernel, and the element types for which it is compiled."""

    path: str  # "module:function"
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]


def fill(jobs: Sequence[CompileJob]) -> int:
    """Compile what the cache lacks, unless it is so little that it can wait for its first use.

    Returns
    -------
    int
        How many kernels were missing, and are compiled now.
    """
    folder = cache_folder()
    if folder is None or _helpers(_missing(jobs)) == 0 or not has_room(folder):
        return 0
    with filling(folder):
        missing = _missing(jobs)  # another process may have done it meanwhile
        try:
            with _claims() as claims, _started(folder, missing, claims, _helpers(missing)):
                _work_off(missing, Path(claims))
        except OSError as error:  # a full disk: what is missing is compiled at its first use
            _log.warning("kernels are compiled one by one: %s", error)
            return 0
    note_compiled(len(missing))
    return len(missing)


def _claims() -> contextlib.AbstractContextManager[str]:
    """A folder with one file for each kernel that somebody compiles."""
    return own_folder("tidemill-compile-")


def _missing(jobs: Sequence[CompileJob]) -> list[CompileJob]:
    return [job for job in jobs if not load_kernel(job.path).is_ready(job.inputs, job.parameters)]


def _helpers(missing: Sequence[CompileJob]) -> int:
    if not sys.executable:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(len(missing) // _WORTH, (cores or 1) - 1, _MOST_HELPERS)


@contextlib.contextmanager
def _started(
    folder: Path, missing: Sequence[CompileJob], claims: str, count: int
) -> Iterator[None]:
    """Helpers at work while the block runs; what one that dies has claimed is compiled later."""
    environment = {**os.environ, CACHE_VARIABLE: str(folder.parent)}
    command = [sys.executable, "-m", __name__, claims]
    (Path(claims) / "jobs.json").write_text(json.dumps(missing), "utf-8")
    helpers = [
        subprocess.Popen(  # noqa: S603 - this interpreter and this module
            command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(count)
    ]
    try:
        yield
        _wait(helpers, stalled(folder))
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


def _wait(helpers: Sequence[subprocess.Popen[bytes]], stands_still: Callable[[], bool]) -> None:
    """Wait until all have ended, or none of them stores anything any more."""
    while any(helper.poll() is None for helper in helpers) and not stands_still():
        time.sleep(0.05)


def _work_off(missing: Sequence[CompileJob], claims: Path) -> None:
    """Compile the kernels that nobody else has claimed."""
    for number, (path, inputs, parameters) in enumerate(missing):
        try:
            (claims / str(number)).touch(exist_ok=False)
        except FileExistsError:
            continue
        load_kernel(path).compile(tuple(inputs), tuple(parameters))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    _work_off(json.loads((folder / "jobs.json").read_text("utf-8")), folder)
