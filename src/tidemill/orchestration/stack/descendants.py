"""The processes below this one: found, waited for, ended."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

__all__ = ["adopt_orphans", "below", "end", "flows_of", "kill_all", "kill_trees", "reap"]

_PR_SET_CHILD_SUBREAPER = 36  # of Linux's prctl
#: Seconds for the system to end killed processes.
KILL_SECONDS = 10.0


def adopt_orphans() -> None:
    """Let processes below this one become its children when their parents die.

    So a run whose worker was killed is still found. Elsewhere than on Linux it is not.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def below() -> set[psutil.Process]:
    """All processes below this one."""
    return set(psutil.Process().children(recursive=True))


def flows_of(workers: set[int], own: set[int], others: set[psutil.Process]) -> set[int]:
    """Processes of runs: what workers started, and orphans that this process has adopted.

    ``own`` are the processes that it started itself, ``others`` those that are not its business.
    """
    found = set()
    for one in below() - others:
        with suppress(psutil.Error):
            parent = one.ppid()
            is_flow = parent in workers or (parent == os.getpid() and one.pid not in own)
            if is_flow and one.status() != psutil.STATUS_ZOMBIE:
                found.add(one.pid)
    return found


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Stop a process that leads a group; what is left of the group after the time is killed."""
    if seconds > 0.0:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(KILL_SECONDS)


def kill_trees(roots: Iterable[int]) -> None:
    """Kill processes and all that is below them."""
    for pid in roots:
        with suppress(psutil.Error):
            root = psutil.Process(pid)
            for one in (*root.children(recursive=True), root):
                with suppress(psutil.Error):
                    one.kill()


def kill_all(others: set[psutil.Process]) -> None:
    """Kill all processes below this one but ``others``, and those that they start meanwhile."""
    give_up = time.monotonic() + KILL_SECONDS
    while time.monotonic() < give_up:
        left = [one for one in below() - others if _is_alive(one)]
        if not left:
            break
        for one in left:
            with suppress(psutil.Error):
                one.kill()
        reap(())
        time.sleep(0.02)
    reap(())


def reap(own: Iterable[int]) -> None:
    """Let go of adopted processes that have ended; those of ``own`` are waited for elsewhere."""
    kept = set(own)
    look = os.WEXITED | os.WNOHANG | os.WNOWAIT
    with suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, look)) and ended.si_pid not in kept:
            os.waitpid(ended.si_pid, 0)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
