"""Chunks of ids on threads: each once, of equal size, whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tidemill.frames import calculate
from tidemill.model.series import Batch, SeriesBlock


def batch_of(lengths: list[int]) -> Batch:
    stops = np.cumsum(lengths)
    block = SeriesBlock("x", np.zeros(stops[-1]), stops - lengths, stops)
    return Batch(pa.array(range(len(lengths))), {"x": block})


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    "lengths",
    [[1], [3] * 4, [100] * 3000, [10**6, 1, 1], [1, 1, 10**6], [0, 5, 0], list(range(1, 1500))],
    ids=["one", "few", "many", "long first", "long last", "empty ones", "growing"],
)
def test_chunks_cover_all_ids_once_and_share_the_values(lengths, threads):
    chunks = calculate._chunks(batch_of(lengths), threads, None)
    covered = [place for first, last in chunks for place in range(first, last)]
    assert covered == list(range(len(lengths)))
    assert all(first < last for first, last in chunks)
    values = [sum(lengths[first:last]) + last - first for first, last in chunks]
    assert max(values) <= sum(values) / len(values) + max(lengths) + 2 or len(chunks) < threads


def test_chunks_may_be_chosen():
    assert calculate._chunks(batch_of([2] * 5), 3, 2) == [(0, 2), (2, 4), (4, 5)]
