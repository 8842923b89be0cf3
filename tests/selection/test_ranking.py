"""Kernels that need ranks, by short keys and by long ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tidemill.selection.ranking import SHORT_ROWS, run_ranked, value_bounds


def columns(n: int) -> np.ndarray:
    """Columns that are spread evenly, or far, or hardly, or over whole numbers."""
    rng = np.random.default_rng(n)
    base = rng.normal(size=n)
    rows = [
        base,
        np.floor(3 * base),
        np.round(base, 1),
        np.exp(4 * base),
        base / rng.normal(size=n),
        np.round(np.exp(3 * base)),
        np.where(base > 3, 1e300, 1 + rng.permutation(n) * 2.0**-52),
        np.where(base > 2.5, np.inf, base),
        base * 5e-324,
        1e9 + 1e-6 * base,
        np.where(base > 0, 0.0, -0.0) * base,
        np.where(base > 0, base, 0.0),
    ]
    return np.array(rows)


@pytest.mark.parametrize("n", [3, 40, 1_001, 10_000, SHORT_ROWS + 1])
def test_sums_of_ranks_are_those_of_scipy(n):
    values = columns(n)
    codes = (np.arange(n) % 3).astype(np.int32)
    rows, chosen = np.arange(n, dtype=np.int32), np.arange(1, len(values))
    out = np.empty((len(chosen), 4))
    run_ranked("class_ranks", values, value_bounds(values), chosen, rows, (rows, codes), out)
    ranks = stats.rankdata(values[chosen], axis=1)
    for code in range(3):
        assert out[:, 1 + code].tolist() == ranks[:, codes == code].sum(axis=1).tolist()
    sizes = [np.unique(row, return_counts=True)[1].astype(float) for row in values[chosen]]
    assert out[:, 0].tolist() == [(size**3 - size).sum() for size in sizes]


def test_bounds_tell_that_a_value_is_missing():
    bounds = value_bounds(np.array([[1.0, np.nan], [2.0, -1.0]]))
    assert np.isnan(bounds[0]).all()
    assert bounds[1].tolist() == [-1, 2]
