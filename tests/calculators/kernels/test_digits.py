"""First digits are those of the decimals that Python and numpy write."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidemill.calculators.kernels import digits
from tidemill.calculators.kernels.digits import _DIGIT, _LIMITS

from ..families import FAMILIES, make
from ..single import calculate, called

_limits_up_to = called(digits._limits_up_to)


def _digit(value: float) -> int:
    return int(_DIGIT[_limits_up_to(value, np.float64(value).view(np.uint64))])


@given(st.floats(0, allow_infinity=False, allow_nan=False))
@example(0.9999999999)
@example(1e-5)
@example(1e22)
@example(1e23)  # written so although the double lies below
@example(9.999999999999999e22)
@example(5e-324)
@example(0.1 + 0.2)
@example(sys.float_info.min)
@example(sys.float_info.max)
def test_the_digit_is_that_of_pythons_decimal(value):
    text = f"{value!r}".replace(".", "").lstrip("0")
    assert _digit(value) == int(text[0] if text and text[0] != "e" else 0)
    assert _digit(value) == int(np.format_float_scientific(value)[0])


def test_every_limit_and_its_neighbours():
    # The digit can change at a limit only, so this covers all doubles.
    limits = np.unique(_LIMITS[np.isfinite(_LIMITS)])
    values = np.concatenate([np.nextafter(limits, 0), limits, np.nextafter(limits, np.inf)])
    for v in values[np.isfinite(values)]:
        assert _digit(v) == int(np.format_float_scientific(v)[0]), v


def test_the_smallest_doubles():
    for v in np.arange(1, 3_000) * 5e-324:
        assert _digit(v) == int(np.format_float_scientific(v)[0]), v


@pytest.mark.parametrize("family", FAMILIES)
def test_stretches_are_counted_as_single_values_are(family):
    law = np.log10(1 + 1 / np.arange(1, 10))
    for n in (1, 2, 7, 8, 9, 16, 17, 100, 2_000):
        x = make(family, n) * 10.0 ** np.random.default_rng(n).integers(-3, 4, size=n)
        digits = np.array([_digit(abs(value)) for value in x])
        shares = [(digits == digit).mean() for digit in range(1, 10)]
        with np.errstate(invalid="ignore"):
            wanted = np.corrcoef(law, shares)[0, 1]
        found = calculate(x, "benford_correlation")[0]
        assert found == pytest.approx(wanted, rel=1e-13, nan_ok=True)
