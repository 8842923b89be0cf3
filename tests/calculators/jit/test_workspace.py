"""Sorted values and medians of series of mixed lengths are those of each series alone."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.calculators import Program, calculator
from tidemill.calculators.jit.workspace import middle, sort
from tidemill.model.series import SeriesBlock

LENGTHS = {
    "mixed": np.random.default_rng(0).integers(0, 60, size=300),
    "long": np.array([1_000, 301, 999, 340, 300, 299, 0, 1, 2]),
    "equal": np.full(20, 33),
    "none": np.empty(0, dtype=np.int64),
    "empty": np.zeros(3, dtype=np.int64),
    "one": np.array([500]),
}


def _block(lengths: np.ndarray) -> SeriesBlock:
    stops = np.cumsum(lengths, dtype=np.int64)
    rng = np.random.default_rng(1)
    values = rng.integers(-3, 4, size=int(lengths.sum())) * rng.choice([1.0, 0.1], lengths.sum())
    return SeriesBlock("x", values, stops - lengths, stops)


def _series(block: SeriesBlock) -> list[np.ndarray]:
    return [block.values[a:b] for a, b in zip(block.starts, block.stops, strict=True)]


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_every_series_is_sorted(lengths):
    block = _block(lengths)
    values, starts, stops = sort(block)
    for series, first, last in zip(_series(block), starts, stops, strict=True):
        assert values[first:last].tolist() == np.sort(series).tolist()
        assert not np.signbit(values[first:last][values[first:last] == 0]).any()


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_every_series_has_its_median(lengths):
    block = _block(lengths)
    values, starts, stops = middle(block)
    assert (stops - starts == 1).all()
    wanted = [np.median(series) if len(series) else np.nan for series in _series(block)]
    np.testing.assert_array_equal(values[starts], wanted)


def test_sorting_leaves_the_input_alone():
    block = _block(LENGTHS["mixed"])
    before = block.values.copy()
    sort(block)
    middle(block)
    assert block.values.tobytes() == before.tobytes()


def test_failures_name_their_series_whatever_the_lengths():
    @calculator(version="1")
    def odd(values):
        if len(values) % 2:
            raise ValueError("odd")
        return float(len(values))

    block = _block(LENGTHS["mixed"])
    program = Program([("odd", {}), ("length", {})], on_error="nan")
    out = np.empty((block.n_series, 2))
    failures = program.calculate(block, out)
    assert out[:, 1].tolist() == block.lengths.tolist()
    assert [failure.series for failure in failures] == np.flatnonzero(block.lengths % 2).tolist()
    assert np.isnan(out[block.lengths % 2 == 1, 0]).all()
