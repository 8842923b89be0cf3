"""The steps of a run on a Dask cluster, as Prefect tasks call them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import distributed
from prefect.context import FlowRunContext

from tidemill.errors import ClusterError
from tidemill.execution.job import stop_workers
from tidemill.execution.kernels import announce_kernels
from tidemill.execution.plans import load_plan
from tidemill.execution.resources import check_memory
from tidemill.execution.steps import PartsWatch
from tidemill.model.logs import engine_log
from tidemill.model.progress import Progress, emit
from tidemill.model.versions import versions
from tidemill.orchestration.chunk_watch import ChunkWatch
from tidemill.orchestration.cluster import ClusterSpec, cluster_in_use
from tidemill.orchestration.dispatch import OTHER_TASK_RUNS, run_chunks
from tidemill.orchestration.lost_server import Teller
from tidemill.orchestration.preflight import WorkerCheck
from tidemill.orchestration.server import api_url
from tidemill.orchestration.task_runners import client_of
from tidemill.orchestration.worker_watch import NO_WORKER_SECONDS, WorkerWatch
from tidemill.orchestration.workers import count_threads, fit_workers, wait_for_workers
from tidemill.storage.markers import suspect_next
from tidemill.storage.processes import Process
from tidemill.storage.run_address import Run

__all__ = ["Steps", "current_client"]

log = engine_log(__name__)


def current_client(spec: ClusterSpec) -> distributed.Client:
    """The Dask client of the running flow.

    Raises
    ------
    ClusterError
        If the cluster does not start, the scheduler cannot be reached, or is not the one that was
        asked for.
    """
    context = FlowRunContext.get()
    assert context is not None, "current_client is for use within a flow"
    client = client_of(context.task_runner, spec)
    assert client.scheduler is not None
    if spec.address is not None and client.scheduler.address != spec.address:
        raise ClusterError(
            f"connected to {client.scheduler.address}, but cluster={spec.text!r} was asked for"
        )
    return client


def _check_hosts(
    client: distributed.Client, run: Run, reports: Mapping[str, Mapping[str, Any]]
) -> None:
    """Workers on one host share its memory: one worker of each host checks it for all."""
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
    deadline = time.monotonic() + NO_WORKER_SECONDS
    for (host, address), check in zip(first.items(), checks, strict=True):
        try:
            check.result(timeout=max(deadline - time.monotonic(), 1.0))
        except TimeoutError as error:
            raise ClusterError(
                f"worker {address} did not report the free memory of {host} within "
                f"{NO_WORKER_SECONDS:.0f} s; check it, and run again"
            ) from error


def _api_for_workers(spec: ClusterSpec) -> str | None:
    """The API that workers must reach; None if they need none, or nobody reaches it."""
    teller = Teller.current()
    if spec.kind == "threads" or not (teller is None or teller.reaches_server()):
        return None
    return api_url()


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
    watch: WorkerWatch  # of the workers
    threads: int
    seconds: dict[str, float] = field(default_factory=dict)
    task_runs: int = OTHER_TASK_RUNS  # those of chunks are added

    @classmethod
    @contextmanager
    def start(cls, run: Mapping[str, Any], cluster: str) -> Iterator[Self]:
        """Wait for workers and check them; on an error, stop the workers of the run.

        Raises
        ------
        ClusterError
            If there is no worker, or one is not fit.
        """
        began = time.perf_counter()
        address, spec = Run(**run), cluster_in_use(cluster)
        client = current_client(spec)
        wait_for_workers(client)
        emit(Progress("preflight and kernels"))
        if spec.kind in {"threads", "processes"}:  # others compile elsewhere
            announce_kernels(address)
        check = WorkerCheck(address, versions(), _api_for_workers(spec), Process.current())
        joining = replace(check, api_url=None)  # the server may be lost by then
        watch = WorkerWatch(client, address.stall_seconds)
        name = f"tidemill-preflight-{address.run_id}"
        with fit_workers(watch, check, name, joining=joining) as reports:
            steps = cls(address, spec, watch, count_threads(client))
            _warn_of_mixed_processors(reports)
            _check_hosts(client, address, reports)
            log.info(
                "preflight: %d threads of %d workers are ready; they compiled %d kernels",
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
        chunk_watch = ChunkWatch(self.run, self.watch.client, lambda: watch.done)
        self.watch.is_busy = chunk_watch.is_busy
        self.task_runs += run_chunks(
            chunks,
            lambda parts: task.submit(run, parts),
            self.watch,
            watch.look,
            lambda parts: suspect_next(self.run.key, parts, self.run.run_id),
            chunk_watch,
        )
        watch.look(now=True)

    def facts(self) -> dict[str, Any]:
        """What the run record reports of the cluster."""
        return {
            "cluster": self.spec.text,
            "threads": self.threads,
            "task_runs": self.task_runs,
            "seconds": self.seconds,
        }
