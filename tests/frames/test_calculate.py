"""The matrix of a batch in memory: chunks, threads, errors, progress."""

from __future__ import annotations

import io
import sys

import numpy as np
import pyarrow as pa
import pytest

from tidemill.calculators import calculator
from tidemill.calculators.batches import MatrixCalculator
from tidemill.errors import CalculationError
from tidemill.frames import calculate
from tidemill.model.series import Batch, SeriesBlock


def batch_of(lengths: list[int]) -> Batch:
    stops = np.cumsum(lengths, dtype=np.int64)
    block = SeriesBlock("x", np.zeros(sum(lengths)), stops - lengths, stops)
    return Batch(pa.array(range(len(lengths))), {"x": block})


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    "lengths",
    [[1], [3] * 4, [100] * 3000, [10**6, 1, 1], [1, 1, 10**6], [0, 5, 0], list(range(1, 1500))],
    ids=["one", "few", "many", "long first", "long last", "empty ones", "growing"],
)
def test_chunks_cover_all_ids_once_and_share_the_values(lengths, threads):
    chunks = calculate.id_ranges(batch_of(lengths), threads, None)
    covered = [place for first, last in chunks for place in range(first, last)]
    assert covered == list(range(len(lengths)))
    assert all(first < last for first, last in chunks)
    values = [sum(lengths[first:last]) + last - first for first, last in chunks]
    assert max(values) <= sum(values) / len(values) + max(lengths) + 2 or len(chunks) < threads


def test_chunks_may_be_chosen():
    assert calculate.id_ranges(batch_of([2] * 5), 3, 2) == [(0, 2), (2, 4), (4, 5)]


def batch_with(values: list[list[float]]) -> Batch:
    stops = np.cumsum([len(one) for one in values])
    starts = stops - [len(one) for one in values]
    return Batch(
        pa.array(range(len(values))), {"x": SeriesBlock("x", np.concatenate(values), starts, stops)}
    )


def test_no_ids_have_no_chunks():
    assert calculate.id_ranges(batch_of([]), 2, None) == []
    assert calculate.id_ranges(batch_of([]), 2, 5) == []


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("chunksize", [None, 1, 4])
def test_rows_are_those_of_the_ids(threads, chunksize):
    batch = batch_with([[float(i)] * (i + 1) for i in range(9)])
    features = {"x": [("mean", {}), ("length", {})]}
    columns, matrix = calculate.calculate_batch(batch, features, "raise", threads, chunksize)
    assert columns == ("x__mean", "x__length")
    assert matrix.tolist() == [[i, i + 1] for i in range(9)]


def test_one_filling_serves_several_batches_and_tells_errors_once(own_calculators, caplog):
    @calculator
    def picky(values):
        if values[0] < 0:
            raise ValueError("negative")
        return values[0]

    matrix = np.full((4, 1), 7.0)
    with calculate.filling(MatrixCalculator({"x": [("picky", {})]}, "nan"), 2, 4) as fill:
        fill(batch_with([[1.0], [-1.0]]), matrix[:2])
        fill(batch_with([[-1.0], [2.0]]), matrix[2:])
        assert caplog.messages == [], "only at the end"
    np.testing.assert_array_equal(matrix[:, 0], [1.0, np.nan, np.nan, 2.0])
    assert caplog.messages == ["picky of kind 'x' failed for 2 series: ValueError: negative"]


def test_an_error_on_a_thread_reaches_the_caller(own_calculators):
    @calculator
    def failing(values):
        raise ValueError("never")

    with pytest.raises(CalculationError, match="failing failed for kind 'x': ValueError: never"):
        calculate.calculate_batch(batch_with([[1.0]] * 5), {"x": [("failing", {})]}, "raise", 3, 1)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("show", [True, False])
def test_a_bar_is_shown_on_terminals_on_demand(monkeypatch, show):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    calculate.calculate_batch(batch_with([[1.0]]), {"x": [("mean", {})]}, show_progress=show)
    assert ("Feature extraction" in terminal.getvalue()) == show


def test_no_bar_elsewhere(monkeypatch):
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        calculate.calculate_batch(batch_with([[1.0]]), {"x": [("mean", {})]}, show_progress=True)
        assert not stream or stream.getvalue() == ""
