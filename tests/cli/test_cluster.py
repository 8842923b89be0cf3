"""``tidemill cluster``: on a real scheduler with real workers."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pandas as pd
import pytest
from click.testing import CliRunner
from distributed import Client

import tidemill
from tidemill.cli.main import cli
from tidemill.orchestration import cluster_admin

from ..support import programs
from ..support.certificates import make_authority, tls_scheduler
from ..support.grounds import ground_of
from ..support.inputs import make_input
from ..support.probes import probing
from ..support.sinks import committed_parts, records
from ..support.waiting import until


@pytest.fixture(scope="module")
def address():
    """A scheduler with two workers; the second has no nanny."""
    with ExitStack() as stack:
        found = stack.enter_context(programs.scheduler())
        stack.enter_context(programs.worker(found, 1, options=["--name=first"]))
        stack.enter_context(programs.worker(found, 1, nanny=False, options=["--name=second"]))
        yield found


@pytest.fixture
def client(address):
    with Client(address, timeout=10, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=30)
        yield client


def call(*words):
    return CliRunner().invoke(cli, ["cluster", *map(str, words)], catch_exceptions=False)


def shown(*words):
    result = call(*words, "--json")
    assert result.exit_code == 0
    return json.loads(result.stdout)


def named(look, name):
    (one,) = (worker for worker in look["workers"] if worker["name"] == name)
    return one


def waiting_for(path):
    """A function that waits for a file; workers get it by value."""

    def wait():
        while not path.exists():
            time.sleep(0.02)

    return wait


def test_info_shows_who_is_there_and_what_runs(address, client, tmp_path):
    go = tmp_path / "go"
    begun = client.submit(waiting_for(go), workers=["second"], key="probe-1", pure=False)
    run = client.submit(os.getpid, key="tidemill-preflight-20261120T060000-2a4d-lives")
    until(lambda: begun.key in str(client.processing()) and run.done(), 30, "the task to begin")
    look = shown("info", address)
    assert look["address"] == address
    assert look["runs"] == ["20261120T060000-2a4d"]
    first, second = named(look, "first"), named(look, "second")
    assert (first["has_nanny"], second["has_nanny"]) == (True, False)
    assert second["tasks"] == {"probe": 1}
    assert first["versions"]["tidemill"] == tidemill.__version__
    assert first["differs"] == second["differs"] == look["scheduler_differs"] == {}
    assert "probe 1" in call("info", address).stdout
    go.touch()
    begun.result(30)


def test_restart_starts_another_process_in_place_of_the_old(address, client):
    before = named(shown("info", address), "first")["address"]
    assert "restarted 1 worker" in call("restart", address, "--worker", "first").stdout
    assert named(shown("info", address), "first")["address"] != before


def test_a_worker_without_a_nanny_is_refused_and_lives_on(address, client, command):
    before = sorted(client.nthreads())
    code, told = command("cluster", "restart", address)
    assert code == 1
    assert "has no nanny" in told
    assert sorted(client.nthreads()) == before


def test_logs_of_all_and_of_one(address, client):
    found = shown("logs", address, "--lines", 5)
    assert set(found) == {"scheduler", *client.nthreads()}
    assert all(len(lines) <= 5 for lines in found.values())
    (only,) = shown("logs", address, "--worker", "second").values()
    assert "Registered to" in str(only)


def test_retire_moves_results_to_those_who_stay(address, client):
    with programs.worker(address, 1, nanny=False, options=["--name=third"]) as third:
        client.wait_for_workers(3, timeout=30)
        where = named(shown("info", address), "third")["address"]
        futures = client.scatter(list(range(5)), workers=[where], hash=False)
        told = call("retire", address, "third").stdout
        assert f"retired 1 worker: {where}; moved 5 results" in told
        assert client.gather(futures) == list(range(5))
        third.wait(30)
    assert len(client.nthreads()) == 2


def test_a_last_worker_keeps_what_nobody_else_can_take(tmp_path, monkeypatch, command):
    with ground_of(tmp_path, monkeypatch) as ground, ground.worker():
        kept = ground.client.scatter(1)
        address = ground.client.scheduler.address
        (worker,) = ground.client.nthreads()
        code, told = command("cluster", "retire", address, worker)
        assert code == 1
        assert f"worker {worker} stays: no other worker can take the 1 result" in told
        assert kept.result(10) == 1
        monkeypatch.setattr(cluster_admin, "CONNECT_SECONDS", 2.0)
        os.kill(ground.scheduler.pid, signal.SIGSTOP)
        code, told = command("cluster", "info", address)
        assert code == 1
        assert f"ADDRESS='{address}': the scheduler cannot be reached" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["info", "tcp://127.0.0.1:1"], "ADDRESS='tcp://127.0.0.1:1': the scheduler cannot be"),
        (["info", "threads:2"], "ADDRESS='threads:2' names no scheduler that runs"),
        (["info", "tls://127.0.0.1:1"], "ADDRESS='tls://127.0.0.1:1' needs certificates"),
    ],
)
def test_an_address_that_does_not_answer_is_a_sentence(words, told, command):
    code, said = command("cluster", *words)
    assert code == 1
    assert told in said


def test_who_is_not_there_is_named(address, client, command):
    code, said = command("cluster", "retire", address, "nobody")
    assert code == 1
    assert "worker 'nobody' is not there; there are tcp://" in said


def test_with_certificates(tmp_path, command):
    authority = make_authority(tmp_path / "ours")
    with tls_scheduler(authority) as address:
        path = tmp_path / "cluster.json"
        keywords = {"address": address, "client_kwargs": {"security": authority.security}}
        path.write_text(json.dumps(keywords))
        assert shown("info", path)["address"] == address
        code, told = command("cluster", "info", address)
        assert code == 1
        assert "needs certificates" in told


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_restart_in_mid_run_loses_no_committed_part(tmp_path, sink):
    """All workers are restarted; the run goes on, and committed parts stay."""
    from tidemill.flows.extract import extract

    series = make_input(tmp_path, n_ids=8)
    with programs.scheduler() as address, probing(tmp_path) as probe, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(programs.worker(address, 1))
        probe.tell("6", "wait go")
        probe.tell("7", "wait go")
        pool = stack.enter_context(ThreadPoolExecutor(1))
        run = pool.submit(
            extract, **series.arguments, sink=str(sink), cluster=address, **probe.arguments
        )
        until(lambda: committed_parts(sink) >= 2 and len(probe.calls) >= 4, 90, "parts", run)
        assert len(shown("info", address)["runs"]) == 1
        committed = committed_parts(sink)
        assert len(shown("restart", address)["restarted"]) == 2
        probe.release("go")
        run.result(120)
        assert sum(count == 1 for count in probe.counts.values()) >= committed
    pd.testing.assert_frame_equal(
        tidemill.read_matrix(str(sink))[["value__mean"]],
        tidemill.extract_features(series.frame, {"mean": None}, column_id="id", column_sort="time"),
        check_names=False,
    )
    (record,) = records(sink)
    assert record["state"] == "finished"
