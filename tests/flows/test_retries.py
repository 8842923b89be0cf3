"""Faults that pass are tried again, bad input is not; both counted on disk."""

from __future__ import annotations

import numpy as np
import pytest

import tidemill
from tidemill.errors import CalculationError, DataError
from tidemill.flows.extract import extract

from ..support.api import named_run
from ..support.inputs import make_input, write_input
from ..support.sinks import assert_nothing_left, attempt_marks, records

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_a_fault_that_passes_is_retried_with_growing_delays(tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=3)
    probe.tell(1, "fault 2")
    runs, summary = named_run(
        extract, **series.arguments, **probe.arguments, sink=str(sink), cluster="threads:1"
    )
    assert probe.counts == {0: 1, 1: 3, 2: 1}
    assert list(tidemill.read_matrix(str(sink)).index) == series.ids
    (chunk,) = [run for run in runs.task_runs() if run.name == "chunk-from-part-1"]
    assert chunk.run_count == 3
    assert len(runs.task_runs()) == summary["task_runs"]
    assert_nothing_left(sink)


def test_an_error_of_a_calculator_is_not_retried(tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=3)
    probe.tell(1, "wrong")
    with pytest.raises(CalculationError, match="a fault that stays"):
        extract(**series.arguments, **probe.arguments, sink=str(sink), cluster="threads:1")
    assert probe.counts[1] == 1
    assert records(sink)[-1]["state"] == "failed"
    assert "a fault that stays" in records(sink)[-1]["message"]
    assert attempt_marks(sink) == []


@pytest.mark.parametrize("cluster", ["none", "threads:1"])
def test_a_bad_input_is_attempted_once(cluster, tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=4)
    frame = series.frame.copy()
    frame.loc[frame.index[2 * series.length + 5], "value"] = np.nan
    bad = write_input(series.path, frame, 1, series.length)
    with pytest.raises(DataError, match="NaN") as refused:
        extract(**bad.arguments, **probe.arguments, sink=str(sink), cluster=cluster)
    assert "2" in str(refused.value)
    assert set(probe.counts.values()) <= {1}
    assert 2 not in probe.counts
    assert attempt_marks(sink) == []
    assert list(sink.glob("_delta_log/*")) == []  # nothing was published
    assert records(sink)[-1]["state"] == "failed"
