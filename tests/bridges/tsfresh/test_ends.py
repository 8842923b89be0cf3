"""How calls of the distributor end that do not go well: lost schedulers, Ctrl-C, errors."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import dask
import pandas as pd
import pytest
from distributed import Client, Scheduler

from tidemill import extract_features
from tidemill.bridges.tsfresh import PrefectDistributor
from tidemill.errors import ClusterError
from tidemill.orchestration import scheduler_calls

from ...support import programs
from ...support.certificates import make_authority, tls_scheduler, tls_worker
from ...support.series import ROLES, wide
from ...support.waiting import until
from .conftest import left_of, made

pytestmark = pytest.mark.usefixtures("prefect_server")

OURS = ("",)  # nobody else uses these schedulers


def held_at(folder, item):
    """A function that leaves a file for each item, and waits at one; workers get it by value."""

    def hold(one):
        (folder / f"{one}-{os.getpid()}-{time.monotonic_ns()}").touch()
        while one == item and not (folder / "go").exists():
            time.sleep(0.02)
        return [one]

    return hold


def fails_at(folder, item):
    """Another one, which fails at one item once others are in work."""

    def fail(one):
        (folder / f"{one}-{os.getpid()}-{time.monotonic_ns()}").touch()
        if one == item:
            while len(list(folder.glob("*-*"))) < 2:
                time.sleep(0.02)
            raise ZeroDivisionError("of the test")
        while not (folder / "go").exists():
            time.sleep(0.02)
        return [one]

    return fail


def items(folder):
    return sorted(int(path.name.partition("-")[0]) for path in folder.glob("*-*"))


@pytest.mark.parametrize("cluster", ["on_threads", "on_processes"])
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_of_a_failed_call_nothing_begins_later_and_nothing_stays(cluster, request, tmp_path):
    distributor = request.getfixturevalue(cluster)
    assert distributor.map_reduce(abs_of, [-1]) == [1]
    client = distributor._opened().client
    before = left_of(client, *OURS)
    with pytest.raises(ZeroDivisionError, match="of the test") as raised:
        distributor.map_reduce(fails_at(tmp_path, 0), range(20), chunk_size=1)
    begun = items(tmp_path)
    assert len(begun) == 2, "one of each of the two threads"
    (tmp_path / "go").touch()
    until(lambda: idle(client), 60, "the workers to end what they are at")
    assert left_of(client, *OURS) == before, raised
    assert items(tmp_path) == begun, "a group goes no further than its chunk"
    assert distributor.map_reduce(abs_of, [-1]) == [1]


def abs_of(item):
    return [abs(item)]


def idle(client):
    """Whether no thread of a worker is at a task."""
    return not any(client.run(lambda dask_worker: len(dask_worker.active_threads)).values())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_stays_of_a_call_whose_worker_died(tmp_path):
    with (
        programs.scheduler() as address,
        programs.worker(address, 1),
        programs.worker(address, 1),
        made(address) as distributor,
        ThreadPoolExecutor(1) as pool,
        Client(address, timeout=10, set_as_default=False) as client,
    ):
        call = pool.submit(distributor.map_reduce, held_at(tmp_path, 5), range(12), chunk_size=1)
        until(lambda: 5 in items(tmp_path), 90, "the item that waits", call)
        (mark,) = tmp_path.glob("5-*")
        os.kill(int(mark.name.split("-")[1]), signal.SIGKILL)
        (tmp_path / "go").touch()
        assert call.result(timeout=200) == list(range(12))
        until(lambda: not left_of(client, "tidemill-tsfresh", "distribute"), 30, "all to be gone")


# A lost scheduler


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_scheduler_that_is_killed_is_one_sentence(tmp_path, monkeypatch):
    with (
        programs.scheduler_program() as (scheduler, address),
        programs.worker(address, 1),
        ThreadPoolExecutor(1) as pool,
    ):
        distributor = made(address)
        call = pool.submit(distributor.map_reduce, held_at(tmp_path, 0), range(4))
        until(lambda: items(tmp_path), 90, "the first item", call)
        monkeypatch.setattr(scheduler_calls, "SCHEDULER_SECONDS", 3.0)
        scheduler.kill()
        with pytest.raises(ClusterError, match=rf"the scheduler at {address} (was lost|has not)"):
            call.result(timeout=120)
        assert distributor._held == []
        with pytest.raises(ClusterError, match="cannot be reached"):
            distributor.map_reduce(abs_of, [1])
    with made("processes:2") as other:
        assert other.map_reduce(abs_of, [-1, 2]) == [1, 2]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.leaves_nothing
def test_after_the_end_of_its_own_scheduler_the_next_call_starts_another(tmp_path, monkeypatch):
    with made("processes:2") as distributor, ThreadPoolExecutor(1) as pool:
        call = pool.submit(distributor.map_reduce, held_at(tmp_path, 0), range(4))
        until(lambda: items(tmp_path), 90, "the first item", call)
        monkeypatch.setattr(scheduler_calls, "SCHEDULER_SECONDS", 3.0)
        address = distributor._held[0].client.scheduler.address
        (own,) = (one for one in Scheduler._instances if one.address == address)
        own.loop.add_callback(own.close)
        with pytest.raises(ClusterError, match=rf"the scheduler at {address} (was lost|has not)"):
            call.result(timeout=120)
        (tmp_path / "go").touch()
        assert distributor.map_reduce(abs_of, [-1, 2]) == [1, 2]


# Certificates


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cluster_with_certificates(tmp_path):
    """By address, with the certificates of Dask's configuration, and by a cluster file."""
    ours = make_authority(tmp_path / "ours")
    file = tmp_path / "cluster.json"
    options = {
        "distributed.comm.tls.ca-file": ours.ca,
        "distributed.comm.tls.client.cert": ours.certificate,
        "distributed.comm.tls.client.key": ours.key,
    }
    frame = wide(4, 10)
    expected = extract_features(frame, "minimal", **ROLES)
    with tls_scheduler(ours) as address, tls_worker(ours, address), tls_worker(ours, address):
        keywords = {"address": address, "client_kwargs": {"security": ours.security}}
        file.write_text(json.dumps(keywords))
        for cluster, configured in ((address, options), (file, {})):
            with dask.config.set(configured), made(cluster) as distributor:
                assert distributor.n_workers == 2
                found = extract_features(frame, "minimal", **ROLES, distributor=distributor)
            pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.leaves_nothing
def test_a_cluster_file_that_starts_processes(tmp_path):
    file = tmp_path / "cluster.json"
    file.write_text(
        json.dumps(
            {
                "cluster_class": "distributed.LocalCluster",
                "cluster_kwargs": {
                    "n_workers": 2,
                    "threads_per_worker": 1,
                    "dashboard_address": "127.0.0.1:0",
                },
            }
        )
    )

    def where(item):
        return [(item, os.getpid())]

    with PrefectDistributor(file, disable_progressbar=True) as distributor:
        found = distributor.map_reduce(where, range(6), chunk_size=1)
    assert [item for item, _ in found] == list(range(6))
    assert os.getpid() not in {pid for _, pid in found}


# Ctrl-C

SCRIPT = """
import time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import numpy as np, pandas as pd, tsfresh
from tidemill.bridges.tsfresh import PrefectDistributor

def slow(x):
    Path(FOLDER, "begun").touch()
    time.sleep(300)
    return 1.0

slow.fctype = "simple"

if __name__ == "__main__":
    frame = pd.DataFrame({"id": np.arange(40) // 10, "time": np.arange(40), "x": np.ones(40)})
    distributor = PrefectDistributor(CLUSTER, disable_progressbar=True)
    tsfresh.extract_features(
        frame, {slow: None}, column_id="id", column_sort="time", distributor=distributor
    )
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.leaves_nothing
@pytest.mark.parametrize("cluster", ["processes:2", "threads:2"])
def test_ctrl_c_ends_a_script_and_all_that_it_started(cluster, tmp_path, server_environment):
    script, begun = tmp_path / "script.py", tmp_path / "begun"
    script.write_text(
        SCRIPT.replace("FOLDER", repr(str(tmp_path))).replace("CLUSTER", repr(cluster))
    )
    with programs.program([sys.executable, script]) as started:
        until(begun.exists, 120, "the first series", started)
        started.interrupt()
        code = started.wait(90)
        assert code in {130, -signal.SIGINT, 1}, code
        assert "stopped, and the cluster with it" in started.output
        until(lambda: not programs.session_members(started.pid), 30, "all processes to be gone")
