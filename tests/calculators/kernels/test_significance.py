"""Counts of columns beside counts of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.selection.kernel_calls import run_kernel
from tidemill.selection.ranking import value_bounds


def keys_of(values: np.ndarray, places: np.ndarray, kind: str = "long") -> np.ndarray:
    n = values.shape[1]
    if kind == "long":
        packed = np.empty(values.shape)
        run_kernel("long_keys", [values], (places,), packed)
        keys = packed.view(np.uint64)
    else:
        packed = np.empty((len(values), (n + 1) // 2))
        run_kernel("short_keys", [values, value_bounds(values)], (places,), packed)
        keys = packed.view(np.uint32)
    keys[:, :n].sort(axis=1)
    return keys


def cluster(n: int) -> np.ndarray:
    """Values near 1 and near 2^900 that differ in their last bits only: keys tell none apart."""
    rng = np.random.default_rng(n)
    values = 1 + rng.permutation(n) * 2.0**-52
    values[::2] *= 2.0**900
    return values


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([0.0, -0.0], 1),
        ([1.0, np.nan], 0),
        ([np.inf, -np.inf, np.inf], 2),
        ([1.0, 2.0, 3.0, 4.0], 3),
    ],
)
def test_distinct_values_are_counted_up_to_three(row, expected):
    out = np.empty((1, 1))
    run_kernel("distinct", [np.array([row]), value_bounds(np.array([row]))], (), out)
    assert out == expected


@pytest.mark.parametrize("kind", ["short", "long"])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 200, 1000])
def test_discordant_pairs_are_those_of_a_comparison_of_all(n, kind):
    rng = np.random.default_rng(n)
    for values in (rng.normal(size=n), rng.poisson(2, n).astype(float), cluster(n), np.zeros(n)):
        for y in (rng.normal(size=n), rng.poisson(3, n).astype(float)):
            rows = np.argsort(y, kind="stable")
            places = np.argsort(rows)
            starts = np.searchsorted(y[rows], y[rows])
            out = np.empty((1, 5))
            keys = keys_of(values[None], places, kind)
            run_kernel("concordance", [keys, values[None]], (rows, starts), out)
            if kind == "short" and np.isnan(out).all():
                continue  # short keys are not enough
            dx, dy = np.sign(values[:, None] - values), np.sign(y[:, None] - y)
            upper = np.triu(np.ones((n, n), bool), 1)
            assert out[0, 0] == (dx * dy < 0)[upper].sum()
            assert out[0, 1] == (dx == 0)[upper].sum()
            assert out[0, 4] == ((dx == 0) & (dy == 0))[upper].sum()


def test_values_that_keys_cannot_tell_apart_are_ranked():
    values = np.stack([cluster(3_000), np.sort(cluster(3_000))[::-1]])
    rows, codes = np.arange(3_000), np.arange(3_000) % 2
    out = np.empty((2, 3))
    run_kernel("class_ranks", [keys_of(values, rows, "short"), values], (rows, codes), out)
    assert np.isnan(out).all()
    run_kernel("class_ranks", [keys_of(values, rows), values], (rows, codes), out)
    ranks = np.argsort(np.argsort(values, axis=1), axis=1) + 1
    assert out[:, 0].tolist() == [0, 0]
    assert out[:, 1].tolist() == ranks[:, ::2].sum(axis=1).tolist()
