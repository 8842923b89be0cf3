"""The recorded plan: written once, read by every process."""

from __future__ import annotations

import pytest

from tidemill.execution.chunk import run_chunk
from tidemill.execution.plans import load_plan, missing_parts

from ..support.inputs import make_input
from ..support.jobs import opened


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def test_parts_of_a_started_run_stay_as_they_were_cut(series, sink):
    """Another part size, as another version may have, finishes the parts that were started."""
    with opened(series, sink) as job:
        run_chunk(job.run, [0])
    with opened(series, sink, part_bytes=10**9) as job:
        assert len(load_plan(job.run).parts) == 6
        assert missing_parts(job.run) == [1, 2, 3, 4, 5]
