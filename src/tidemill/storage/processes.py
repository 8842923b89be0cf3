"""Processes that hold a lease or work on a part, told apart even if a pid is used again."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import psutil  # type: ignore[import-untyped, unused-ignore]

__all__ = ["Process"]


@dataclass(frozen=True, slots=True)
class Process:
    """A process on one host.

    Examples
    --------
    >>> me = Process.current()
    >>> me.is_here, me.is_alive
    (True, True)
    >>> Process(me.host, me.pid, started=0.0).is_alive
    False
    """

    host: str  # name, boot and pid namespace of the running system
    pid: int
    started: float  # seconds, by a clock of that host; tells processes with the same pid apart

    @classmethod
    def current(cls) -> Self:
        """This process."""
        return cls(_host(), os.getpid(), _started(os.getpid()))

    @property
    def host_name(self) -> str:
        """The host's name, for people."""
        return self.host.partition("/")[0]

    @property
    def is_here(self) -> bool:
        """Whether the process runs on this system, where it can be looked up."""
        return self.host == _host()

    @property
    def is_alive(self) -> bool:
        """Whether the process is running; only meaningful if :attr:`is_here`."""
        try:
            zombie = psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
            return not zombie and abs(_start_of(self.pid) - self.started) < 1.0
        except (psutil.Error, OSError):
            return False


@cache
def _host() -> str:
    """Name, boot and pid namespace: two containers with the same name are two hosts."""
    return f"{socket.gethostname()}/{_boot()}/{_namespace()}"


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:  # not Linux: the boot time, to the minute
        return f"{psutil.boot_time() // 60:.0f}"


def _namespace() -> str:
    try:
        return Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return "0"


@cache
def _started(pid: int) -> float:
    return _start_of(pid)


def _start_of(pid: int) -> float:
    """Start of a process, on Linux in seconds since boot, because wall clocks get adjusted."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except (FileNotFoundError, PermissionError):
        return float(psutil.Process(pid).create_time())
