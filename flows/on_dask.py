"""The flow inside every flow: the steps of one run, on the Dask cluster of its task runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from prefect import flow

from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job, OnEnd, wait_to_publish
from tidemill.execution.ordered_pool import Turn
from tidemill.orchestration.cluster import ClusterSpec, using
from tidemill.orchestration.dead_runs import INNER, no_task_left
from tidemill.orchestration.inner_flow import call_as_part, call_inner
from tidemill.orchestration.lost_server import noted
from tidemill.orchestration.server import cancel_interrupted, engine_logs
from tidemill.orchestration.steps import Steps
from tidemill.orchestration.task_runners import one_api, shared_cluster
from tidemill.planning.request import Request
from tidemill.tasks import calculate_chunk_size, calculate_features, partition, reduce

__all__ = ["carry_out", "extract_on_dask", "runner_on"]


def runner_on(
    spec: ClusterSpec, wait_for_sink: float, on_end: OnEnd | None = None
) -> Callable[[], Any]:
    """What opens a runner for several requests: one cluster serves them all.

    Parameters
    ----------
    spec : the cluster
    wait_for_sink : seconds to wait while another run is the writer
    on_end : told of each job that has ended
    """

    @contextmanager
    def opened() -> Iterator[Callable[[Request, Turn | None], dict[str, Any]]]:
        with shared_cluster(spec) as shared:
            yield lambda request, turn: carry_out(request, shared, wait_for_sink, turn, on_end)

    return opened


def carry_out(
    request: Request,
    spec: ClusterSpec,
    wait_for_sink: float,
    turn: Turn | None = None,
    on_end: OnEnd | None = None,
) -> dict[str, Any]:
    """Carry out a request inside a flow: in this process, or as a subflow on a Dask cluster."""
    if spec.kind == "none":
        with noted():
            done = extract_here(request, wait_for_sink=wait_for_sink, turn=turn, on_end=on_end)
            return done.to_json()
    with (
        noted(),
        Job.open(request, wait_for_sink, spec.text, turn, on_end) as job,
        one_api(spec) as runner,
        using(spec),
    ):
        name = job.run.interval_label or job.run.run_id
        on_dask = extract_on_dask.with_options(task_runner=runner, flow_run_name=name)
        # Of a backfill there may be hundreds: as runs of their own they would flood the dashboard.
        call = call_inner if turn is None else call_as_part
        return call(on_dask, asdict(job.run), spec.text)


@flow(name=INNER, persist_result=False, on_crashed=[cancel_interrupted])
def extract_on_dask(run: dict[str, Any], cluster: str) -> dict[str, Any]:
    """Carry out the steps of a run on the Dask cluster of this flow's task runner.

    Args:
        run: Address of the run, made by the flow that called this one.
        cluster: The cluster, as given to that flow.

    Returns:
        The summary of the run.
    """
    with no_task_left(INNER), engine_logs(), Steps.start(run, cluster) as steps:
        chunks = steps.time("calculate_chunk_size", calculate_chunk_size, run, steps.threads)
        steps.time("partition", partition, run, cluster)
        steps.time("calculate_features", steps.run_chunks, chunks["chunks"], calculate_features)
        wait_to_publish(steps.run)
        return reduce(run, steps.facts())
