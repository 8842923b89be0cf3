"""Figures of an interval's columns: gathered in pieces as at once, and what moved between two."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.execution.drift import Figures, Gatherer, all_nan, most_nan, moves


def gathered(matrix, *, cuts=(), names="abcdefghij"):
    gatherer = Gatherer(names[: matrix.shape[1]])
    for piece in np.split(matrix, cuts):
        gatherer.add(piece.T)
    return gatherer.figures()


@pytest.fixture
def matrix():
    rng = np.random.default_rng(0)
    matrix = rng.normal(1e6, 2.0, size=(50, 4))
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    matrix[:3, 1] = np.inf
    matrix[:, 3] = np.nan
    return matrix


@pytest.mark.parametrize("cuts", [(), (1,), (10, 10, 49)])
def test_only_finite_cells_count_however_rows_come(cuts, matrix):
    found = gathered(matrix, cuts=cuts)
    finite = np.where(np.isfinite(matrix), matrix, np.nan)[:, :3]
    np.testing.assert_allclose(found.mean[:3], np.nanmean(finite, axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.spread[:3], np.nanstd(finite, axis=0), rtol=1e-9)
    assert np.isnan([found.mean[3], found.spread[3]]).all()
    assert found.nan.tolist() == np.isnan(matrix).sum(axis=0).tolist()
    assert found.rows == 50


def test_they_are_kept_bit_for_bit(matrix):
    found = gathered(matrix, names=['kind__a__b_"|"', "é", "b", "c"])
    again = Figures.from_bytes(found.to_bytes())
    assert (again.columns, again.rows) == (found.columns, found.rows)
    for name in ("nan", "mean", "spread"):
        assert getattr(again, name).tobytes() == getattr(found, name).tobytes()
    for damaged in (b"", b"PK", found.to_bytes()[:-40]):
        with pytest.raises(ValueError, match=r"figures|magic|pickle"):
            Figures.from_bytes(damaged)


def test_what_moved_most_comes_first():
    before = np.array([[1.0, 10.0, 5.0, 0.0, 7.0], [3.0, 10.0, 5.0, 0.0, 7.0]])
    now = np.array([[4.5, 12.5, 5.0, 0.0, np.nan], [5.5, 12.5, 5.0, 4.0, 7.0]])
    found = moves(gathered(now), gathered(before))
    # Three spreads of before; one of now; half of the cells are NaN; a fifth of the larger mean.
    expected = [("a", 0.75), ("d", 0.5), ("e", 0.5), ("b", pytest.approx(1 / 6))]
    assert [(row["feature"], row["move"]) for row in found] == expected
    assert found[0]["spread_before"] == 1.0
    assert (found[2]["nan_before"], found[2]["nan"]) == (0.0, 0.5)


def test_one_row_and_means_that_are_gone():
    before, now = gathered(np.array([[4.0, 1.0, np.nan]])), gathered(np.array([[6.0, np.nan, 2.0]]))
    found = moves(now, before)
    assert [(row["feature"], row["mean"]) for row in found] == [("b", None), ("c", 2.0), ("a", 6.0)]
    assert found[2]["move"] == pytest.approx(1 / 4)  # by a third


def test_columns_of_one_side_only_have_not_moved():
    old, new = gathered(np.ones((2, 2)), names="ab"), gathered(np.full((2, 2), 2.0), names="bc")
    assert [row["feature"] for row in moves(new, old)] == ["b"]
    assert moves(new, new) == []


def test_the_lists_are_cut():
    rng = np.random.default_rng(0)
    names = [f"f{number}" for number in range(30)]
    old, new = (gathered(rng.normal(size=(5, 30)), names=names) for _ in range(2))
    assert len(moves(new, old)) == 20
    mostly = np.where(rng.random((40, 30)) < 0.5, np.nan, 1.0)
    mostly[:, 3] = np.nan
    found = gathered(mostly, names=names)
    shares = [row["nan"] for row in most_nan(found)]
    assert shares == sorted(np.isnan(mostly).mean(axis=0), reverse=True)[1:11]
    assert all_nan(found) == 1
