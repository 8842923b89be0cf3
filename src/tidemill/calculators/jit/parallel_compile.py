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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from tidemill.calculators.jit.cache import CACHE_VARIABLE, LOCK, cache_folder
from tidemill.calculators.jit.kernel import load_kernel, note_compiled
from tidemill.calculators.jit.own_folders import own_folder

__all__ = ["CompileJob", "fill"]

_WORTH = 8  # kernels for which a helper is started: its own start takes as long as four
_MOST_HELPERS = 3


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
    if _helpers(_missing(jobs)) == 0:
        return 0
    with FileLock(cache_folder() / LOCK):
        missing = _missing(jobs)  # another process may have done it meanwhile
        with _claims() as claims, _started(missing, claims, _helpers(missing)):
            _work_off(missing, Path(claims))
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
def _started(missing: Sequence[CompileJob], claims: str, count: int) -> Iterator[None]:
    """Helpers at work while the block runs; what one that dies has claimed is compiled later."""
    environment = {**os.environ, CACHE_VARIABLE: str(cache_folder().parent)}
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
        for helper in helpers:
            helper.wait()
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()


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
