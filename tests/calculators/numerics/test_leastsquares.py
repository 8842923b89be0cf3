"""Triangles of regressions, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.calculators.numerics import leastsquares

from ..single import called

decompose = called(leastsquares.decompose)
orthogonalise = called(leastsquares.orthogonalise)
solve_triangle = called(leastsquares.solve_triangle)
invert = called(leastsquares.invert)
inverse_norm = called(leastsquares.inverse_norm)

SHAPES = [(1, 1), (1, 2), (2, 2), (3, 5), (4, 4), (7, 40), (24, 300)]


def _columns(p, n):
    """Regressors of many scales, and a target: float64[p + 1, n]."""
    rng = np.random.default_rng([p, n])
    return rng.normal(size=(p + 1, n)) * 10 ** rng.uniform(-4, 4, size=(p + 1, 1))


def _by_products(a):
    products = a[:-1] @ a.T
    assert decompose(products)
    return products


def _by_columns(a):
    r = np.empty((len(a) - 1, len(a)))
    orthogonalise(a.copy(), r)
    return r


@pytest.mark.parametrize("way", [_by_products, _by_columns])
@pytest.mark.parametrize(("p", "n"), SHAPES)
def test_both_ways_give_numpys_triangle_and_coefficients(way, p, n):
    a = _columns(p, n)
    wanted = np.linalg.qr(a.T, mode="r")[:p]
    wanted *= np.sign(np.diag(wanted))[:, None]
    r, b = way(a), np.empty(p)
    scale = np.linalg.norm(a, axis=1)
    assert np.triu(r) / scale == pytest.approx(np.triu(wanted) / scale, rel=1e-9, abs=1e-11)
    solve_triangle(r, b)
    solution = np.linalg.lstsq(a[:-1].T, a[-1], rcond=None)[0]
    assert b * scale[:-1] == pytest.approx(solution * scale[:-1], rel=1e-7, abs=1e-9 * scale[-1])


@pytest.mark.parametrize(("p", "n"), SHAPES)
def test_columns_tell_the_residuals(p, n):
    a = _columns(p, n)
    residuals = a[-1] - a[:-1].T @ np.linalg.lstsq(a[:-1].T, a[-1], rcond=None)[0]
    found = orthogonalise(a.copy(), np.empty((p, p + 1)))
    assert found == pytest.approx(residuals @ residuals, rel=1e-9, abs=1e-20 * (a[-1] @ a[-1]))


def test_columns_stay_exact_where_products_lose_half_the_digits():
    x = 1e6 + np.sqrt(np.arange(50.0))
    a, found = np.array([np.ones(50), x, 3 - 0.7 * x]), {}
    for way in (_by_products, _by_columns):
        b = np.empty(2)
        solve_triangle(way(a), b)
        found[way] = abs(b[1] + 0.7)
    assert found[_by_columns] < 1e-8 < found[_by_products]


@pytest.mark.parametrize("dependent", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
def test_dependent_columns_have_no_triangle(dependent):
    a = np.array([[1.0, 1.0, 1.0], dependent, [1.0, 2.0, 4.0]])
    assert not decompose(a[:-1] @ a.T)


@pytest.mark.parametrize("p", [1, 2, 5, 24])
def test_inverses_equal_numpys(p):
    rng = np.random.default_rng(p)
    r = np.triu(rng.normal(size=(p, p + 1))) + 2 * np.eye(p, p + 1)
    last = 0.7
    whole = np.vstack((r, np.append(np.zeros(p), last)))
    found = np.full((p + 1, p + 1), np.nan)
    invert(r, last, found)
    wanted = np.linalg.inv(whole)
    assert found == pytest.approx(wanted, rel=1e-7, abs=1e-9 * np.abs(wanted).max())
    norm = np.linalg.norm(np.linalg.inv(r[:, :p]))
    assert inverse_norm(r, np.empty((p, p))) == pytest.approx(norm, rel=1e-8)
