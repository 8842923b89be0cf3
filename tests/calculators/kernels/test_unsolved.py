"""Series that kernels leave to numpy are solved there, each by itself."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.calculators.kernels import unsolved
from tidemill.calculators.kernels.unsolved import UNSOLVED
from tidemill.calculators.program import Program
from tidemill.calculators.table.build import ROWS
from tidemill.model.series import SeriesBlock

from ..extra import EXTRA
from ..families import blocks_of
from ..slowly import ALL, calculate_all, series_of

EXACT = [row for row in ROWS if row.exact]
LEFT = [(family, n) for family in ("ramp", "sine", "alternating") for n in (2, 5, 20, 77, 200)]


def _params(row):
    return [*row.grid, *EXTRA[row.name]]


def _kernel_alone(row, params, series):
    """What the kernel writes, marks and all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tidemill.calculators.program.solve", lambda *_: None)
        return calculate_all(row.name, params, series)


def test_regressions_and_fits_are_left_to_numpy():
    assert {row.name for row in EXACT} == {
        "ar_coefficient",
        "augmented_dickey_fuller",
        "friedrich_coefficients",
        "max_langevin_fixed_point",
    }


@pytest.mark.parametrize("row", EXACT, ids=lambda row: row.name)
def test_no_mark_leaks_into_a_result(row):
    params = _params(row)
    series = [series_of(family, n) for family in ALL for n in (*range(1, 40), 99)]
    assert (_kernel_alone(row, params, series) == UNSOLVED).any()
    assert not (calculate_all(row.name, params, series) == UNSOLVED).any()


@pytest.mark.parametrize("row", EXACT, ids=lambda row: row.name)
def test_alone_and_among_others_a_series_has_the_same_bits(row):
    params = _params(row)
    keys = [key for pair in LEFT for key in (pair, ("walk", pair[1] + 3), ("ties", 50))]
    series = [series_of(*key) for key in keys]
    together = calculate_all(row.name, params, series)
    alone = [calculate_all(row.name, params, [x]) for x in series]
    assert together.tobytes() == np.vstack(alone).tobytes()


@pytest.mark.parametrize("row", EXACT, ids=lambda row: row.name)
def test_what_the_kernel_filled_stays(row):
    params = _params(row)
    series = [series_of(family, n) for family in ALL for n in (*range(1, 40), 99)]
    by_kernel = _kernel_alone(row, params, series)
    found = calculate_all(row.name, params, series)
    filled = by_kernel != UNSOLVED
    assert found[filled].tobytes() == by_kernel[filled].tobytes()


def test_only_marked_cells_are_replaced_and_only_their_series_solved(monkeypatch):
    def solution(values, cells, first, second):
        solved.append(values.tolist())
        assert (cells == UNSOLVED).any()
        return first + second

    solved = []
    monkeypatch.setattr(unsolved, "_doubled", solution, raising=False)
    values = [np.arange(3.0), np.ones(2), np.arange(4.0)]
    cells = np.array([[1.0, UNSOLVED], [3.0, np.nan], [UNSOLVED, UNSOLVED]])
    params = np.array([10, 20]), np.array([1, 2])
    unsolved.solve("kernels.unsolved:_doubled", SeriesBlock("x", *blocks_of(values)), params, cells)
    assert np.array_equal(cells, [[1, 22], [3, np.nan], [11, 22]], equal_nan=True)
    assert solved == [values[0].tolist(), values[2].tolist()]


def test_results_of_other_columns_stay_when_a_series_is_solved():
    series = [series_of("ramp", 50), series_of("walk", 50)]
    features = [("maximum", {}), ("ar_coefficient", {"coeff": 1, "k": 10}), ("minimum", {})]
    out = np.empty((2, 3))
    Program(features).calculate(SeriesBlock("x", *blocks_of(series)), out)
    assert out[:, 0].tolist() == [x.max() for x in series]
    assert out[:, 2].tolist() == [x.min() for x in series]
