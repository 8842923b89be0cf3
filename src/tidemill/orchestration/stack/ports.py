"""Ports of this machine: whether one is free, and who listens on it."""

from __future__ import annotations

import errno
import socket

import psutil

from tidemill.errors import printable

__all__ = ["free_port", "is_loopback", "is_taken", "listener", "url_host"]

LOOPBACK = "127.0.0.1"
#: Addresses that stand for all of a machine, and the one by which it reaches itself.
_ALL = {"0.0.0.0": LOOPBACK, "": LOOPBACK, "::": "::1"}  # noqa: S104  nothing is bound here


def url_host(host: str) -> str:
    """The host in a URL by which this machine reaches a server that listens on ``host``.

    Examples
    --------
    >>> url_host("127.0.0.1"), url_host("0.0.0.0"), url_host("::")
    ('127.0.0.1', '127.0.0.1', '[::1]')
    """
    reached = _ALL.get(host, host)
    return f"[{reached}]" if ":" in reached else reached


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there.

    Examples
    --------
    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    return host in {"localhost", "::1"} or host.startswith("127.")


def is_taken(host: str, port: int) -> bool:
    """Whether another program listens there.

    Raises
    ------
    OSError
        If nobody can: the address is not one of this machine, or the port is reserved.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            tried.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
    return False


def free_port(preferred: int) -> int:
    """``preferred`` on loopback if it is free, or else any port that is."""
    if not is_taken(LOOPBACK, preferred):
        return preferred
    with socket.create_server((LOOPBACK, 0)) as free:
        return int(free.getsockname()[1])


def listener(port: int) -> str:
    """Who listens on a port, for people."""
    try:
        found = psutil.net_connections(kind="tcp")
    except psutil.Error:  # where only root may look
        found = []
    pids = {
        one.pid
        for one in found
        if one.laddr and one.laddr.port == port and one.status == psutil.CONN_LISTEN
    }
    named = [_named(pid) for pid in sorted(pid for pid in pids if pid)]
    return " and ".join(named) or "a process of another user"


def _named(pid: int) -> str:
    try:
        command = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        command = "?"
    return f"process {pid} ({printable(command, 120)})"
