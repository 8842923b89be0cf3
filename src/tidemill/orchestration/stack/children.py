"""The processes of the stack, as data: what is run, in which environment, and when it is ready."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import httpx

from tidemill.orchestration.stack.ports import LOOPBACK, url_host
from tidemill.orchestration.stack.request import StackRequest

__all__ = ["Child", "dask_workers", "scheduler", "server", "worker"]

#: Settings of Prefect that hold the database's address, and with it perhaps a password. Flows, and
#: the workers that they send their settings to, do not need it.
_DATABASE = ("PREFECT_API_DATABASE_", "PREFECT_SERVER_DATABASE_")
_URL = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
_OLD_URL = "PREFECT_API_DATABASE_CONNECTION_URL"
_UI = ("PREFECT_SERVER_UI_API_URL", "PREFECT_UI_API_URL")
_SILENT = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
#: A server that was started again lets the events of a run wait for a quarter of an hour, because
#: the one that they follow was seen by the server before. What it then counts for its automations,
#: as that a run has crashed, it would drop at once, as older than a minute.
_PATIENT = {"PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "PT20M"}
#: Seconds for one question whether a process is ready.
ASK_SECONDS = 5.0
#: Seconds between two heartbeats of a worker, whatever its settings say: it is asked for them.
HEARTBEAT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Child:
    """A process that is kept running."""

    name: str  # for people, and of its log file
    command: tuple[str, ...]
    environment: Mapping[str, str]  # the whole of it
    is_ready: Callable[[float], bool]  # since its start, or its last answer, in Unix time
    address: str = ""  # what people can do with it, once it is ready
    patience: float = 300.0  # seconds to become ready
    stop_seconds: float = 10.0  # from SIGTERM until it is killed
    starts_flows: bool = False  # each in a session of its own
    is_asked_again: bool = True  # whether it is still ready; else only whether it runs


def _python(*words: object) -> tuple[str, ...]:
    """A command of this environment; modules of the current folder do not get in its way."""
    return (sys.executable, "-P", *map(str, words))


def _environment(request: StackRequest) -> dict[str, str]:
    """The environment of all but the server."""
    given = request.environment.items()
    own = {name: text for name, text in given if not name.startswith(_DATABASE)}
    return {**own, "PREFECT_API_URL": request.api, **_SILENT}


def server(request: StackRequest) -> Child:
    """Prefect's server."""
    own = {**_PATIENT, **request.environment, **_SILENT}
    own.pop("PREFECT_API_URL", None)
    if not any(name in own for name in _UI):
        own[_UI[0]] = f"{_seen_from_outside(request)}/api"
    if request.database is not None:
        own.pop(_OLD_URL, None)
        own[_URL] = request.database
    where = ("--host", request.host, "--port", request.port)
    return Child(
        "server",
        _python("-m", "prefect", "server", "start", *where),
        own,
        lambda _since: _answers(f"{request.api}/health"),
        request.page,
    )


def _seen_from_outside(request: StackRequest) -> str:
    """The page's address for browsers: if it is on all addresses, others know it by its name."""
    is_one = url_host(request.host).strip("[]") == request.host
    return request.page if is_one else f"http://{platform.node()}:{request.port}"


def worker(request: StackRequest, pool: str, name: str) -> Child:
    """A worker of Prefect for one work pool."""
    called = f"tidemill up on {platform.node()}"
    return Child(
        name,
        _python("-m", "prefect", "worker", "start", "--pool", pool, "--name", called),
        {**_environment(request), "PREFECT_WORKER_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS)},
        partial(_polls, request.api, pool, called),
        f"takes the runs of work pool {pool!r}",
        starts_flows=True,
    )


def scheduler(request: StackRequest) -> Child:
    """A Dask scheduler on loopback."""
    port, page = request.dask_ports
    where = ("--host", LOOPBACK, "--port", port, "--dashboard-address", f"{LOOPBACK}:{page}")
    return Child(
        "scheduler",
        _python("-m", "distributed.cli.dask_scheduler", *where),
        _environment(request),
        lambda _since: _workers(page) is not None,
        request.cluster,
    )


def dask_workers(request: StackRequest) -> Child:
    """Dask workers of one thread, each of which a nanny starts again."""
    page, count = request.dask_ports[1], request.dask
    where = ("--host", LOOPBACK, "--dashboard-address", f"{LOOPBACK}:0", "--no-dashboard")
    size = ("--nworkers", count, "--nthreads", 1, "--nanny")
    return Child(
        "dask-workers",
        _python("-m", "distributed.cli.dask_worker", request.cluster, *where, *size),
        _environment(request),
        lambda _since: (_workers(page) or 0) >= count,
        f"{count} of one thread",
        is_asked_again=False,  # fewer for a while are the nannies' business
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=ASK_SECONDS).is_success
    except httpx.HTTPError:
        return False


def _workers(page: int) -> int | None:
    """Workers that a scheduler has; None: it does not answer."""
    try:
        found = httpx.get(f"http://{LOOPBACK}:{page}/json/counts.json", timeout=ASK_SECONDS)
        return int(found.raise_for_status().json()["workers"])
    except (httpx.HTTPError, ValueError, KeyError):
        return None


def _polls(api: str, pool: str, name: str, since: float) -> bool:
    """Whether a worker of that name has asked for work since its process was started."""
    from tidemill.orchestration.services import brief_client

    try:
        with brief_client(api, ASK_SECONDS) as client:
            found = client.read_workers_for_work_pool(pool)
    except (httpx.HTTPError, OSError):
        return False
    started = datetime.fromtimestamp(since, UTC)
    return any(
        one.name == name and one.last_heartbeat_time is not None
        and one.last_heartbeat_time > started
        for one in found
    )  # fmt: skip
