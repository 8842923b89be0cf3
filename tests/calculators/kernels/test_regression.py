"""Coefficients of autoregressive processes, against statsmodels' own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg

from tidemill.calculators.kernels import pseudoinverse

from ..single import calculate
from ..slowly import ALL, calculate_all, differences, series_of

ORDERS = (0, 1, 2, 4, 10)
PARAMS = [{"coeff": coeff, "k": k} for k in ORDERS for coeff in range(k + 2)]

#: Families at which coefficients are anything, or zero, but for rounding errors.
ROUNDING = ("constant", "step")


def _fit(x, k):
    try:
        return AutoReg([*x], lags=k, trend="c").fit().params
    except ValueError:  # too short
        return np.full(k, math.nan)


def _slowly(x, params):
    fits = {k: _fit(x, k) for k in {one["k"] for one in params}}
    for one in params:
        fit, coeff = fits[one["k"]], one["coeff"]
        # tsfresh's list for a series too short has no last coefficient, and the lack counts as 0.
        yield math.nan if coeff > one["k"] else fit[coeff] if coeff < len(fit) else 0.0


@pytest.mark.parametrize("family", ALL)
def test_equals_statsmodels(family):
    unstable = family in ROUNDING
    assert not differences("ar_coefficient", PARAMS, _slowly, family, unless_unstable=unstable)


@pytest.mark.parametrize("family", ["walk", "ties", "offset", "sine", "ramp"])
def test_equals_statsmodels_at_2000(family):
    assert not differences("ar_coefficient", PARAMS, _slowly, family, [2_000])


def test_a_process_without_noise_is_found():
    x = [1.0, 2.0, -1.0]
    for _ in range(60):
        x.append(0.5 + 0.6 * x[-1] - 0.3 * x[-2] + 0.2 * x[-3])
    found = calculate(x, "ar_coefficient", *[{"coeff": c, "k": 3} for c in range(4)])
    assert found == pytest.approx([0.5, 0.6, -0.3, 0.2], rel=1e-7)


def test_a_step_has_the_coefficients_of_its_equations():
    # 0, ..., 0, 1, ..., 1: from 0 follows 1 in one of 31 rows, from 1 always 1.
    x = series_of("step", 60)
    found = calculate(x, "ar_coefficient", *[{"coeff": c, "k": 2} for c in range(3)])
    assert found == pytest.approx([1 / 30, 29 / 30, 0.0], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("family", ["walk", "seasonal", "ties", "offset"])
def test_numpys_steps_give_what_the_kernel_gives(family):
    x = series_of(family, 400)
    coeff, k = np.array([(one["coeff"], one["k"]) for one in PARAMS]).T
    by_numpy = pseudoinverse.autoregression(x, np.empty(0), coeff, k)
    by_kernel = calculate(x, "ar_coefficient", *PARAMS)
    assert by_numpy == pytest.approx(by_kernel.tolist(), rel=1e-6, abs=1e-8, nan_ok=True)


def test_one_combination_alone_and_any_order_give_the_same_bits():
    series = [series_of(family, n) for family in ("sine", "ramp", "walk") for n in (9, 40, 150)]
    together = calculate_all("ar_coefficient", PARAMS, series)
    backwards = calculate_all("ar_coefficient", PARAMS[::-1], series)[:, ::-1]
    alone = [calculate_all("ar_coefficient", [one], series) for one in PARAMS]
    assert together.tobytes() == backwards.tobytes()
    assert together.tobytes() == np.hstack(alone).tobytes()
