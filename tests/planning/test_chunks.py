"""Chunks hold every missing part once; sizes and predicted times follow from their work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.model.plan import Part
from tidemill.planning.chunks import deal_chunks, predict_run_seconds, size_chunks


def some_parts(seconds, ids=10):
    return [Part(i, i, i + 1, (), 1000, ids, 16_000, s) for i, s in enumerate(seconds)]


@given(
    seconds=st.lists(st.floats(0.001, 100), max_size=60),
    n_threads=st.integers(1, 600),
    max_chunks=st.integers(1, 50),
)
def test_chunks_hold_every_missing_part_once(seconds, n_threads, max_chunks):
    parts = some_parts(seconds)[::2]
    chunks = deal_chunks(parts, n_threads, max_chunks)
    assert sorted(index for chunk in chunks for index in chunk) == [p.index for p in parts]
    assert len(chunks) <= max_chunks
    assert all(chunks)
    assert size_chunks(parts, n_threads, max_chunks).chunks == len(chunks)
    assert predict_run_seconds(parts, n_threads) >= sum(p.seconds for p in parts) / n_threads


@pytest.mark.parametrize(
    ("n_parts", "each", "n_threads", "n_chunks"),
    [
        (1000, 1.0, 2, 34),  # 30 s each
        (1000, 1.0, 16, 48),  # three per thread
        (1000, 1.0, 64, 100),  # 10 s each
        (100, 0.5, 64, 50),  # 1 s each
        (100, 0.005, 64, 1),  # half a second of work in all
        (100_000, 10.0, 64, 480),
        (3, 60.0, 64, 3),
        (0, 1.0, 4, 0),
    ],
)
def test_number_of_chunks(n_parts, each, n_threads, n_chunks):
    parts = some_parts([each] * n_parts)
    chunks = deal_chunks(parts, n_threads)
    assert len(chunks) == n_chunks
    work = [sum(parts[index].seconds for index in chunk) for chunk in chunks] or [0]
    assert max(work) - min(work) <= each * 1.001


def test_chunk_size_says_how_it_came_about():
    size = size_chunks(some_parts([1.0] * 1000), 16)
    assert size.chunk_size == 209
    assert size.formula == "ceil(10000 ids / 48 chunks) = 209 ids per chunk"
    assert size.reason == "up to 3 chunks per thread, none below 10 s"
