"""The task that publishes a run's parts."""

from __future__ import annotations

from dataclasses import asdict

import pytest

import tidemill
from tidemill.errors import SinkError
from tidemill.execution.chunk import run_chunk
from tidemill.tasks.reduce import reduce

from ..support.inputs import make_input
from ..support.jobs import opened

FACTS = {"cluster": "threads:1", "threads": 1, "task_runs": 3, "seconds": {"partition": 0.5}}


def test_the_summary_is_json_and_the_matrix_is_there(tmp_path, sink):
    series = make_input(tmp_path, n_ids=3)
    with opened(series, sink) as job:
        run_chunk(job.run, [0, 1, 2])
        summary = reduce.fn(asdict(job.run), FACTS)
    assert (summary["rows"], summary["cluster"], summary["task_runs"]) == (3, "threads:1", 3)
    assert summary["seconds"].keys() == {"partition", "reduce"}
    assert list(tidemill.read_matrix(sink).index) == series.ids


def test_parts_that_are_missing_are_an_error(tmp_path, sink):
    with opened(make_input(tmp_path, n_ids=3), sink) as job:
        run_chunk(job.run, [0])
        with pytest.raises(SinkError, match="2 of 3 parts are missing"):
            reduce.fn(asdict(job.run), FACTS)
