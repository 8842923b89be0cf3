"""What is found out before any chunk is submitted."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import distributed
import pytest

from tidemill.errors import ArgumentError, ClusterError, UnfitWorkerError
from tidemill.flows.extract import extract
from tidemill.orchestration import cluster as clusters
from tidemill.orchestration import dispatch, steps, worker_watch, workers

from ..support import programs
from ..support.inputs import make_input
from ..support.sinks import assert_nothing_left, committed_parts, records
from ..support.waiting import until

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=4)


@pytest.fixture
def run(series, probe, sink):
    """Call the flow on a cluster."""

    def call(cluster, **more):
        request = {**series.arguments, **probe.arguments, **more}
        return extract(**request, sink=str(sink), cluster=cluster)

    return call


def test_a_worker_without_the_module_is_refused(scheduler, run, probe, sink):
    with (
        programs.worker(scheduler, environment={"PYTHONPATH": ""}),
        pytest.raises(
            UnfitWorkerError, match=r"worker tcp://127\.0\.0\.1:\d+: .*install it"
        ) as refused,
    ):
        run(scheduler)
    assert "probing_calculators" in str(refused.value)
    assert not probe.calls
    assert records(sink)[-1]["state"] == "failed"
    assert_nothing_left(sink)


@pytest.mark.slow
def test_a_worker_that_joins_later_is_checked(scheduler, run, probe, sink):
    probe.tell(1, "wait go")
    with ThreadPoolExecutor(1) as pool, programs.worker(scheduler, threads=1) as fit:
        running = pool.submit(run, scheduler)
        until(lambda: 1 in probe.counts, 90, "the run begins", running)
        with programs.worker(
            scheduler, threads=4, environment={"PYTHONPATH": ""}, ready="not fit for a run"
        ) as unfit:
            unfit.says(r"Stopping worker at tcp://\S+ .*probing_calculators.*install it")
            unfit.wait(60)
            with programs.worker(scheduler, threads=1):
                until(lambda: committed_parts(sink) >= 3, 60, "the fit worker helps", running)
        probe.release("go")
        summary = running.result(90)
        assert "Traceback" not in fit.output
    assert summary["rows"] == 4
    assert set(probe.counts.values()) == {1}


@pytest.mark.slow
def test_a_later_run_does_not_meet_the_checks_of_an_earlier_one(run, sink):
    """On its own scheduler: a flow that another test killed leaves its check on the shared one."""
    with programs.scheduler() as scheduler:
        with programs.worker(scheduler) as first:
            run(scheduler)
            first.says("Removing Worker plugin tidemill-preflight")
        with programs.worker(scheduler, environment={"PYTHONPATH": ""}) as second:
            assert "tidemill-preflight" not in second.output.partition("Registered to")[0]
            assert run(scheduler, settings="minimal", modules=[])["columns"] == 10


def test_no_worker_is_an_error_after_a_while(scheduler, run, monkeypatch, sink):
    monkeypatch.setattr(
        steps, "wait_for_workers", lambda client: workers.wait_for_workers(client, 1.0)
    )
    with pytest.raises(
        ClusterError, match=f"no worker for 1 s; start one with: dask worker {scheduler}"
    ):
        run(scheduler)
    assert_nothing_left(sink)


@pytest.mark.slow
def test_workers_that_go_away_in_mid_run_are_an_error(scheduler, run, probe, monkeypatch, sink):
    monkeypatch.setattr(worker_watch, "NO_WORKER_SECONDS", 3.0)
    probe.tell(1, "wait go")
    with ThreadPoolExecutor(1) as pool:
        with programs.worker(scheduler, nanny=False):
            running = pool.submit(run, scheduler)
            until(lambda: 1 in probe.counts, 90, "the run begins", running)
        with pytest.raises(
            ClusterError, match=r"has had no worker for 3 s; .*finished parts are kept"
        ):
            running.result(60)
    assert records(sink)[-1]["state"] == "failed"


@pytest.mark.slow
def test_a_worker_that_dies_with_a_result_is_not_waited_for(scheduler, run, monkeypatch, sink):
    """Dask's client waits for the result to be made again, for as long as there is no worker."""
    monkeypatch.setattr(worker_watch, "NO_WORKER_SECONDS", 3.0)
    monkeypatch.setattr(dispatch, "GATHER_SECONDS", 1.0)
    gather = dispatch._gather
    with programs.worker(scheduler, nanny=False) as worker:

        def gather_too_late(future):
            worker.kill()
            return gather(future)

        monkeypatch.setattr(dispatch, "_gather", gather_too_late)
        with pytest.raises(ClusterError, match="has had no worker for 3 s"):
            run(scheduler)
    assert records(sink)[-1]["state"] == "failed"


def test_an_unreachable_scheduler_is_a_quick_error(run, monkeypatch, sink):
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 2.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody answers
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ClusterError, match=f"{address}.*cannot be reached.*dask scheduler"):
            run(address)
    assert time.monotonic() - began < 15
    assert_nothing_left(sink)


def test_an_ambient_client_is_refused(run, probe, sink):
    with (
        distributed.Client(
            processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as ambient,
        pytest.raises(ClusterError, match="is the default of this process") as refused,
    ):
        run("threads:1")
    assert ambient.cluster.status.name == "closed"
    assert "close it" in str(refused.value)
    assert not probe.calls


@pytest.mark.parametrize("cluster", ["thread", "processes:0", "tcp://nowhere", "missing.yaml"])
def test_an_unknown_cluster_is_refused(cluster, run, sink):
    with pytest.raises(ArgumentError, match="cluster="):
        run(cluster)
    assert not sink.exists()
