"""Results that cannot come: no worker, a scheduler that is lost, inputs that are gone."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import dask
import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client

from tidemill import extract_features, to_delta
from tidemill.bridges.dask.fetch import fetch, fetch_all, lost_inputs, naming_lost
from tidemill.bridges.dask.patience import Patience
from tidemill.errors import ClusterError
from tidemill.orchestration import scheduler_calls, worker_watch
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ...support.grounds import ground_of
from ...support.waiting import until

FRAME = pd.DataFrame({"id": [1, 1, 2], "x": [1.0, 3.0, 5.0]})
NO_WORKER = r"has had no worker for 2 s; start one with: dask worker"


@pytest.fixture(scope="module")
def client():
    with Client(
        processes=False, n_workers=1, dashboard_address="127.0.0.1:0", set_as_default=False
    ) as client:
        yield client


@pytest.fixture
def without_workers(scheduler, monkeypatch):
    monkeypatch.setattr(worker_watch, "NO_WORKER_SECONDS", 2.0)
    monkeypatch.setattr(worker_watch, "LOOK_SECONDS", 0.5)
    with Client(scheduler, timeout=10, set_as_default=False) as client:
        yield client


def test_results_come_in_their_order_and_nothing_stays(client):
    values = [dask.delayed(sum)([number, 1]) for number in range(3)]
    assert fetch_all(values, client) == fetch_all(values, None) == [1, 2, 3]
    assert fetch(dd.from_pandas(FRAME, npartitions=2), client).equals(FRAME)
    until(lambda: not client.futures, 10, "all futures to be released")


def test_an_error_is_that_of_the_task(client):
    with pytest.raises(ZeroDivisionError):
        fetch(dask.delayed(divmod)(1, 0), client)


def test_what_nobody_waits_for_is_not_calculated(client, monkeypatch, tmp_path):
    """Also if somebody presses Ctrl-C while the result is waited for."""

    def interrupted(_):
        if (tmp_path / "begun").exists():
            raise KeyboardInterrupt

    def wait():
        (tmp_path / "begun").touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.02)

    monkeypatch.setattr(Patience, "look", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch_all([dask.delayed(wait, pure=False)() for _ in range(30)], client)
    (tmp_path / "go").touch()
    until(lambda: not client.futures, 30, "all futures to be released")
    until(lambda: not client.run_on_scheduler(held), 30, "the scheduler to forget the tasks")


def held(dask_scheduler):
    return len(dask_scheduler.tasks)


def test_without_workers_a_matrix_is_not_waited_for(without_workers):
    lazy = dd.from_pandas(FRAME, npartitions=2)
    with pytest.raises(ClusterError, match=NO_WORKER):
        extract_features(lazy, "minimal", column_id="id", client=without_workers, lazy=False)
    with pytest.raises(ClusterError, match=NO_WORKER):
        extract_features([dask.delayed(FRAME)], "minimal", column_id="id", client=without_workers)


def test_nor_is_a_table(without_workers, tmp_path):
    lazy = extract_features(dd.from_pandas(FRAME, npartitions=1), "minimal", column_id="id")
    with pytest.raises(ClusterError, match=NO_WORKER):
        to_delta(lazy, tmp_path / "features", client=without_workers)
    (run,) = history(SinkLayout.of(tmp_path / "features"))
    assert run.state == "failed"


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_one_sentence(tmp_path, monkeypatch):
    with (
        ground_of(tmp_path, monkeypatch) as ground,
        ground.worker() as worker,
        ThreadPoolExecutor(1) as pool,
    ):
        ground.hang(worker)
        never = pool.submit(fetch, dask.delayed(ground.function())(1), ground.client)
        until(lambda: ground.begun_by(worker), 60, "the task to begin", never)
        monkeypatch.setattr(scheduler_calls, "SCHEDULER_SECONDS", 3.0)
        os.kill(ground.scheduler.pid, signal.SIGKILL)
        with pytest.raises(ClusterError, match=r"the scheduler at .* (was lost|has not answered)"):
            never.result(timeout=120)


@pytest.mark.parametrize("form", ["future", "list", "dict", "delayed", "frame"])
def test_lost_inputs_are_named_wherever_they_lie(form, client):
    future = client.scatter(FRAME, hash=False)
    data = {
        "future": lambda: future,
        "list": lambda: [future],
        "dict": lambda: {"x": dask.delayed(len)(future)},
        "delayed": lambda: [dask.delayed(len)(future)],
        "frame": lambda: dd.from_delayed([future], meta=FRAME.iloc[:0], verify_meta=False) + 1,
    }[form]()
    future.cancel()
    with (
        pytest.raises(ClusterError, match=f"the frame of future '{future.key}' was lost"),
        naming_lost(data, client),
    ):
        raise CancelledError


def test_what_was_cancelled_by_others_is_another_sentence(client, monkeypatch):
    monkeypatch.setattr("tidemill.bridges.dask.fetch.NEWS_SECONDS", 0.1)
    with (
        pytest.raises(ClusterError, match=r"has cancelled what was to be calculated, as client"),
        naming_lost([client.scatter(FRAME)], client),
    ):
        raise CancelledError
    with pytest.raises(CancelledError), naming_lost([], None):
        raise CancelledError
    assert "the frames of the futures 'a', 'b' were lost" in str(lost_inputs(["a", "b"]))
