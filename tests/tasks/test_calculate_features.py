"""The task that calculates one chunk."""

from __future__ import annotations

from dataclasses import asdict

from tidemill.storage.markers import committed
from tidemill.tasks.calculate_features import calculate_features

from ..support.inputs import make_input
from ..support.jobs import opened


def test_parts_are_committed_once(tmp_path, sink):
    with opened(make_input(tmp_path, n_ids=4), sink) as job:
        first = calculate_features.fn(asdict(job.run), [0, 2])
        again = calculate_features.fn(asdict(job.run), [0, 2, 3])
        assert sorted(committed(job.run.key)) == [0, 2, 3]
    assert (first["calculated"], first["reused"], first["rows"]) == (2, 0, 2)
    assert (again["calculated"], again["reused"], again["rows"]) == (1, 2, 3)
