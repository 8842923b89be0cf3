"""Prefect's side of a run: one server, a cluster of our own, and the steps on it."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import Any, Self
from uuid import UUID

import dask
import distributed
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelled, State
from prefect.task_runners import TaskRunner
from prefect_dask import DaskTaskRunner

from tidemill.errors import ClusterError, ServerError
from tidemill.execution.chunk import announce_kernels, load_plan
from tidemill.execution.job import PartsWatch, stop_workers
from tidemill.execution.memory import check_memory
from tidemill.model.progress import Progress, emit
from tidemill.model.versions import versions
from tidemill.orchestration.cluster import (
    NO_WORKER_SECONDS,
    ClusterSpec,
    check_scheduler,
    count_threads,
    fit_workers,
    parse_cluster,
    unreachable,
    wait_for_workers,
)
from tidemill.orchestration.dispatch import OTHER_TASK_RUNS, run_chunks
from tidemill.orchestration.preflight import WorkerCheck
from tidemill.storage.processes import Process
from tidemill.storage.run_address import Run

__all__ = [
    "Steps",
    "api_url",
    "cancel_interrupted",
    "current_client",
    "engine_logs",
    "one_api",
    "shared_cluster",
    "start_server",
    "task_runner",
]

log = logging.getLogger(__name__)


class _EngineLogHandler(APILogHandler):
    """Sends the engine's log lines to the run they belong to, and drops those outside of one."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's own name
        """Never let a log line fail the work."""


@contextmanager
def engine_logs() -> Iterator[None]:
    """Send the engine's log lines to the log of the current run, in whatever process this is."""
    engine = logging.getLogger("tidemill")
    if not any(isinstance(handler, _EngineLogHandler) for handler in engine.handlers):
        engine.addHandler(_EngineLogHandler(logging.INFO))
        if engine.getEffectiveLevel() > logging.INFO:
            engine.setLevel(logging.INFO)
    yield


def cancel_interrupted(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  Prefect's names
    """A hook: a run that somebody stopped is cancelled, where Prefect calls it crashed.

    It does so after Ctrl-C, and if the worker's signal is there before its word that the run is
    cancelled. After Ctrl-C a run of a deployment stays crashed: its worker was stopped, and
    another may go on with it.
    """
    by_hand = isinstance(sys.exc_info()[1], KeyboardInterrupt) and flow_run.deployment_id is None
    with get_client(sync_client=True) as client:
        if by_hand or _was_cancelling(client, flow_run.id):
            cancelled: State[Any] = Cancelled(message="stopped on request")
            client.set_flow_run_state(flow_run.id, cancelled, force=True)


def _was_cancelling(client: SyncPrefectClient, run: UUID) -> bool:
    """Whether somebody asked the server to cancel this attempt, or the run that it belongs to."""
    outer = FlowRunContext.get()
    for one in {run, outer.flow_run.id if outer and outer.flow_run else run}:
        states = sorted(client.read_flow_run_states(one), key=lambda state: state.timestamp)
        if any(state.is_cancelling() for state in states[-2:]):
            return True
    return False


def api_url() -> str:
    """URL of the Prefect API that this run talks to, also of an embedded server."""
    with get_client(sync_client=True) as client:
        return str(client.api_url).rstrip("/")


def start_server() -> None:
    """Start Prefect's embedded server, unless another is configured, deaf to Ctrl-C.

    A terminal tells the whole group, and a flow that is stopped waits a minute for a server that
    is gone. A child keeps the signals blocked that its parent had blocked; at the end it is told
    by another one.

    Raises
    ------
    ServerError
        If one is configured that does not answer.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with get_client(sync_client=True) as client:
            fault = client.api_healthcheck()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if fault:
        raise ServerError.unreachable(PREFECT_API_URL.value() or "", fault)


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
    with temporary_settings({PREFECT_API_URL: url}), scratch:
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
        assert isinstance(runner, DaskTaskRunner)
        client = runner.client
        assert client.scheduler is not None
        # This client is the default of the process: by it the runs' task runners find the cluster.
        yield replace(spec, keywords={"address": client.scheduler.address})


@contextmanager
def _own_scratch() -> Iterator[None]:
    """A folder for Dask that goes with the run; it would leave one behind for good."""
    option = "temporary-directory"
    with (
        TemporaryDirectory(
            prefix="tidemill-dask-", dir=dask.config.get(option), ignore_cleanup_errors=True
        ) as folder,
        dask.config.set({option: folder}),
    ):
        yield


def task_runner(spec: ClusterSpec, url: str) -> DaskTaskRunner:
    """A ``DaskTaskRunner`` for a parsed ``cluster`` argument."""
    _refuse_ambient_client(spec)
    logging.getLogger("distributed").setLevel(logging.WARNING)
    keywords: dict[str, Any] = dict(spec.keywords)
    if spec.kind == "processes" and "cluster_kwargs" in keywords:
        environment = {"PREFECT_API_URL": url, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        keywords["cluster_kwargs"] = {**keywords["cluster_kwargs"], "env": environment}
    return DaskTaskRunner(**keywords)


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


def current_client(spec: ClusterSpec) -> distributed.Client:
    """The Dask client of the running flow.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached, or is not the one that was asked for.
    """
    context = FlowRunContext.get()
    assert context is not None, "current_client is for use within a flow"
    runner = context.task_runner
    assert isinstance(runner, DaskTaskRunner)
    try:
        client = runner.client
    except (OSError, TimeoutError) as error:
        raise unreachable(spec, error) from error
    assert client.scheduler is not None
    if spec.address is not None and client.scheduler.address != spec.address:
        raise ClusterError(
            f"connected to {client.scheduler.address}, but cluster={spec.text!r} was asked for"
        )
    return client


def _check_hosts(
    client: distributed.Client, run: Run, reports: Mapping[str, Mapping[str, Any]]
) -> None:
    """Workers that share a host share its memory: one of each host looks at that for all."""
    plan = load_plan(run)
    threads: Counter[str] = Counter()
    first: dict[str, str] = {}
    for address, report in reports.items():
        threads[report["host"]] += report["threads"]
        first.setdefault(report["host"], address)
    checks = [
        client.submit(check_memory, plan, threads[host], workers=[address], pure=False)
        for host, address in first.items()
    ]
    try:
        for check in checks:
            check.result(timeout=NO_WORKER_SECONDS)
    except TimeoutError as error:
        raise ClusterError(
            f"{len(checks)} hosts did not say within {NO_WORKER_SECONDS:.0f} s how much memory is "
            "free; look at the workers there, and run again"
        ) from error


def _warn_of_mixed_processors(reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Equal bits need equal processor features; others agree to about nine digits."""
    kinds = {tuple(report["cpu_features"]) for report in reports.values()}
    if len(kinds) > 1:
        log.warning(
            "the workers' processors offer %d different sets of features: values may differ from "
            "worker to worker by about 1e-9",
            len(kinds),
        )


@dataclass(slots=True)
class Steps:
    """The steps of a run on a cluster: timed, and stopped when one fails."""

    run: Run
    spec: ClusterSpec
    client: distributed.Client
    threads: int
    seconds: dict[str, float] = field(default_factory=dict)
    task_runs: int = OTHER_TASK_RUNS  # those of chunks are added

    @classmethod
    @contextmanager
    def start(cls, run: Mapping[str, Any], cluster: str) -> Iterator[Self]:
        """Wait for workers and look them over; on an error workers are told to stop.

        Raises
        ------
        ClusterError
            If there is no worker, or one is not fit.
        """
        began = time.perf_counter()
        address, spec = Run(**run), parse_cluster(cluster)
        client = current_client(spec)
        wait_for_workers(client)
        emit(Progress("preflight and kernels"))
        if spec.kind == "threads":  # others compile elsewhere
            announce_kernels(address)
        url = None if spec.kind == "threads" else api_url()
        check = WorkerCheck(address, versions(), url, Process.current())
        with fit_workers(client, check, f"tidemill-preflight-{address.run_id}") as reports:
            steps = cls(address, spec, client, count_threads(client))
            _warn_of_mixed_processors(reports)
            _check_hosts(client, address, reports)
            log.info(
                "preflight: %d threads of %d workers are fit; they compiled %d kernels",
                steps.threads,
                len(reports),
                sum(report["kernels_compiled"] for report in reports.values()),
            )
            kernels = max((report["kernel_seconds"] for report in reports.values()), default=0.0)
            steps.seconds["preflight"] = time.perf_counter() - began - kernels
            steps.seconds["load_kernels"] = kernels
            try:
                yield steps
            except BaseException as error:
                stop_workers(address, f"ended by {type(error).__name__}")
                raise

    def time(self, step: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call one step and remember its seconds."""
        emit(Progress(step))
        began = time.perf_counter()
        result = function(*arguments)
        self.seconds[step] = time.perf_counter() - began
        return result

    def run_chunks(self, chunks: Sequence[Sequence[int]], task: Any) -> None:
        """Map ``task`` over the chunks and wait until all parts are committed."""
        watch = PartsWatch(self.run)
        run = asdict(self.run)
        self.task_runs += run_chunks(
            chunks, lambda parts: task.submit(run, parts), self.client, watch.look
        )
        watch.look(now=True)

    def facts(self) -> dict[str, Any]:
        """What the run record says of the cluster."""
        return {
            "cluster": self.spec.text,
            "threads": self.threads,
            "task_runs": self.task_runs,
            "seconds": self.seconds,
        }
