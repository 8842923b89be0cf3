"""A whole run in this process, without Prefect and Dask."""

from __future__ import annotations

import pandas as pd
import pytest

import tidemill
from tidemill.errors import CalculationError
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request

from ..support.inputs import make_input
from ..support.sinks import assert_nothing_left, records


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def request_of(series, sink, **more):
    arguments = {"settings": "minimal", **series.arguments, **more}
    return make_request(arguments.pop("source"), sink, **arguments)


def test_the_result_equals_that_of_the_frame(series, sink):
    summary = extract_here(request_of(series, sink), threads=2)
    expected = tidemill.extract_features(
        series.frame, "minimal", column_id="id", column_sort="time"
    )
    found = tidemill.read_matrix(str(sink))
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_names=False)
    assert (summary.rows, summary.task_runs) == (6, 0)
    assert_nothing_left(sink)


def test_the_first_error_stops_the_others_and_is_the_one_raised(series, sink, probe):
    probe.tell("all", "sleep 0.2")
    probe.tell(1, "wrong")
    with pytest.raises(CalculationError, match="a fault that stays"):
        extract_here(request_of(series, sink, **probe.arguments), threads=2)
    assert len(probe.calls) <= 4
    (record,) = records(sink)
    assert (record["state"], record["parts"]["total"]) == ("failed", 6)
