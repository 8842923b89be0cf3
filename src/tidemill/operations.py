"""Prefect's side of a run: one server, a cluster of our own, chunks that survive their workers."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Self

import dask
import distributed
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner
from prefect_dask import DaskTaskRunner

from tidemill.cluster import (
    NO_WORKER_SECONDS,
    ClusterSpec,
    count_threads,
    fit_workers,
    parse_cluster,
    wait_for_workers,
)
from tidemill.errors import ClusterError, InputError
from tidemill.execution import announce_kernels, load_plan
from tidemill.job import PartsWatch, stop_workers
from tidemill.preflight import Check, check_memory, versions
from tidemill.progress import Progress, tell
from tidemill.run import Run
from tidemill.storage.faults import is_transient
from tidemill.storage.owners import Process

__all__ = [
    "Steps",
    "api_url",
    "current_client",
    "engine_logs",
    "map_on_workers",
    "one_api",
    "run_chunks",
    "start_server",
    "task_runner",
]

log = logging.getLogger(__name__)

#: Submissions of one chunk whose task run was lost with its worker.
SUBMISSIONS = 4
#: Task runs of one run, all counted: beyond about 2,000 Prefect's server suffers.
MOST_TASK_RUNS = 500
OTHER_TASK_RUNS = 3  # calculate_chunk_size, partition and reduce
#: Seconds between two looks at the chunks, and at the number of workers.
POLL_SECONDS = 0.05
WORKERS_SECONDS = 2.0
_SETTLED = frozenset({"finished", "error", "cancelled", "lost"})


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


def api_url() -> str:
    """URL of the Prefect API that this run talks to, also of an embedded server."""
    with get_client(sync_client=True) as client:
        return str(client.api_url).rstrip("/")


def start_server() -> None:
    """Start Prefect's embedded server, unless another is configured, deaf to Ctrl-C.

    A terminal tells the whole group, and a flow that is stopped waits a minute for a server that
    is gone. A child keeps the signals blocked that its parent had blocked; at the end it is told
    by another one.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        api_url()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def one_api(spec: ClusterSpec) -> Iterator[TaskRunner[Any]]:
    """The task runner for ``spec``, with one API URL for this process and all workers.

    Without it every worker process would start a Prefect server of its own.

    Raises
    ------
    ClusterError
        If a Dask client that is the default of this process would be used instead.
    """
    url = api_url()
    with temporary_settings({PREFECT_API_URL: url}), _own_scratch():
        yield task_runner(spec, url)


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
    if spec.kind == "processes":
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
        raise ClusterError(
            f"cluster={spec.text!r}: the scheduler cannot be reached ({error}); "
            "check the address and that `dask scheduler` runs there"
        ) from error
    assert client.scheduler is not None
    if spec.address is not None and client.scheduler.address != spec.address:
        raise ClusterError(
            f"connected to {client.scheduler.address}, but cluster={spec.text!r} was asked for"
        )
    return client


@dataclass(slots=True)
class _Chunk:
    """A chunk and the task runs it took."""

    parts: list[int]
    submissions: int = 0
    causes: list[str] = field(default_factory=list)


def run_chunks(
    chunks: Sequence[Sequence[int]],
    submit: Callable[[list[int]], Any],
    client: distributed.Client,
    on_wait: Callable[[], None],
) -> int:
    """Submit all chunks and wait for them; the number of task runs it took.

    Prefect's retries are not used when a Dask worker dies, and its futures hide that error; so
    this loop looks at the Dask futures and submits again what was lost with its worker.

    Parameters
    ----------
    chunks : part indexes of each chunk
    submit : submits one chunk; a ``PrefectDaskFuture``
    client : the client that the futures belong to
    on_wait : called about twice a second (progress)

    Raises
    ------
    ClusterError
        If there is no worker for 60 s, or a chunk was lost too often.
    Exception
        The first error of a chunk.
    """
    waiting: dict[Any, _Chunk] = {}
    task_runs = 0
    try:
        for parts in chunks:
            with _interrupt_afterwards():
                waiting[submit(list(parts))] = _Chunk(list(parts), 1)
            task_runs += 1
            on_wait()
        workers = _WorkerWatch(client)
        while waiting:
            workers.look()
            on_wait()
            for future in [one for one in waiting if _dask(one).status in _SETTLED]:
                chunk = waiting.pop(future)
                if (cause := _settle(future)) is None:
                    continue
                log.warning("a chunk of %d parts was lost: %s", len(chunk.parts), cause)
                again = _again(chunk, cause, task_runs)
                with _interrupt_afterwards():
                    waiting[submit(chunk.parts)] = again
                task_runs += 1
            time.sleep(POLL_SECONDS)
    finally:
        for future in waiting:
            _dask(future).cancel()
    return task_runs


@contextmanager
def _interrupt_afterwards() -> Iterator[None]:
    """Hold Ctrl-C back: the serialisers of a submission would turn it into an error of theirs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    handler = signal.signal(signal.SIGINT, lambda *caught: held.append(caught))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if held and callable(handler):
        handler(*held[0])


def _dask(future: Any) -> distributed.Future[Any]:
    wrapped: distributed.Future[Any] = future.wrapped_future
    return wrapped


def _settle(future: Any) -> str | None:
    """None if the chunk is done; why it was lost otherwise. Raises the chunk's own error."""
    wrapped = _dask(future)
    if wrapped.status == "finished":
        future.result(raise_on_failure=True)
        return None
    if wrapped.status == "error":
        error = wrapped.exception()
        if isinstance(error, InputError):
            raise error
        return f"{type(error).__name__}: {error}"
    return f"its task was {wrapped.status}"


def _again(chunk: _Chunk, cause: str, task_runs: int) -> _Chunk:
    causes = [*chunk.causes, cause]
    if chunk.submissions >= SUBMISSIONS or task_runs >= MOST_TASK_RUNS - OTHER_TASK_RUNS:
        raise ClusterError(
            f"a chunk of {len(chunk.parts)} parts was lost {chunk.submissions} times, and the run "
            f"has taken {task_runs} task runs for chunks: {'; '.join(causes)}. Look at the "
            "workers' memory and logs, then run again: finished parts are kept"
        )
    return _Chunk(chunk.parts, chunk.submissions + 1, causes)


class _WorkerWatch:
    """Notices when a cluster has had no worker for too long."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client
        self._looked = self._seen = time.monotonic()

    def look(self) -> None:
        """Count the workers from time to time; ``ClusterError`` after a minute without any."""
        now = time.monotonic()
        if now - self._looked < WORKERS_SECONDS:
            return
        self._looked = now
        if count_threads(self._client):
            self._seen = now
        elif now - self._seen > NO_WORKER_SECONDS:
            address = self._client.scheduler.address if self._client.scheduler else "?"
            raise ClusterError(
                f"the scheduler at {address} has had no worker for {NO_WORKER_SECONDS:.0f} s; "
                f"start one with: dask worker {address}. Finished parts are kept"
            )


def map_on_workers(client: distributed.Client) -> Callable[..., list[Any]]:
    """A ``map`` that runs plain functions on the workers: 3 ms each against 300 ms a task run.

    What was lost with its worker is run again by the scheduler, what met a fault that may pass is
    run again here, a few times; a bad input is not.
    """

    def run_all(function: Callable[..., Any], items: Sequence[Any]) -> list[Any]:
        futures = client.map(function, items, pure=False)
        try:
            _wait_for_all(client, futures)
            return list(client.gather(futures))
        finally:
            client.cancel(futures)

    return run_all


def _wait_for_all(client: distributed.Client, futures: Sequence[Any]) -> None:
    waiting = dict.fromkeys(futures, 1)  # future -> submissions
    workers = _WorkerWatch(client)
    while waiting:
        workers.look()
        for future in [one for one in waiting if one.status in _SETTLED]:
            submissions = waiting.pop(future)
            if future.status == "finished":
                continue
            error = future.exception() if future.status == "error" else None
            if error is not None and not is_transient(error):
                raise _lost_worker(error) if isinstance(error, distributed.KilledWorker) else error
            if submissions >= SUBMISSIONS:
                raise error or ClusterError(f"the partition step's task was {future.status}")
            future.retry()
            waiting[future] = submissions + 1
        time.sleep(POLL_SECONDS)


def _lost_worker(error: BaseException) -> ClusterError:
    return ClusterError(
        f"the partition step lost its worker too often ({error}); look at the workers' memory and "
        "logs, then run again: finished map tasks are kept"
    )


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
    client.gather(checks)


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
        tell(Progress("preflight and kernels"))
        if spec.kind == "threads":  # others compile elsewhere
            announce_kernels(address)
        url = None if spec.kind == "threads" else api_url()
        check = Check(address, versions(), url, Process.current())
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
        tell(Progress(step))
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
