"""The regressions of statsmodels step by step, against its own classes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS

from tidemill.calculators.kernels import pseudoinverse
from tidemill.calculators.kernels.pseudoinverse import RegressionColumns

from ..slowly import series_of


def _parts(family, rows, lags):
    x = series_of(family, rows + lags)
    return [np.ones(rows), *(x[k : k + rows] for k in range(lags + 1))]


def _statsmodels(parts, used):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return OLS(parts[-1], np.column_stack(parts[:used])).fit()


@pytest.mark.parametrize("family", ["walk", "ties", "sine", "ramp", "period"])
@pytest.mark.parametrize(("rows", "lags"), [(5, 3), (30, 4), (80, 8), (500, 9)])
def test_fits_have_statsmodels_bits(family, rows, lags):
    parts = _parts(family, rows, lags)
    columns = pseudoinverse._columns(parts)
    for used in (lags + 1, 2):
        wanted = _statsmodels(parts, used)
        with np.errstate(all="ignore"):
            fit = pseudoinverse._fit(columns, used)
        assert fit.coefficients.tobytes() == wanted.params.tobytes()
        assert fit.rank == wanted.model.rank
        assert fit.tests == pytest.approx(wanted.tvalues, rel=1e-12, nan_ok=True)
        assert fit.squares == pytest.approx(wanted.ssr, rel=1e-12)


@pytest.mark.parametrize("rows", [40, 4_000])
def test_a_triangle_stands_for_its_columns(rows, monkeypatch):
    monkeypatch.setattr(pseudoinverse, "_AT_ONCE", 7_000)  # two steps
    parts = _parts("seasonal", rows, 9)
    as_they_are = RegressionColumns(np.column_stack(parts), rows, is_triangle=False)
    triangle = pseudoinverse._triangle(parts)
    assert triangle.rows == rows
    assert triangle.values.shape == (11, 11)
    for used in (2, 5, 10):
        a, b = pseudoinverse._fit(triangle, used), pseudoinverse._fit(as_they_are, used)
        assert a.rank == b.rank
        assert a.coefficients == pytest.approx(b.coefficients, rel=1e-9, abs=1e-12)
        assert a.tests == pytest.approx(b.tests, rel=1e-9, abs=1e-12)
        assert a.squares == pytest.approx(b.squares, rel=1e-9)


def test_long_columns_become_a_triangle_and_others_stay():
    limit = pseudoinverse._AS_THEY_ARE
    short, long = [np.ones(limit // 2)] * 2, [np.ones(limit // 2 + 1)] * 2
    assert not pseudoinverse._columns(short).is_triangle
    assert pseudoinverse._columns(long).is_triangle


def test_what_is_read_from_a_triangle_is_what_its_fits_say():
    columns = pseudoinverse._triangle(_parts("seasonal", 200, 9))
    read, fitted = pseudoinverse._read(columns, 2), pseudoinverse._decompose(columns, 2, 8)
    for a, b in zip(read, fitted, strict=True):
        assert np.abs(a) == pytest.approx(np.abs(b), rel=1e-9)
