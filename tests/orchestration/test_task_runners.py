"""Task runners for a cluster: one API for all workers, one cluster for several runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dask
import httpx
import psutil
import pytest
from prefect.settings import PREFECT_API_URL

from tidemill.errors import ClusterError
from tidemill.orchestration import task_runners
from tidemill.orchestration.cluster import parse_cluster
from tidemill.orchestration.task_runners import client_of, one_api, shared_cluster, task_runner

from ..support.waiting import until


def test_worker_processes_get_the_address_of_the_api():
    runner = task_runner(parse_cluster("processes:1"), "http://127.0.0.1:4200/api")
    environment = runner.cluster_kwargs["env"]
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert "env" not in task_runner(parse_cluster("threads:1"), "unused").cluster_kwargs


def test_within_it_there_is_one_api_and_a_folder_that_goes(prefect_server):
    option = "temporary-directory"
    before = dask.config.get(option)
    with one_api(parse_cluster("threads:1")):
        assert PREFECT_API_URL.value() == prefect_server.rstrip("/")
        scratch = Path(dask.config.get(option))
        assert scratch.is_dir()
    assert not scratch.exists()
    assert dask.config.get(option) == before


@pytest.mark.usefixtures("prefect_server")
def test_dasks_settings_are_restored_whichever_cluster_closes_first():
    options = ("temporary-directory", "distributed.dashboard.link")
    before = [dask.config.get(option) for option in options]
    first, second = (one_api(parse_cluster("threads:1")) for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert Path(dask.config.get("temporary-directory")).is_dir(), "the second uses it"
    second.__exit__(None, None, None)
    assert [dask.config.get(option) for option in options] == before


@pytest.mark.parametrize("cluster", ["none"])
def test_what_needs_no_start_is_as_it_was(cluster):
    spec = parse_cluster(cluster)
    with shared_cluster(spec) as shared:
        assert shared is spec


def test_a_scheduler_that_runs_is_used_as_it_is(scheduler):
    spec = parse_cluster(scheduler)
    with shared_cluster(spec) as shared:
        assert shared is spec


@pytest.mark.usefixtures("prefect_server")
def test_a_cluster_of_our_own_is_started_once_and_has_an_address():
    spec = parse_cluster("threads:1")
    with shared_cluster(spec) as shared:
        assert shared.address is not None
        assert (shared.text, shared.kind, shared.size) == (spec.text, spec.kind, spec.size)
        assert shared.keywords.keys() == {"address", "client_kwargs"}


@pytest.mark.usefixtures("prefect_server")
def test_threads_need_no_certificates_where_encryption_is_required():
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        shared_cluster(parse_cluster("threads:1")) as shared,
    ):
        assert shared.address.startswith("inproc://")


INTRUDER = """
import os, sys
from distributed import Client
from distributed.security import Security
own = Security.temporary() if sys.argv[3] == "own" else None
with Client(sys.argv[1], security=own, timeout=5) as client:
    client.run_on_scheduler(os.mkdir, sys.argv[2])
    print("came in")
"""


@pytest.mark.usefixtures("prefect_server")
def test_only_who_has_the_certificate_reaches_a_cluster_of_processes(scheduler, tmp_path, capfd):
    """Another process with the address, and none of the keys that the runs are given in memory."""

    def intrude(address, keys="none"):
        command = [sys.executable, "-c", INTRUDER, address, tmp_path / "was_here", keys]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert "came in" in intrude(scheduler).stdout  # as anybody does without certificates
    (tmp_path / "was_here").rmdir()
    with shared_cluster(parse_cluster("processes:1")) as shared:
        assert shared.address.startswith("tls://127.0.0.1:")
        assert "PRIVATE KEY" not in repr(shared)
        with one_api(shared) as runner, runner:
            assert runner.client.submit(sum, [1, 2], pure=False).result(60) == 3
            assert all(name.startswith("tls://127.0.0.1:") for name in runner.client.nthreads())
        assert "handshake failed" not in capfd.readouterr().err
        for scheme, keys in (("tcp", "none"), ("tls", "own")):
            tried = intrude(shared.address.replace("tls", scheme), keys)
            assert tried.returncode == 1, tried
            assert "came in" not in tried.stdout
    assert not (tmp_path / "was_here").exists()


def test_a_scheduler_that_does_not_answer_is_named():
    spec = parse_cluster("tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"tcp://127\.0\.0\.1:9"), shared_cluster(spec):
        pytest.fail("nothing answers there")


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("name", "said"), [("contextlib.suppress", "TypeError: .*keyword"), ("no.such", "No module")]
)
def test_a_cluster_that_does_not_start_is_one_sentence(name, said, tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(f"cluster_class: {name}\ncluster_kwargs: {{n_workers: 1}}")
    match = rf"two.yaml' did not start \(.*{said}.*\); check its cluster_class"
    with pytest.raises(ClusterError, match=match), shared_cluster(parse_cluster(path)):
        pytest.fail("there is none")


def test_a_cluster_that_does_not_close_in_time_is_killed(prefect_server, monkeypatch):
    monkeypatch.setattr(task_runners, "CLOSE_SECONDS", 0.5)
    spec = parse_cluster("processes:1")
    with one_api(spec) as runner, runner:
        (pid,) = runner.client.run(os.getpid).values()
        worker = psutil.Process(pid)
        worker.suspend()  # its nanny asks it to end, for 5 s
    until(lambda: not worker.is_running() or worker.status() == "zombie", 15, "the worker to end")


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("cluster", ["threads:1", "processes:1"])
def test_the_dashboards_address_opens(cluster):
    spec = parse_cluster(cluster)
    with one_api(spec) as runner, runner:
        link = client_of(runner, spec).dashboard_link
        answer = httpx.get(link, follow_redirects=True, timeout=60)
    assert answer.status_code == 200
    assert "Dask" in answer.text


@pytest.mark.usefixtures("prefect_server")
def test_a_dashboard_behind_a_proxy_keeps_the_address_that_was_configured():
    spec = parse_cluster("threads:1")
    with (
        dask.config.set({"distributed.dashboard.link": "/proxy/{port}/status"}),
        one_api(spec) as runner,
        runner,
    ):
        assert client_of(runner, spec).dashboard_link.startswith("/proxy/")
