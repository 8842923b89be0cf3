"""Programs that tests start, watch and end: the command, Dask schedulers and workers."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from .probes import FOLDER
from .waiting import until

BIN = Path(sys.executable).parent
SECONDS_TO_START = 90.0
#: Dask's programs would open a page on all interfaces, even without a dashboard.
LOOPBACK = ("--host=127.0.0.1", "--no-dashboard", "--dashboard-address=127.0.0.1:0")
SCHEDULER = (BIN / "dask", "scheduler", "--port=0", *LOOPBACK)


@dataclass(frozen=True)
class Program:
    """A process of its own group, whose output goes to a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self.process.pid

    def done(self) -> bool:
        return self.process.poll() is not None

    def result(self) -> str:
        return f"exit code {self.process.returncode}, output:\n{self.output}"

    def wait(self, seconds: float = 120.0) -> int:
        """The exit code; fails with the output if it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds:.0f} s:\n{self.output}") from None

    def finishes(self, seconds: float = 120.0) -> None:
        """Wait for a good end."""
        assert self.wait(seconds) == 0, self.output

    def says(self, pattern: str, seconds: float = SECONDS_TO_START) -> re.Match[str]:
        """Wait for a text in the output."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.output)
            if found is None and self.done():
                raise AssertionError(self.result())
            return found

        try:
            return until(look, seconds, f"{pattern!r} in the output")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.output}") from None

    def interrupt(self) -> None:
        """Press Ctrl-C: a terminal tells the whole group."""
        os.killpg(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the process itself, and no child, as the kernel's memory killer does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def program(
    command: Sequence[str | os.PathLike[str]], environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Start a program; at the end all processes of its group and its children are killed."""
    handle, name = tempfile.mkstemp(suffix=".log")
    log = Path(name)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=handle,
            stderr=subprocess.STDOUT,
            env=child_environment(environment),
            start_new_session=True,
        )
        os.close(handle)
        try:
            yield Program(process, log)
        finally:
            end(process)
            print(f"--- {command}\n{log.read_text(errors='replace')}")  # noqa: T201 - seen if the test fails
    finally:
        log.unlink()


def child_environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment with the probing calculators on the path; an empty value takes one out."""
    path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))
    merged = {**os.environ, "PYTHONPATH": path, **(changes or {})}
    return {name: value for name, value in merged.items() if value}


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process and its session."""
    for one in session_members(process.pid):
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def session_members(session: int) -> list[psutil.Process]:
    """The live processes of a session."""
    found = []
    for one in psutil.process_iter():
        try:
            if os.getsid(one.pid) == session and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found


@contextmanager
def scheduler_program() -> Iterator[tuple[Program, str]]:
    """A ``dask scheduler`` on a free port, and its address."""
    with program(SCHEDULER) as started:
        yield started, started.says(r"Scheduler at:\s+(tcp://\S+)")[1]


@contextmanager
def scheduler() -> Iterator[str]:
    """The address of a ``dask scheduler`` on a free port."""
    with scheduler_program() as (_, address):
        yield address


@contextmanager
def worker(
    address: str,
    threads: int = 2,
    *,
    nanny: bool = True,
    environment: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    ready: str = r"Registered to:\s+tcp",
) -> Iterator[Program]:
    """A ``dask worker`` that knows of no Prefect server; ``ready`` is what it says when it is."""
    command = [
        BIN / "dask", "worker", address, f"--nthreads={threads}", *LOOPBACK,
        "--memory-limit=0", "--nanny" if nanny else "--no-nanny",
        f"--local-directory={tempfile.gettempdir()}", *options,
    ]  # fmt: skip
    with program(command, {"PREFECT_API_URL": "", **(environment or {})}) as started:
        started.says(ready)
        yield started


@contextmanager
def extraction(
    *arguments: str | os.PathLike[str], environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """The command ``tidemill extract`` with arguments."""
    with program([BIN / "tidemill", "extract", *arguments], environment) as started:
        yield started
