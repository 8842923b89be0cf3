"""The task that deals the missing parts into chunks."""

from __future__ import annotations

from dataclasses import asdict

from tidemill.execution.chunk import run_chunk
from tidemill.tasks.calculate_chunk_size import calculate_chunk_size

from ..support.inputs import make_input
from ..support.jobs import opened


def test_every_missing_part_is_in_one_chunk(tmp_path, sink):
    with opened(make_input(tmp_path, n_ids=6), sink) as job:
        run_chunk(job.run, [1, 4])
        dealt = calculate_chunk_size.fn(asdict(job.run), 2)
    assert sorted(index for chunk in dealt["chunks"] for index in chunk) == [0, 2, 3, 5]
    assert (dealt["parts"], dealt["ids"], dealt["threads"]) == (4, 4, 2)
    assert dealt["formula"].endswith("ids per chunk")
