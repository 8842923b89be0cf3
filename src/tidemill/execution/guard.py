"""A guard process beside a run: it ends the run, and what that started, when nothing else does.

The ways in which a run stops by itself need an interpreter that runs, a main thread that comes
back, workers and servers that answer. The guard needs none of them; what it does is told in
:mod:`tidemill.execution.guard_process`. It is started with the first run of a process and ends with
the process. There is none in an interactive interpreter or a notebook, where Ctrl-C ends a
calculation and not the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tidemill.calculators.jit import own_folders
from tidemill.execution import guard_process
from tidemill.execution.at_exit import call_before_threads_end

__all__ = [
    "at_forced_end",
    "guarded",
    "hand_over_mark",
    "register_folder",
    "register_process",
    "sign_of_life",
    "take_back_mark",
]

_STOPS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
#: Seconds that last actions get when the process must end.
_LAST_SECONDS = 0.5
_SEND_SECONDS = 1.0

_lock = threading.RLock()
_last_actions: list[Callable[[], None]] = []


@dataclass(slots=True)
class _Guard:
    """The guard of this process, and how many runs are open."""

    line: socket.socket
    runs: int = 0
    is_gone: bool = False

    def tell(self, **message: Any) -> None:
        """Send a message; a guard that is gone, or does not read, is no reason to fail."""
        data = json.dumps(message).encode()
        give_up = time.monotonic() + _SEND_SECONDS
        while time.monotonic() < give_up:
            try:
                self.line.send(data)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                self.is_gone = True
                return
            else:
                return

    def hear_signals(self) -> None:
        """Let the C part of Python tell the guard of signals, unless somebody else listens."""
        if threading.current_thread() is not threading.main_thread():
            return
        mine = self.line.fileno()
        before = signal.set_wakeup_fd(mine, warn_on_full_buffer=False)
        if before not in (-1, mine):
            signal.set_wakeup_fd(before)
        else:
            self.tell(signals=[int(one) for one in _STOPS if _asks_to_stop(one)])


_guard: _Guard | None = None


@contextlib.contextmanager
def guarded(stop_seconds: float = guard_process.SOFT_SECONDS) -> Iterator[None]:
    """Guard what is done in the block; blocks may be nested, and overlap in several threads.

    Parameters
    ----------
    stop_seconds : from a signal until the process is ended by force; those of the outermost block
    """
    guard = _open(stop_seconds)
    how = "ended"
    try:
        yield
    except BaseException as error:
        how = "ended" if isinstance(error, Exception) else "stopped"
        raise
    finally:
        if guard is not None:
            _close(guard, how)


def register_process(pid: int) -> None:
    """Name a process that shall end with this one, even if this one is killed."""
    with _lock:
        if _guard is not None:
            _guard.tell(processes=[pid])


def register_folder(parent: str) -> None:
    """Name a folder in which this process keeps temporary folders of its own."""
    with _lock:
        if _guard is not None:
            _guard.tell(folders=[parent])


def sign_of_life(limit: float | None, reason: str = "") -> None:
    """Tell the guard that Python runs in this process.

    Parameters
    ----------
    limit : seconds; if no other sign comes within them, the process is killed. None: never
    reason : what then lasts too long, for people, as "series 7 of part 3 keeps the interpreter"
    """
    guard = _guard
    if guard is not None and guard.runs:
        guard.tell(limit=limit, reason=reason)


def hand_over_mark(path: str, values: dict[str, Any]) -> None:
    """Let the mark of a part be renewed while Python does not run in this process.

    Parameters
    ----------
    path : tells marks apart
    values : JSON values for :mod:`tidemill.execution.mark_renewal`
    """
    guard = _guard
    if guard is not None and guard.runs:
        guard.tell(mark=path, values=values, search_path=os.pathsep.join(sys.path))


def take_back_mark(path: str) -> None:
    """The part is not in work any more."""
    guard = _guard
    if guard is not None and guard.runs:
        guard.tell(unmark=path)


def at_forced_end(action: Callable[[], None]) -> None:
    """Call ``action`` when the process is ended by force and Python still runs; be quick."""
    _last_actions.append(action)


def _open(stop_seconds: float) -> _Guard | None:
    """The guard, with one run more; None if there is none in this process."""
    global _guard  # noqa: PLW0603  one for each process
    with _lock:
        if _guard is not None and _guard.runs == 0:
            _guard.tell(**_beginning(stop_seconds))  # shows whether it is still there
        if _guard is None or _guard.is_gone:
            _guard = _start(stop_seconds) if _has_guard() else None
        if _guard is None:
            return None
        _guard.runs += 1
        _guard.hear_signals()
        return _guard


def _close(guard: _Guard, how: str) -> None:
    with _lock:
        guard.runs -= 1
        if guard.runs == 0 and not (how == "stopped" and _ends_with_run()):
            guard.tell(run=how)


def _has_guard() -> bool:
    """Whether this is a program that runs by itself, on a system that has what a guard needs."""
    interactive = hasattr(sys, "ps1") or sys.flags.interactive or "ipykernel" in sys.modules
    return os.name == "posix" and bool(sys.executable) and not interactive


def _ends_with_run() -> bool:
    """Whether the process has nothing else to do after a run that was stopped."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return str(getattr(spec, "name", "")).startswith("prefect.")  # started by a Prefect worker


def _ticks() -> int:
    """The time in ticks since the system's start, as the process table has it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0 if clock is None else int(time.clock_gettime(clock) * os.sysconf("SC_CLK_TCK"))


def _beginning(stop_seconds: float) -> dict[str, Any]:
    return {"run": "begins", "ticks": _ticks(), "soft": stop_seconds}


def _start(stop_seconds: float) -> _Guard | None:
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    mine, its = socket.socketpair(socket.AF_UNIX, kind)
    mine.settimeout(0.0)
    here = [str(its.fileno()), str(os.getpid()), str(own_folders.__file__)]
    with its:
        try:
            process = subprocess.Popen(  # noqa: S603  this interpreter and our own file
                [sys.executable, "-I", "-S", str(guard_process.__file__), *here],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                cwd="/",
                start_new_session=True,  # the terminal's Ctrl-C is not for it
            )
        except OSError:  # no more processes: better a run without a guard than none
            mine.close()
            return None
    process.returncode = 0  # it outlives this process: nobody waits for it
    guard = _Guard(mine)
    guard.tell(folders=[tempfile.gettempdir()], **_beginning(stop_seconds))
    threading.Thread(target=_obey, args=(guard,), daemon=True, name="tidemill-guard").start()
    return guard


def _asks_to_stop(number: signal.Signals) -> bool:
    """Whether the signal ends the process, and is not used by the program for something else."""
    handler = signal.getsignal(number)
    ours = str(getattr(handler, "__module__", "")).startswith(("tidemill.", "prefect."))
    return handler in (signal.SIG_DFL, signal.default_int_handler) or ours


def _obey(guard: _Guard) -> None:
    """Wait for the guard's word that this process must end; then end it."""
    while True:
        try:
            select.select([guard.line], [], [])
            word = guard.line.recv(16)
        except BlockingIOError:
            continue
        except (OSError, ValueError):
            return
        if not word:
            return
        _end_by_force(int(word))


def _end_by_force(number: int) -> None:
    threads = [threading.Thread(target=action, daemon=True) for action in _last_actions]
    for one in threads:
        one.start()
    give_up = time.monotonic() + _LAST_SECONDS
    for one in threads:
        one.join(max(0.0, give_up - time.monotonic()))
    with contextlib.suppress(OSError):
        os.write(2, f"\n{guard_process.STOPPED}\n".encode())
    os._exit(128 + number)


def _say_exit() -> None:
    if _guard is not None:
        _guard.tell(run="exit")


def _leave_to_parent() -> None:
    """In a forked child: its signals, and its end, are not those of the run."""
    global _guard  # noqa: PLW0603
    if _guard is not None:
        signal.set_wakeup_fd(-1)
        _guard.line.close()
        _guard = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
call_before_threads_end(_say_exit)
