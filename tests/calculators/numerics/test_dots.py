"""Sums of products have the order of OpenBLAS on AVX-512, on every CPU."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tidemill.calculators.numerics import dots

from ..single import called

convolve = called(dots.convolve)
dot = called(dots.dot)
plain_dot = called(dots.plain_dot)


def fused(a: float, b: float, c: float) -> float:
    """a * b + c, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def slow_dot(x: list[float], k: list[float]) -> float:
    """The order that the module describes, one operation at a time."""
    n = len(x)
    groups, pairs = n // 16 * 16, n // 32 * 32
    sums = [0.0] * 32
    for t in range(pairs):
        sums[t % 32] = fused(x[t], k[t], sums[t % 32])
    sums = [sums[8 * (t // 4) + t % 4] + sums[8 * (t // 4) + 4 + t % 4] for t in range(16)]
    for t in range(pairs, groups):
        sums[t - pairs] = fused(x[t], k[t], sums[t - pairs])
    s = [((sums[q] + sums[4 + q]) + sums[8 + q]) + sums[12 + q] for q in range(4)]
    total = (s[0] + s[2]) + (s[1] + s[3])
    for t in range(groups, n):
        total = fused(x[t], k[t], total)
    return total


def slow_convolve(x: np.ndarray, k: np.ndarray) -> np.ndarray:
    """numpy.convolve(x, k, "same") for a symmetric k, element by element."""
    first = -(len(k) // 2)
    out = []
    for i in range(len(x)):
        start, stop = max(i + first, 0), min(i + first + len(k), len(x))
        a, b = x[start:stop].tolist(), k[start - i - first : stop - i - first].tolist()
        whole = len(a) == len(k) <= 11
        out.append(sum(map(float.__mul__, a, b)) if whole else slow_dot(a, b))
    return np.array(out)


def convolved(x: np.ndarray, k: np.ndarray) -> np.ndarray:
    out = np.empty(len(x))
    convolve(x, k, out)
    return out


def like_numpy() -> bool:
    """Whether numpy's BLAS has the same order here."""
    rng = np.random.default_rng(1)
    pairs = [rng.normal(size=(2, n)) for n in range(1, 100)]
    return all(slow_dot(x.tolist(), k.tolist()) == np.dot(x, k) for x, k in pairs)


def symmetric(rng: np.random.Generator, taps: int) -> np.ndarray:
    k = rng.normal(size=taps)
    return k + k[::-1]


def test_dots_equal_the_slow_ones_bit_for_bit():
    rng = np.random.default_rng(0)
    for n in range(150):
        x, k = rng.normal(size=(2, n + 3))
        wanted = slow_dot(x[2 : n + 2].tolist(), k[1 : n + 1].tolist())
        assert dot(x, 2, k, 1, n) == wanted, n


def test_plain_dots_are_summed_in_turn():
    x, k = np.random.default_rng(0).normal(size=(2, 20))
    for n in range(12):
        assert plain_dot(x, 3, k, 5, n) == sum((x[3 : n + 3] * k[5 : n + 5]).tolist())


@pytest.mark.parametrize("taps", [1, 2, 10, 11, 12, 15, 16, 20, 31, 32, 47, 48, 50, 63, 64, 101])
def test_convolutions_equal_the_slow_ones_bit_for_bit(taps):
    rng = np.random.default_rng(taps)
    k = symmetric(rng, taps)
    for n in (taps, taps + 1, taps + 7, taps + 8, taps + 30):
        x = rng.normal(size=n).cumsum()
        assert convolved(x, k).tolist() == slow_convolve(x, k).tolist(), n


@pytest.mark.skipif(not like_numpy(), reason="numpy's BLAS adds in another order on this CPU")
def test_convolutions_equal_numpys_bit_for_bit():
    rng = np.random.default_rng(0)
    for n in (*range(1, 120, 7), 1_000):
        x = rng.integers(-3, 4, size=n).astype(float)
        for taps in range(1, min(n, 130) + 1):
            k = symmetric(rng, taps)
            assert convolved(x, k).tolist() == np.convolve(x, k, "same").tolist(), (n, taps)
