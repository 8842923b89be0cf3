"""Where chunks run: parse the ``cluster`` argument.

======================  =======================================================================
``none``                this process, without Dask and without Prefect task runs
``threads[:N]``         a Dask cluster inside this process (kernels release the GIL)
``processes[:N]``       N worker processes of one thread on this machine
``tcp://``, ``tls://``  a running scheduler
a YAML or JSON file     keywords of prefect_dask.DaskTaskRunner, as they are
======================  =======================================================================
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidemill.errors import ArgumentError, ClusterError, shorten
from tidemill.model.documents import parse_json, parse_yaml, read_document
from tidemill.orchestration.certificates import shake_hands

__all__ = [
    "LOOPBACK",
    "ClusterSpec",
    "check_scheduler",
    "not_started",
    "parse_cluster",
    "unreachable",
]

#: A scheduler that was named by its address has this long to answer.
CONNECT_SECONDS = 15.0

#: Where local clusters and their dashboards listen: at any port.
LOOPBACK = "127.0.0.1:0"
_KEYWORDS = frozenset(
    {
        "address",
        "cluster_class",
        "cluster_kwargs",
        "adapt_kwargs",
        "client_kwargs",
        "performance_report_path",
    }
)
_REMEDY = (
    "use none, threads[:N], processes[:N], tcp://host:port, tls://host:port "
    "or the path of a cluster file"
)


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """A parsed ``cluster`` argument."""

    text: str  # as given
    kind: str  # "none", "threads", "processes", "address" or "file"
    size: int | None = None  # threads or processes; None: one per core
    keywords: Mapping[str, Any] = field(default_factory=dict)  # for DaskTaskRunner

    @property
    def address(self) -> str | None:
        """The scheduler's address where one was named."""
        return self.keywords.get("address")


def parse_cluster(cluster: str | os.PathLike[str]) -> ClusterSpec:
    """Read a ``cluster`` argument.

    Raises
    ------
    ArgumentError
        If it is none of the forms in the module's table.

    Examples
    --------
    >>> parse_cluster("threads:4").size
    4
    >>> parse_cluster("tcp://127.0.0.1:8786").address
    'tcp://127.0.0.1:8786'
    """
    text = os.fspath(cluster)
    if text == "none":
        return ClusterSpec(text, "none")
    if match := re.fullmatch(r"(threads|processes)(?::(\d+))?", text):
        size = int(match[2]) if match[2] else None
        if size == 0:
            raise ArgumentError(f"cluster={text!r}: at least one is needed; {_REMEDY}")
        return ClusterSpec(text, match[1], size, _local_keywords(match[1], size))
    if re.fullmatch(r"(tcp|tls)://[^/]+:\d+", text):
        keywords = {"address": text, "client_kwargs": {"timeout": CONNECT_SECONDS}}
        return ClusterSpec(text, "address", keywords=keywords)
    if Path(text).suffix in {".yaml", ".yml", ".json"}:
        return ClusterSpec(text, "file", keywords=_read_file(Path(text).expanduser()))
    raise ArgumentError(f"cluster={text!r} is not known; {_REMEDY}")


_in_use: ContextVar[ClusterSpec | None] = ContextVar("tidemill_cluster", default=None)


@contextmanager
def using(spec: ClusterSpec) -> Iterator[None]:
    """Let :func:`cluster_in_use` find ``spec`` in this context."""
    token = _in_use.set(spec)
    try:
        yield
    finally:
        _in_use.reset(token)


def cluster_in_use(text: str) -> ClusterSpec:
    """The cluster that this context uses, if ``text`` means that one; else it is parsed.

    Examples
    --------
    >>> with using(parse_cluster("threads:2")):
    ...     cluster_in_use("threads:2").size
    2
    """
    spec = _in_use.get()
    return spec if spec is not None and spec.text == text else parse_cluster(text)


def _local_keywords(kind: str, size: int | None) -> dict[str, Any]:
    n = size or os.cpu_count() or 1
    # Both dashboards would listen on all interfaces by default.
    shared = {"dashboard_address": LOOPBACK, "worker_dashboard_address": LOOPBACK}
    shape: dict[str, Any]
    if kind == "threads":
        # No memory limit: a worker inside this process would pause itself for what others hold.
        shape = {"processes": False, "n_workers": 1, "threads_per_worker": n, "memory_limit": 0}
        # If Dask's configuration requires encryption, it would open a port, and want certificates.
        shape["protocol"] = "inproc"
    else:
        host = LOOPBACK.partition(":")[0]
        shape = {"processes": True, "n_workers": n, "threads_per_worker": 1, "host": host}
        # Without certificates every user of this machine could run code by the scheduler's port.
        shape["security"] = True
    return {"cluster_class": "distributed.LocalCluster", "cluster_kwargs": {**shared, **shape}}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = read_document(path)
    except OSError as error:
        reason = error.strerror or error
        raise ArgumentError(f"cluster={str(path)!r} cannot be read: {reason}") from error
    try:
        raw = parse_json(text) if path.suffix == ".json" else parse_yaml(text)
    except ValueError as error:
        raise ArgumentError(f"cluster={str(path)!r} does not parse: {error}") from error
    if not isinstance(raw, dict):
        raise ArgumentError(f"cluster={str(path)!r} holds no keywords; allowed: {_allowed()}")
    if unknown := sorted(map(str, set(raw) - _KEYWORDS)):
        message = f"cluster={str(path)!r} has unknown keywords {shorten(unknown)}"
        raise ArgumentError(f"{message}; allowed: {_allowed()}")
    for name in sorted(raw):
        if name.endswith("_kwargs") and not isinstance(raw[name], dict):
            raise ArgumentError(f"cluster={str(path)!r}: {name} holds no keywords: {raw[name]!r}")
    return raw


def _allowed() -> str:
    return ", ".join(sorted(_KEYWORDS))


def check_scheduler(spec: ClusterSpec, seconds: float = CONNECT_SECONDS) -> None:
    """Fail at once if no scheduler answers at an address; Dask's client would keep trying.

    Parameters
    ----------
    spec : the cluster; one without an address is not checked
    seconds : for the answer

    Raises
    ------
    ClusterError
        If no connection can be made, or none that both sides trust.
    """
    if spec.address is None or not spec.address.startswith(("tcp://", "tls://")):
        return
    scheme, _, place = spec.address.partition("://")
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), seconds) as connection:
            if scheme == "tls":
                shake_hands(spec.text, spec.keywords, connection)
            elif not connection.recv(1):  # a scheduler speaks first
                raise ConnectionResetError("it closed the connection")
    except TimeoutError as error:
        silent = TimeoutError("no answer; with certificates its address begins with tls://")
        raise unreachable(spec, silent if scheme == "tcp" else error) from error
    except (OSError, ValueError) as error:
        raise unreachable(spec, error) from error


def unreachable(spec: ClusterSpec, error: BaseException) -> ClusterError:
    """The error for a scheduler that does not answer."""
    return ClusterError(
        f"cluster={spec.text!r}: the scheduler cannot be reached ({error}); "
        "check the address and that `dask scheduler` runs there"
    )


def not_started(spec: ClusterSpec, error: BaseException) -> ClusterError:
    """The error for a cluster that could not be started, with what is at the bottom of it."""
    while error.__cause__ is not None:
        error = error.__cause__
    return ClusterError(
        f"cluster={spec.text!r} did not start ({type(error).__name__}: {error}); "
        "check its cluster_class and cluster_kwargs, and what is logged above"
    )
