"""The drift of a Langevin model and its fixed point, against pandas and numpy."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest

from tidemill.calculators.kernels import langevin

from ..single import calculate, called
from ..slowly import calculate_all, differences, evaluate, series_of

PAIRS = ((1, 1), (2, 10), (3, 30), (3, 4))
COEFFICIENTS = [{"coeff": c, "m": m, "r": r} for m, r in PAIRS for c in range(m + 2)]
FIXED_POINTS = [{"m": m, "r": r} for m, r in PAIRS]
NAMES = {"friedrich_coefficients": COEFFICIENTS, "max_langevin_fixed_point": FIXED_POINTS}

FAMILIES = (
    "noise", "walk", "seasonal", "spikes", "heavy", "ties", "binary", "constant", "zero", "ramp",
    "offset", "tiny", "real", "alternating", "curve", "outlier", "sine", "step",
)  # fmt: skip
LENGTHS = (*range(1, 61), 257)


def _mean(x):
    return math.fsum(x) / len(x)


@cache
def _fit(values, m, r):
    x = np.array(values)
    try:
        bins = pd.qcut(x[:-1], r, labels=False)
        members = [bins == b for b in np.unique(bins)]
        means = [[_mean(part[those]) for those in members] for part in (x[:-1], np.diff(x))]
        return np.polyfit(*means, m)
    except (ValueError, IndexError, TypeError):  # bins of equal borders, or no value
        return np.full(m + 1, math.nan)


def _coefficients(x, params):
    fits = [[*_fit(tuple(x), one["m"], one["r"]), math.nan] for one in params]
    return [fit[one["coeff"]] for fit, one in zip(fits, params, strict=True)]


def _fixed_points(x, params):
    for one in params:
        fit = _fit(tuple(x), one["m"], one["r"])
        yield np.roots(fit).real.max(initial=-math.inf) if np.isfinite(fit).all() else math.nan


SLOWLY = {"friedrich_coefficients": _coefficients, "max_langevin_fixed_point": _fixed_points}


@pytest.mark.parametrize("family", FAMILIES)
def test_coefficients_equal_numpys(family):
    name = "friedrich_coefficients"
    assert not differences(name, COEFFICIENTS, _coefficients, family, LENGTHS)


@pytest.mark.parametrize("family", FAMILIES)
def test_fixed_points_equal_numpys(family):
    # A ramp's drift is a constant, and its roots are those of rounding errors.
    name, unstable = "max_langevin_fixed_point", family in {"ramp", "sine"}
    slow = _fixed_points
    assert not differences(name, FIXED_POINTS, slow, family, LENGTHS, unless_unstable=unstable)


@pytest.mark.parametrize("name", NAMES)
def test_one_combination_alone_and_any_order_give_the_same_bits(name):
    # The straight lines of the first pair are left to numpy, and the last pairs have no bins.
    series = [series_of(family, n) for family in ("ties", "ramp", "walk") for n in (2, 9, 40)]
    together = calculate_all(name, NAMES[name], series)
    backwards = calculate_all(name, NAMES[name][::-1], series)[:, ::-1]
    alone = [calculate_all(name, [one], series) for one in NAMES[name]]
    assert together.tobytes() == backwards.tobytes()
    assert together.tobytes() == np.hstack(alone).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_without_bins_there_is_no_value_even_if_others_are_left_to_numpy(name):
    params = [one for one in NAMES[name] if one["r"] > 1]
    (wanted,) = evaluate(SLOWLY[name], params, [np.ones(9)])
    assert np.isnan(wanted).all()
    assert np.isnan(calculate(np.ones(9), name, *NAMES[name])[-len(params) :]).all()


def _shuffled(n, r):
    """Values of a grid in any order: borders of bins fall on values, but for a last bit."""
    return np.random.default_rng([n, r]).permutation(n) * 0.1 - 0.7


@pytest.mark.parametrize("r", [1, 2, 3, 5, 7, 10, 30])
def test_borders_of_bins_have_pandas_bits(r):
    edge = called(langevin._edge)
    for n in (*range(3, 61), 257):
        x = _shuffled(n, r)
        s = np.sort(x)
        left_out = int(np.searchsorted(s, x[-1]))
        wanted = pd.qcut(x[:-1], r, labels=False, retbins=True)[1]
        found = [edge(s, left_out, k, r) for k in range(r + 1)]
        assert found == wanted.tolist(), n


@pytest.mark.parametrize("r", [3, 5, 7, 10, 30])
def test_values_on_borders_lie_in_pandas_bins(r):
    params = [{"coeff": c, "m": 2, "r": r} for c in range(3)]
    for n in (*range(3 * r, 3 * r + 12), 10 * r + 2, 257):
        x = _shuffled(n, r)
        wanted = pytest.approx(_fit(tuple(x), 2, r), rel=1e-7, abs=1e-10)
        assert calculate(x, "friedrich_coefficients", *params) == wanted, n
        assert langevin.fit_exactly(x, 2, r) == wanted, n


def test_a_double_root_at_zero():
    assert called(langevin._quadratic_maximum)(0.0, 0.0) == 0.0


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_roots_equal_numpys(degree):
    fixed_point = called(langevin._fixed_point)
    rng = np.random.default_rng(degree)
    for _ in range(500):
        c = rng.normal(size=degree + 1) * 10 ** rng.uniform(-3, 3, size=degree + 1)
        c[rng.random(degree + 1) < 0.1] = 0.0
        wanted = np.roots(c).real.max() if np.roots(c).size else math.nan
        found = fixed_point(c, np.empty(3))
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12, nan_ok=True), c


def test_a_drift_without_noise_is_found():
    x = [0.3]  # the logistic map
    while len(x) < 3_000:
        x.append(3.9 * x[-1] * (1 - x[-1]))
    params = [{"coeff": c, "m": 2, "r": 200} for c in range(3)]
    found = calculate(x, "friedrich_coefficients", *params)
    assert found == pytest.approx([-3.9, 2.9, 0.0], abs=1e-2)
    (point,) = calculate(x, "max_langevin_fixed_point", {"m": 2, "r": 200})
    assert point == pytest.approx(1 - 1 / 3.9, rel=1e-3)
