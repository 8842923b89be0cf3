"""Batches become rows of the matrix, whatever the tiles; failures are counted with their ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tidemill.calculators import batches, calculator
from tidemill.calculators.batches import CASES_KEPT, ErrorTable, MatrixCalculator
from tidemill.errors import ArgumentError, CalculationError
from tidemill.model.series import Batch, SeriesBlock


@pytest.fixture(autouse=True)
def calculators():
    @calculator(version="1")
    def first_of_batches(values):
        if values[0] < 0:
            raise ValueError("negative")
        return float(values[0])

    @calculator(version="1")
    def size_of_batches(values):
        return float(len(values))


FEATURES = {
    "a": [("first_of_batches", {}), ("size_of_batches", {})],
    "b": [("size_of_batches", {})],
}


def block(kind, lengths, values):
    stops = np.cumsum(lengths)
    return SeriesBlock(kind, np.asarray(values, dtype=float), stops - lengths, stops)


@pytest.fixture
def batch():
    lengths = np.array([1, 2, 3, 1])
    blocks = {
        "a": block("a", lengths, [5.0, 6.0, 0.0, -7.0, 0.0, 0.0, 8.0]),
        "b": block("b", np.array([2, 0, 1, 0]), [1.0, 1.0, 1.0]),
    }
    present = {"b": np.array([True, False, True, False])}
    return Batch(pa.array(["p", "q", "r", "s"]), blocks, present)


WANTED = [[5, 1, 2], [6, 2, np.nan], [np.nan, 3, 1], [8, 1, np.nan]]


@pytest.mark.parametrize("rows", [1, 2, 3, 10])
def test_tiles_give_the_same_matrix(rows, batch, monkeypatch):
    monkeypatch.setattr(batches, "TILE_BYTES", rows * 8 * 3)
    made = MatrixCalculator(FEATURES, "nan")
    tiles = [(first, last, made.calculate(batch, first, last).copy())
             for first, last in made.tiles(batch)]  # fmt: skip
    assert all(last - first <= rows for first, last, _ in tiles)
    assert np.array_equal(np.vstack([tile for *_, tile in tiles]), WANTED, equal_nan=True)
    assert made.take_errors() == [
        {"kind": "a", "calculator": "first_of_batches", "message": "ValueError: negative",
         "count": 1, "ids": ["r"]}
    ]  # fmt: skip
    assert made.take_errors() == []


def test_a_kind_that_a_batch_lacks_is_nan(batch):
    del batch.blocks["b"]
    tile = MatrixCalculator(FEATURES, "nan").calculate(batch, 0, 2)
    assert np.isnan(tile[:, 2]).all()
    assert tile[:, 1].tolist() == [1, 2]


def test_a_failure_stops_unless_nan_is_asked_for(batch):
    with pytest.raises(CalculationError, match="first_of_batches failed for kind 'a'"):
        MatrixCalculator(FEATURES).calculate(batch, 0, 4)


def test_seconds_are_taken_once(batch):
    made = MatrixCalculator({"a": FEATURES["b"], "b": FEATURES["b"]})
    made.calculate(batch, 0, 4)
    assert set(made.take_seconds()) == {"size_of_batches"}
    assert made.take_seconds() == {}


def test_a_checkpoint_may_stop_the_work(batch):
    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        MatrixCalculator(FEATURES, "nan").calculate(batch, 0, 4, stop)


def test_the_prediction_of_a_tile_is_the_sum_of_its_rows(batch):
    calculator = MatrixCalculator({"a": [("mean", {}), ("maximum", {})], "none": [("mean", {})]})
    rows = [calculator.predict(batch, at, at + 1) for at in range(3)]
    assert min(rows) > 0
    assert calculator.predict(batch, 0, 3) == pytest.approx(sum(rows))


def test_kinds_are_checked():
    with pytest.raises(ArgumentError, match="contains '__'"):
        MatrixCalculator({"a__b": FEATURES["b"]})


def test_many_failures_are_counted_and_few_are_kept():
    table = ErrorTable()
    for number in range(CASES_KEPT + 5):
        table.add(number, "x", "own", f"message {number}")
    listed = table.to_json()
    assert len(listed) == CASES_KEPT + 1
    assert (listed[-1]["message"], listed[-1]["count"]) == ("other messages", 5)
    assert sum(len(one["ids"]) for one in listed) == CASES_KEPT
