"""Quantiles equal numpy's, at the edges and between values."""

from __future__ import annotations

import numpy as np
import pytest

from ..families import make
from ..single import calculate

Q = (0.0, 0.1, 0.333, 0.5, 0.9, 1.0)


@pytest.mark.parametrize("n", [1, 2, 5, 99, 500])
@pytest.mark.parametrize("family", ["noise", "ties", "heavy", "constant"])
def test_quantiles(family, n):
    x = make(family, n)
    found = calculate(x, "quantile", *({"q": q} for q in Q))
    np.testing.assert_allclose(found, np.quantile(x, Q), rtol=1e-14)
    assert (np.diff(found) >= 0).all()


def test_a_quantile_does_not_depend_on_the_order_of_values(rng):
    x = make("walk", 101)
    shuffled = rng.permutation(x)
    rows = [{"q": q} for q in Q]
    assert (
        calculate(x, "quantile", *rows).tolist() == calculate(shuffled, "quantile", *rows).tolist()
    )


@pytest.mark.parametrize("n", [1, 2, 7, 300, 301])
def test_the_median_is_the_same_from_sorted_values_and_alone(n):
    from tidemill.calculators import Program
    from tidemill.model.series import SeriesBlock

    x, ends = make("noise", n), np.array([n])
    out = np.empty((1, 2))
    block = SeriesBlock("x", x, ends * 0, ends)
    Program([("median", {}), ("quantile", {"q": 0.5})]).calculate(block, out)
    assert out[0, 0] == calculate(x, "median")[0] == np.median(x)
