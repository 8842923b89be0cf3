"""The guard of a run: a small process beside it that ends what the run cannot end itself.

It is started by :mod:`tidemill.execution.guard` as a script of the standard library alone, in a
session of its own, and hears from the process of the run by a socket. A message of one byte is a
signal: the C part of Python writes it, also while the interpreter's lock is held. The others are
JSON. What the guard does:

* A signal that asks to stop has no effect within its limit: it says so to the run's process, which
  ends itself, and kills it if not even that works.
* The run's process is gone: it kills what the run had started, and removes its temporary folders.
* The run's process sends no sign of life within the limit that came with the last one: it kills it.
  Before that, another process tells those who wait for its parts that it runs
  (:mod:`tidemill.execution.mark_renewal`).

A stopped machine or process is no reason to kill: silence counts only while the guard itself runs,
and the process is not stopped.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess  # at run time only where it is needed: it would slow down every start

#: Seconds from the signal until the run's process is told to end itself at once, unless it asks for
#: others.
SOFT_SECONDS = 11.0
#: Seconds that it has for that, before it is killed.
HARD_SECONDS = 1.0
#: Seconds that all else gets after a second Ctrl-C.
SECOND_SECONDS = 0.3
#: Signals within this time are one: a terminal and a parent may both send it.
SAME_SECONDS = 0.3
#: How often the guard looks; longer gaps mean that it did not run itself.
LOOK_SECONDS = 0.25
#: The same while there is no run.
IDLE_SECONDS = 5.0
#: The processes of the machine are listed for at most this share of the time.
LISTING_SHARE = 0.005
KILL_SECONDS = 10.0
#: Seconds of silence that people are told of, if the limit is longer.
TOLD_SECONDS = 60.0
#: Seconds of silence after which another process renews the marks of the parts in work, and the
#: seconds between two renewals.
RENEWED_AFTER, RENEW_SECONDS = 10.0, 5.0
STOPPED = "stopped by force; what was finished is kept, the same command goes on from there"
#: Part of the command of a process that ends with those that use it.
TRACKER = b"multiprocessing.resource_tracker"


@dataclass(frozen=True)
class ProcessEntry:
    """A line of the process table."""

    parent: int
    started: int  # ticks since the system's start; tells processes with the same pid apart
    state: str  # one letter


def process_table() -> dict[int, ProcessEntry]:
    """All processes; empty on a system without ``/proc``."""
    found = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH112, PTH208
        if name.isdigit():
            with contextlib.suppress(OSError):
                found[int(name)] = read_entry(int(name))
    return found


def read_entry(pid: int) -> ProcessEntry:
    """One line of the process table; ``OSError`` if there is no such process."""
    with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  quick: called for each process
        values = file.read().rpartition(b")")[2].split()
    return ProcessEntry(int(values[1]), int(values[19]), values[0].decode())


def descendants(table: dict[int, ProcessEntry], roots: set[int], since: int) -> set[int]:
    """Processes below the roots that started after ``since``, and not below older ones."""
    children: dict[int, list[int]] = {}
    for pid, entry in table.items():
        if entry.started > since:
            children.setdefault(entry.parent, []).append(pid)
    found: set[int] = set()
    waiting = [pid for root in roots for pid in children.get(root, ())]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return found


def is_tracker(pid: int) -> bool:
    """Whether it is the process in which Python keeps account of shared memory."""
    try:
        return TRACKER in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@dataclass
class Watched:
    """The process of the run, as its guard knows it."""

    pid: int
    line: socket.socket
    #: What the run started, and what lives below that: pid -> start.
    owned: dict[int, int] = field(default_factory=dict)
    #: What ends with the process even if no run is going on.
    registered: dict[int, int] = field(default_factory=dict)
    began: int = 0  # ticks since the system's start; what is older is not of the run
    folders: set[str] = field(default_factory=set)  # where to sweep
    numbers: frozenset[int] = frozenset()  # of signals that ask to stop
    is_open: bool = False  # a run is going on, or is being stopped
    first_signal: float | None = None
    last_signal: float = 0.0
    number: int = 0  # of the last signal
    soft: float = SOFT_SECONDS
    told_at: float | None = None
    silence: float = 0.0
    limit: float | None = None  # seconds of silence
    reason: str = ""
    is_silence_told: bool = False
    last_look: float = 0.0
    next_listing: float = 0.0
    #: The mark of each part in work, as :mod:`tidemill.execution.mark_renewal` takes it.
    marks: dict[str, dict[str, Any]] = field(default_factory=dict)
    search_path: str = ""  # of modules, in the run's process
    renewal: subprocess.Popen[bytes] | None = None
    next_renewal: float = 0.0


def take(run: Watched, message: bytes, now: float) -> None:
    """Act on a message."""
    if len(message) == 1:
        take_signal(run, message[0], now)
        return
    said: dict[str, Any] = json.loads(message)
    run.folders |= set(said.get("folders", ()))
    run.numbers = frozenset(said.get("signals", run.numbers))
    for pid in said.get("processes", ()):
        with contextlib.suppress(OSError):
            run.registered[pid] = read_entry(pid).started
    if "mark" in said:
        run.marks[said["mark"]] = said["values"]
        run.search_path = said["search_path"]
    run.marks.pop(said.get("unmark", ""), None)
    if "limit" in said:
        run.limit, run.reason, run.silence = said["limit"], said["reason"], 0.0
        run.is_silence_told = False
    match said.get("run"):
        case "begins":
            forget(run)
            run.began, run.is_open = said["ticks"], True
            run.soft = said.get("soft", SOFT_SECONDS)
        case "ended":
            forget(run)
        case "stopped":
            run.limit, run.is_open = None, False
        case "exit":
            take_exit(run, now)


def forget(run: Watched) -> None:
    """A run has ended by itself: nothing is left to be done for it."""
    run.is_open, run.first_signal, run.told_at, run.limit = False, None, None, None
    run.owned.clear()
    run.marks.clear()


def take_signal(run: Watched, number: int, now: float) -> None:
    """Count down from the first signal; a second Ctrl-C cuts that short."""
    if number not in run.numbers or not run.is_open:
        return
    again = now - run.last_signal > SAME_SECONDS
    run.last_signal, run.number = now, number
    if run.first_signal is None:
        run.first_signal = now
    elif again and number == signal.SIGINT:
        run.first_signal = min(run.first_signal, now - run.soft + SECOND_SECONDS)


def take_exit(run: Watched, now: float) -> None:
    """The interpreter ends; after a signal that may not take long either."""
    if run.first_signal is None:
        return
    went_on = not run.is_open and now - run.first_signal > run.soft
    latest = now - run.soft + SOFT_SECONDS / 2
    run.first_signal = latest if went_on else min(run.first_signal, latest)
    run.is_open = True


def look(run: Watched, now: float) -> None:
    """Remember what lives below the run, unless listing takes too much of the machine's time."""
    if now < run.next_listing:
        return
    table = process_table()
    roots = {run.pid, *run.owned} if run.is_open else set(run.owned)
    below = descendants(table, roots, run.began) - {os.getpid(), run.pid}
    for pid in below - run.owned.keys():
        run.owned[pid] = table[pid].started
    run.owned = {pid: started for pid, started in run.owned.items() if is_same(table, pid, started)}
    run.next_listing = now + max(LOOK_SECONDS, (time.monotonic() - now) / LISTING_SHARE)


def is_same(table: dict[int, ProcessEntry], pid: int, started: int) -> bool:
    """Whether the process is still the one that started then, and alive."""
    entry = table.get(pid)
    return entry is not None and entry.started == started and entry.state not in "ZX"


def count_silence(run: Watched, seconds: float) -> None:
    """Add to the silence, but not while the process is stopped, or this one did not run."""
    with contextlib.suppress(OSError):
        if read_entry(run.pid).state in "Tt":
            return
    run.silence += min(seconds, 2 * LOOK_SECONDS)


def is_overdue(run: Watched, now: float) -> bool:
    """Whether the run's process must be killed; tells it before that to end itself."""
    if run.limit is not None and run.silence > run.limit:
        lasts = f"{run.reason} for more than {run.limit:.0f} s"
        say(f"{lasts}; the process is ended, run again and it goes on")
        return True
    if run.limit is not None and run.silence > TOLD_SECONDS and not run.is_silence_told:
        run.is_silence_told = True
        say(f"{run.reason} for {run.silence:.0f} s; after {run.limit:.0f} s its process is ended")
    if run.first_signal is None or not run.is_open:
        return False
    if run.told_at is None and now - run.first_signal > run.soft:
        run.told_at = now
        with contextlib.suppress(OSError):
            run.line.send(str(run.number).encode(), socket.MSG_DONTWAIT)
    if run.told_at is not None and now - run.told_at > HARD_SECONDS:
        say(STOPPED)
        return True
    return False


def renew_marks(run: Watched, now: float) -> None:
    """Let the marks of the parts in work be renewed while the process runs and is silent."""
    if run.limit is None or run.silence < RENEWED_AFTER or not run.marks:
        end_renewal(run)
        return
    if now <= run.next_renewal or not runs(run.pid):
        return
    run.next_renewal = now + RENEW_SECONDS
    if run.renewal is not None and run.renewal.poll() is not None:  # it has failed
        end_renewal(run)
    run.renewal = run.renewal or start_renewal(run)
    if run.renewal is not None:
        with contextlib.suppress(OSError):
            os.write(run.renewal.stdin.fileno(), b"\n")  # type: ignore[union-attr]


def runs(pid: int) -> bool:
    """Whether a process is neither stopped, nor waits for a disk, nor is gone."""
    with contextlib.suppress(OSError):
        return read_entry(pid).state not in "TtDZX"
    return False


def start_renewal(run: Watched) -> subprocess.Popen[bytes] | None:
    """Start the process that renews marks; a line on its standard input is one renewal."""
    import subprocess

    command = [sys.executable, "-P", "-m", "tidemill.execution.mark_renewal"]
    environment = {**os.environ, "PYTHONPATH": run.search_path}
    try:
        process = subprocess.Popen(  # noqa: S603  this interpreter and our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        os.write(process.stdin.fileno(), json.dumps([*run.marks.values()]).encode() + b"\n")
    except OSError:  # it must not keep the guard from its work
        return None
    return process


def end_renewal(run: Watched) -> None:
    """The process of the run gave a sign of life, or has no part in work."""
    process, run.renewal = run.renewal, None
    if process is not None:
        process.kill()
        process.wait()
        process.stdin.close()  # type: ignore[union-attr]


def say(text: str) -> None:
    """A line on standard error, which may be gone."""
    with contextlib.suppress(OSError):
        os.write(2, f"tidemill: {text}\n".encode())


def watch(run: Watched) -> None:
    """Until the run's process is gone."""
    run.last_look = time.monotonic()
    while os.getppid() == run.pid:
        if select.select([run.line], [], [], LOOK_SECONDS if run.is_open else IDLE_SECONDS)[0]:
            message = receive(run.line)
            if not message:
                break
            take(run, message, time.monotonic())
        now = time.monotonic()
        count_silence(run, now - run.last_look)
        run.last_look = now
        if run.is_open:
            look(run, now)
        renew_marks(run, now)
        if is_overdue(run, now):
            run.next_listing = 0.0
            look(run, now)  # once it is gone, its children are another's
            kill(run.pid)
            break
    end_renewal(run)
    hear_the_rest(run)
    end_all(run)


def receive(line: socket.socket, flags: int = 0) -> bytes:
    """The next message; empty at the end, which may be the end of a process that was killed."""
    try:
        return line.recv(65536, flags)
    except OSError:
        return b""


def hear_the_rest(run: Watched) -> None:
    """Take what the run's process still said before its end."""
    while message := receive(run.line, socket.MSG_DONTWAIT):
        take(run, message, time.monotonic())


def kill(pid: int) -> None:
    """Kill a process, if it is there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def end_all(run: Watched) -> None:
    """Kill what the run had started, and what that starts meanwhile; sweep its folders."""
    run.owned |= run.registered
    give_up = time.monotonic() + KILL_SECONDS
    while time.monotonic() < give_up:
        run.next_listing = 0.0
        look(run, time.monotonic())
        left = [pid for pid in run.owned if not is_tracker(pid)]
        if not left:
            break
        for pid in left:
            kill(pid)
        time.sleep(0.02)
    sweep = runpy.run_path(sys.argv[3])["sweep"]
    for folder in run.folders:
        sweep(folder)


def main() -> None:
    """Watch the process ``argv[2]`` by the socket ``argv[1]``; ``argv[3]`` holds ``sweep``."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    line = socket.socket(fileno=int(sys.argv[1]))
    watch(Watched(int(sys.argv[2]), line))


if __name__ == "__main__":
    main()
