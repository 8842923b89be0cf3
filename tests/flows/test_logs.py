"""The engine's log lines reach the run's log in Prefect, from whatever process they come."""

from __future__ import annotations

import pytest

from tidemill.flows.extract import extract

from ..support import programs
from ..support.api import named_run
from ..support.inputs import make_input


@pytest.fixture
def cluster(request):
    if request.param != "scheduler":
        yield request.param
        return
    address = request.getfixturevalue("scheduler")
    with programs.worker(address):
        yield address


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("cluster", ["threads:2", "processes:1", "scheduler"], indirect=True)
def test_engine_logs_are_on_the_task_runs(cluster, tmp_path, sink):
    series = make_input(tmp_path, n_ids=6, ids_per_part=2)
    runs, _ = named_run(
        extract, **series.arguments, sink=str(sink), settings="minimal", cluster=cluster
    )
    names = {run.id: run.name for run in runs.task_runs()}
    for text, task in {
        "chunk size: 3 parts with 6 ids": "calculate_chunk_size",
        "partition: the input is read in place": "partition",
        "part 1 of 3": "chunk-from-part-0",
        "part 3 of 3": "chunk-from-part-0",
        "published 6 rows": "reduce",
    }.items():
        (line,) = runs.wait_for_log(text)
        assert names[line.task_run_id].startswith(task)
    (line,) = runs.wait_for_log("preflight:")
    assert line.task_run_id is None  # the flow's own
