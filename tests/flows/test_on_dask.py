"""One plan on all runners: one matrix, bit for bit."""

from __future__ import annotations

import pandas as pd
import pytest

import tidemill
from tidemill.flows.extract import extract

from ..support import programs
from ..support.api import named_run
from ..support.inputs import make_input
from ..support.sinks import assert_nothing_left, records

SETTINGS = "efficient"
RUNNERS = ("none", "threads:2", "processes:2", "scheduler")


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return make_input(tmp_path_factory.mktemp("input"), n_ids=9, ids_per_part=3, length=100)


@pytest.fixture(scope="module")
def expected(series):
    return tidemill.extract_features(series.frame, SETTINGS, column_id="id", column_sort="time")


@pytest.fixture(scope="module")
def digests():
    """Digests of the runs so far, by runner."""
    return {}


@pytest.fixture
def cluster(request):
    if request.param != "scheduler":
        yield request.param
        return
    address = request.getfixturevalue("scheduler")
    with programs.worker(address):
        yield address


@pytest.mark.leaves_nothing
@pytest.mark.usefixtures("prefect_server", "scheduler")
@pytest.mark.parametrize("cluster", RUNNERS, indirect=True)
def test_all_runners_give_one_matrix(cluster, series, expected, digests, sink):
    runs, summary = named_run(
        extract, **series.arguments, sink=str(sink), settings=SETTINGS, cluster=cluster
    )
    pd.testing.assert_frame_equal(
        tidemill.read_matrix(str(sink)), expected, check_exact=True, check_names=False
    )
    digests[cluster] = summary["digest"]
    assert len(set(digests.values())) == 1, digests
    assert summary["parts"] == {"total": 3, "calculated": 3, "reused": 0, "quarantined": 0}
    (record,) = records(sink)
    assert record["state"] == "finished"
    counted = len(runs.task_runs())

    assert counted == record["task_runs"] == summary["task_runs"] <= 500
    assert_nothing_left(sink)
