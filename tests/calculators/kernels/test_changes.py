"""Changes between neighbours against the obvious formulas."""

from __future__ import annotations

import numpy as np
import pytest

from ..families import make
from ..single import calculate

LENGTHS = (2, 3, 10, 257)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("family", ["noise", "ties", "offset"])
def test_changes(family, n):
    x = make(family, n)
    d = np.diff(x)
    wanted = {
        "absolute_sum_of_changes": np.abs(d).sum(),
        "mean_abs_change": np.abs(d).mean(),
        "mean_change": (x[-1] - x[0]) / (n - 1),
        "mean_second_derivative_central": (
            (x[-1] - x[-2] - x[1] + x[0]) / (2 * (n - 2)) if n > 2 else np.nan
        ),
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(calculate(x, name), [value], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("n", LENGTHS)
def test_complexity_of_scaled_values_knows_no_scale(n):
    x = make("noise", n)
    plain, scaled = calculate(x, "cid_ce", {"normalize": False}, {"normalize": True})
    assert plain == pytest.approx(np.sqrt((np.diff(x) ** 2).sum()))
    assert scaled == pytest.approx(plain / x.std())
    assert calculate(8 * x + 1, "cid_ce", {"normalize": True})[0] == pytest.approx(scaled)


def test_a_constant_series_has_no_complexity():
    assert calculate(np.full(9, 2.0), "cid_ce", {"normalize": True}).tolist() == [0]
