"""The steps of a run on a cluster: each is timed, and a failure stops the workers."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from prefect import flow
from prefect_dask import DaskTaskRunner

from tidemill.errors import LeaseLostError
from tidemill.model.progress import subscribe
from tidemill.orchestration.cluster import parse_cluster
from tidemill.orchestration.steps import Steps

from ..support.inputs import make_input
from ..support.jobs import opened


@pytest.fixture
def on_threads(prefect_server, tmp_path, sink):
    """Call a function with the steps of a job, inside a flow on two threads."""

    def call(function):
        @flow(task_runner=DaskTaskRunner(**parse_cluster("threads:2").keywords))
        def run(address: dict) -> dict:
            with Steps.start(address, "threads:2") as steps:
                function(steps)
                return steps.facts()

        with opened(make_input(tmp_path, n_ids=3), sink) as job:
            try:
                return run(asdict(job.run)), None
            finally:
                call.lease = job.run.lease_view()

    return call


def test_steps_are_timed_and_announced(on_threads):
    seen = []
    with subscribe(seen.append):
        facts, _ = on_threads(lambda steps: steps.time("partition", lambda: None))
    assert facts["cluster"] == "threads:2"
    assert facts["threads"] == 2
    assert facts["seconds"].keys() == {"preflight", "load_kernels", "partition"}
    assert all(seconds >= 0 for seconds in facts["seconds"].values())
    assert "partition" in [one.step for one in seen]


def test_a_step_that_fails_stops_the_workers_of_the_run(on_threads):
    def fail():
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        on_threads(lambda steps: steps.time("partition", fail))
    with pytest.raises(LeaseLostError):
        on_threads.lease.check(now=True)
