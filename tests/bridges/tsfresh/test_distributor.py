"""tsfresh's functions with our distributor: their answers, and what theirs lack."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from prefect import flow
from prefect.client.orchestration import get_client

from tidemill import extract_features
from tidemill.bridges.tsfresh import PrefectDistributor
from tidemill.bridges.tsfresh import distributor as module
from tidemill.errors import ArgumentError, ClusterError, InputError

from ...support.series import LONG_ROLES, ROLES, melted, wide
from ...support.tsfresh_answers import by_tsfresh, quietly

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tsfresh
    from tsfresh.feature_extraction.settings import MinimalFCParameters
    from tsfresh.utilities.dataframe_functions import roll_time_series
    from tsfresh.utilities.distribution import DistributorBaseClass

STEPS = {"calculate_best_chunk_size", "partition", "distribute", "map_reduce", "close"}


def doubled(item, plus=0):
    return [2 * item + plus]


def task_names(flow_run_name: str) -> Counter[str]:
    """Names of the tasks of the last flow run of a name, and how many runs each had."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterId,
        FlowRunFilterName,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        named = FlowRunFilter(name=FlowRunFilterName(any_=[flow_run_name]))
        (run,) = client.read_flow_runs(
            flow_run_filter=named, sort=FlowRunSort.START_TIME_DESC, limit=1
        )
        only = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        names = [one.name for one in client.read_task_runs(flow_run_filter=only)]
    return Counter("distribute" if one.startswith("distribute") else one for one in names)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_extract_features_gives_the_serial_answer_again_and_again(on_processes):
    frame = melted(wide(6, 20))
    options = {**LONG_ROLES, "default_fc_parameters": MinimalFCParameters()}
    expected = by_tsfresh(frame, **options)
    for _ in range(2):
        found = quietly(tsfresh.extract_features)(frame, **options, distributor=on_processes)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_roll_time_series_gives_the_serial_answer(on_threads):
    frame = wide(3, 6)
    options = {**ROLES, "max_timeshift": 3, "disable_progressbar": True}
    expected = quietly(roll_time_series)(frame, n_jobs=0, **options)
    found = quietly(roll_time_series)(frame, distributor=on_threads, **options)
    pd.testing.assert_frame_equal(found, expected)


def test_our_own_features_take_it_too(on_threads):
    frame = wide(5, 30)
    found = extract_features(frame, "minimal", **ROLES, distributor=on_threads)
    pd.testing.assert_frame_equal(found, extract_features(frame, "minimal", **ROLES))


def test_each_step_is_a_task_run_and_groups_are_few(on_threads):
    on_threads.progressbar_title = "steps that are counted"
    try:
        items = list(range(40))
        assert on_threads.map_reduce(doubled, items, {"plus": 1}, chunk_size=1) == [
            2 * item + 1 for item in items
        ]
    finally:
        on_threads.progressbar_title = "Feature Extraction"
    found = task_names("steps that are counted")
    assert found.keys() == STEPS
    assert found["distribute"] == 4, "two for each thread"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_death_of_a_worker_costs_the_chunk_that_it_was_at(on_processes, tmp_path):
    def counted(item, folder):
        import os
        import signal
        import uuid
        from pathlib import Path

        (Path(folder) / f"{item}-{uuid.uuid4().hex}").touch()
        once = Path(folder) / "killed"
        if item == 7 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [item]

    found = on_processes.map_reduce(counted, range(12), {"folder": str(tmp_path)}, chunk_size=1)
    assert found == list(range(12))
    runs = Counter(path.name.partition("-")[0] for path in tmp_path.glob("*-*"))
    assert runs == {str(item): 1 + (item == 7) for item in range(12)}


def test_an_error_names_the_series_and_shows_where_it_happened(on_threads):
    def fails(values):
        raise ZeroDivisionError("of the test")

    fails.fctype = "simple"
    with pytest.raises(ZeroDivisionError, match="of the test") as raised:
        quietly(tsfresh.extract_features)(
            wide(3, 4), {fails: None}, **ROLES, distributor=on_threads
        )
    first, remote = raised.value.__notes__[-2:]
    assert "the series with id=0 and kind='x' on the worker inproc://" in first
    assert "in fails" in remote
    assert on_threads.map_reduce(doubled, [1]) == [2], "it can be used again"


def test_results_keep_the_order_of_the_input(on_threads):
    def slow_first(item):
        import time

        time.sleep(0.3 if item == 0 else 0)
        return [item, -item]

    found = on_threads.map_reduce(slow_first, iter(range(5)), chunk_size=1, data_length=5)
    assert found == [0, 0, 1, -1, 2, -2, 3, -3, 4, -4]


def test_distribute_gives_what_the_function_gives(on_threads):
    chunks = on_threads.distribute(sum_of, [[1, 2], [3], []], {"plus": 1})
    assert list(chunks) == [4, 4, 1]


def sum_of(chunk, plus):
    return sum(chunk) + plus


def test_nothing_to_do_is_done(on_threads):
    assert on_threads.map_reduce(doubled, []) == []


@pytest.mark.slow
def test_threads_one_after_the_other(on_threads):
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(on_threads.map_reduce, doubled, [n, n + 1]) for n in range(3)]
        assert [one.result() for one in calls] == [[2 * n, 2 * n + 2] for n in range(3)]


def test_within_a_flow(on_threads):
    @flow
    def outer() -> list[int]:
        return on_threads.map_reduce(doubled, [1, 2])

    assert outer() == [2, 4]


def test_where_an_event_loop_runs_as_in_a_notebook(on_threads):
    async def cell() -> list[int]:
        return on_threads.map_reduce(doubled, [1, 2])

    assert asyncio.run(cell()) == [2, 4]


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.leaves_nothing
def test_it_starts_again_after_its_end():
    distributor = PrefectDistributor("threads:1", disable_progressbar=True)
    assert distributor.map_reduce(doubled, [1]) == [2]
    distributor.shutdown()
    distributor.shutdown()
    assert distributor.map_reduce(doubled, [1]) == [2]
    distributor.close()
    (held,) = distributor._held
    del distributor
    assert not held._thread.is_alive(), "the finalizer ends it"


def test_the_bar_moves_chunk_by_chunk(on_threads, capsys):
    on_threads.disable_progressbar = False
    try:
        on_threads.map_reduce(doubled, range(7), chunk_size=2)
    finally:
        on_threads.disable_progressbar = True
    shown = capsys.readouterr().err
    assert "Feature Extraction:" in shown
    assert "4/4" in shown


def test_workers_are_counted_and_sizes_follow_theirs(on_threads):
    assert on_threads.n_workers == 2
    assert isinstance(on_threads, DistributorBaseClass)
    three = PrefectDistributor(n_workers=3)
    assert three.n_workers == 3
    assert [three.calculate_best_chunk_size(n) for n in (10, 30, 31)] == [1, 2, 3]
    assert list(three.partition(np.arange(5), 3)) == [[0, 1, 2], [3, 4]]


def test_without_dask_and_prefect_it_runs_here():
    here = PrefectDistributor("none", disable_progressbar=True)
    assert here.map_reduce(doubled, [1, 2, 3], {"plus": 1}) == [3, 5, 7]
    assert here.n_workers == 1
    frame = wide(3, 8)
    options = {**ROLES, "default_fc_parameters": MinimalFCParameters()}
    found = quietly(tsfresh.extract_features)(frame, **options, distributor=here)
    pd.testing.assert_frame_equal(found, by_tsfresh(frame, **options))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cluster": 3}, "cluster=3 is not allowed; give a text"),
        ({"cluster": "cores:3"}, "cluster='cores:3' is not known"),
        ({"n_workers": 0}, "n_workers=0 is not allowed"),
        ({"cluster": "tcp://127.0.0.1:1", "n_workers": 2}, "n_workers=2 goes with threads"),
    ],
)
def test_arguments_are_checked_at_the_door(options, said):
    with pytest.raises(ArgumentError, match=said):
        PrefectDistributor(**options)


def test_data_are_checked_at_the_door(on_threads):
    with pytest.raises(InputError, match="no items to distribute"):
        on_threads.map_reduce(doubled, 3)
    with pytest.raises(InputError, match="give data_length"):
        on_threads.map_reduce(doubled, iter([1]))


@pytest.mark.usefixtures("prefect_server")
def test_a_scheduler_that_is_not_there_is_one_sentence():
    with pytest.raises(ClusterError, match="the scheduler cannot be reached"):
        PrefectDistributor("tcp://127.0.0.1:9").map_reduce(doubled, [1])


@pytest.mark.usefixtures("prefect_server")
def test_no_worker_is_one_sentence(scheduler, monkeypatch):
    from tidemill.orchestration import worker_watch

    monkeypatch.setattr(worker_watch, "NO_WORKER_SECONDS", 0.5)
    with (
        PrefectDistributor(scheduler, disable_progressbar=True) as distributor,
        pytest.raises(ClusterError, match=r"has no worker for 0 s; start one with: dask worker"),
    ):
        distributor.map_reduce(doubled, [1])


def test_a_missing_tsfresh_is_named_with_its_extra():
    program = (
        "import sys; sys.modules['tsfresh'] = None\n"
        "try:\n    import tidemill.bridges.tsfresh\n"
        "except ImportError as error:\n    print(error)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'tidemill[tsfresh]'" in shown.stdout


@pytest.mark.slow
def test_a_script_without_a_guard_is_one_sentence(tmp_path, server_environment):
    script = tmp_path / "script.py"
    script.write_text(
        "from tidemill.bridges.tsfresh import PrefectDistributor\n"
        "PrefectDistributor('processes:1').map_reduce(abs, [1])\n"
    )
    shown = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=120, check=False
    )
    assert shown.returncode == 1
    assert "__main__" in shown.stderr.splitlines()[-1]


def test_ctrl_c_says_what_became_of_the_cluster(on_threads, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    own = PrefectDistributor("threads:1")
    own._held.append(type("Stub", (), {"is_alive": True, "spec": None, "close": lambda _: None})())
    monkeypatch.setattr(module, "carry_out", stopped)
    with pytest.raises(KeyboardInterrupt, match="stopped, and the cluster with it"):
        own.map_reduce(doubled, [1])
    assert own._held == []
