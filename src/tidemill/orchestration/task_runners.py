"""Dask task runners for a ``cluster`` argument: with one API, and one cluster for several runs."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any

import dask
import distributed
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import TaskRunner
from prefect_dask import DaskTaskRunner

from tidemill.calculators.jit.own_folders import own_folder
from tidemill.errors import ClusterError
from tidemill.execution.guard import register_folder
from tidemill.model.logs import engine_log
from tidemill.model.shared_context import SharedContext
from tidemill.orchestration.certificates import security_of
from tidemill.orchestration.client_settings import with_settings
from tidemill.orchestration.cluster import (
    LOOPBACK,
    ClusterSpec,
    check_scheduler,
    not_started,
    unreachable,
)
from tidemill.orchestration.scheduler_calls import within
from tidemill.orchestration.server import api_url

__all__ = ["client_of", "one_api", "shared_cluster", "task_runner"]


log = engine_log(__name__)

#: Seconds for a client and a cluster to close, before its worker processes are killed.
CLOSE_SECONDS = 15.0


class BoundedTaskRunner(DaskTaskRunner):
    """A ``DaskTaskRunner`` that closes in a bounded time, whatever hangs."""

    def __exit__(self, *error: object) -> None:
        """Close client and cluster; what goes wrong then is no error of the run."""
        if self.performance_report_path:  # bound to this thread
            super().__exit__(*error)
            return
        pids = _worker_processes(self._cluster)
        try:
            within(CLOSE_SECONDS, super().__exit__, *error)
        except TimeoutError:
            log.warning("the Dask cluster did not close within %.0f s", CLOSE_SECONDS)
            for pid in pids:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        except Exception as failure:  # noqa: BLE001  such as a scheduler that is gone
            log.debug("the Dask cluster did not close properly: %s", failure)


def _worker_processes(cluster: Any) -> list[int]:
    """Those of a cluster on this machine; empty for any other."""
    workers = getattr(cluster, "workers", None)
    found = [getattr(one, "pid", None) for one in workers.values()] if workers else []
    return [pid for pid in found if isinstance(pid, int) and pid != os.getpid()]


@contextmanager
def one_api(spec: ClusterSpec) -> Iterator[TaskRunner[Any]]:
    """The task runner for ``spec``, with one API URL for this process and all workers.

    Without it every worker process would start a Prefect server of its own.

    Raises
    ------
    ClusterError
        If a Dask client that is the default of this process would be used instead.
    """
    check_scheduler(spec)
    url = api_url()
    scratch = _own_scratch() if spec.address is None else nullcontext()
    dashboard = _own_dashboard() if spec.kind == "threads" else nullcontext()
    with with_settings({PREFECT_API_URL: url}), scratch, dashboard:
        yield task_runner(spec, url)


@contextmanager
def shared_cluster(spec: ClusterSpec) -> Iterator[ClusterSpec]:
    """Start the cluster once for several runs; the specification of where it is reached.

    Parameters
    ----------
    spec : ``none`` and a scheduler's address need no start, and are what they were

    Raises
    ------
    ClusterError
        As :func:`one_api`.
    """
    check_scheduler(spec)
    if spec.kind == "none" or spec.address is not None:
        yield spec
        return
    with one_api(spec) as runner, runner:
        client = client_of(runner, spec)
        assert client.scheduler is not None
        assert isinstance(runner, DaskTaskRunner)
        # This client is the default of the process: by it the runs' task runners find the cluster.
        # Certificates made for the cluster live in memory alone, and go on from client to client.
        client_keywords = {**runner.client_kwargs, "security": client.security}
        keywords = {"address": client.scheduler.address, "client_kwargs": client_keywords}
        yield replace(spec, keywords=keywords)


def client_of(runner: TaskRunner[Any], spec: ClusterSpec) -> distributed.Client:
    """The Dask client of a task runner, which starts its cluster when it is first asked for.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached, or the cluster does not start.
    """
    assert isinstance(runner, DaskTaskRunner)
    try:
        return runner.client
    except (OSError, TimeoutError) as error:
        raise unreachable(spec, error) from error
    except Exception as error:
        raise not_started(spec, error) from error


@SharedContext
@contextmanager
def _own_scratch() -> Iterator[None]:
    """A folder for Dask that goes with the last cluster; it would leave one behind for good."""
    option = "temporary-directory"
    parent = dask.config.get(option) or tempfile.gettempdir()
    register_folder(parent)
    with own_folder("tidemill-dask-", parent) as folder, dask.config.set({option: folder}):
        yield


@SharedContext
@contextmanager
def _own_dashboard() -> Iterator[None]:
    """Let the dashboard's address be that on which it listens.

    Dask names the host of the scheduler's address, which inside one process is that of the network.
    """
    link = dask.config.get("distributed.dashboard.link")
    if link != "{scheme}://{host}:{port}/status":  # somebody's own
        yield
        return
    host = LOOPBACK.partition(":")[0]
    with dask.config.set({"distributed.dashboard.link": link.replace("{host}", host)}):
        yield


def task_runner(spec: ClusterSpec, url: str) -> DaskTaskRunner:
    """A ``DaskTaskRunner`` for a parsed ``cluster`` argument."""
    _refuse_ambient_client(spec)
    logging.getLogger("distributed").setLevel(logging.WARNING)
    keywords: dict[str, Any] = dict(spec.keywords)
    if spec.kind == "processes" and "cluster_kwargs" in keywords:
        environment = {"PREFECT_API_URL": url, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        keywords["cluster_kwargs"] = {**keywords["cluster_kwargs"], "env": environment}
    for group in ("cluster_kwargs", "client_kwargs"):  # Dask's clusters take no mapping
        if isinstance(security := keywords.get(group, {}).get("security"), Mapping):
            keywords[group] = {**keywords[group], "security": security_of(spec.text, security)}
    try:
        return BoundedTaskRunner(**keywords)
    except Exception as error:
        raise not_started(spec, error) from error


def _refuse_ambient_client(spec: ClusterSpec) -> None:
    try:
        ambient = distributed.get_client()
    except ValueError:
        return
    address = ambient.scheduler.address if ambient.scheduler else None
    if spec.address is None or address != spec.address:
        raise ClusterError(
            f"a Dask client connected to {address} is the default of this process and would be "
            f"used instead of cluster={spec.text!r}; close it, or pass its address as cluster"
        )
