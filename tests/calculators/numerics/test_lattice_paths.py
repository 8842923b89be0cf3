"""Shares of paths beside counts in whole numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numba
import pytest

from tidemill.calculators.numerics.lattice_paths import share_leaving


@numba.njit
def found(m, n, h):
    return share_leaving(m, n, h)


def counted(m: int, n: int, h: int) -> float:
    """By all paths that stay."""
    bound = h * math.gcd(m, n)
    stay = [0] * (n + 1)
    for i in range(m + 1):
        for j in range(n + 1):
            paths = stay[j] + (stay[j - 1] if j else 0) if i or j else 1
            stay[j] = paths if abs(i * n - j * m) < bound else 0
    total = math.comb(m + n, n)
    return float(Fraction(total - stay[n], total))


@pytest.mark.parametrize(
    ("m", "n"), [(1, 1), (2, 1), (7, 5), (40, 40), (60, 42), (700, 7), (333, 250)]
)
def test_shares_are_right_to_the_last_digits(m, n):
    highest = m * n // math.gcd(m, n)
    for h in range(1, highest + 1, max(1, highest // 12)):
        assert found(m, n, h) == pytest.approx(counted(m, n, h), rel=1e-13, abs=1e-300)
