"""Sums have numpy's bits."""

from __future__ import annotations

import numpy as np
import pytest

from tidemill.calculators.numerics import sums

from ..single import called

pairwise_sum = called(sums.pairwise_sum)
sum_of_distances = called(sums.sum_of_distances)
sum_of_squares = called(sums.sum_of_squares)

LENGTHS = [*range(290), 1_000, 1_023, 4_096, 8_191, 8_192, 8_193, 10_000, 65_537, 100_003, 131_072]


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(7)
    return rng.normal(size=max(LENGTHS)) * 10 ** rng.uniform(-6, 6, size=max(LENGTHS))


def test_sums_equal_numpy_bit_for_bit_at_300_lengths(values):
    assert len(LENGTHS) == 300
    for n in LENGTHS:
        x = values[:n]
        assert np.float64(pairwise_sum(x)).tobytes() == np.sum(x).tobytes(), n


def test_variances_equal_numpy_bit_for_bit(values):
    for n in LENGTHS[1:]:
        x = values[:n]
        mean = pairwise_sum(x) / n
        assert mean == np.mean(x)
        assert sum_of_squares(x, mean, n) / n == np.var(x), n


@pytest.mark.parametrize("x", [[-0.0], [-0.0] * 9, [0.0, -0.0]])
def test_the_sign_of_zero_is_numpys(x):
    assert np.signbit(pairwise_sum(np.array(x))) == np.signbit(np.sum(x))


def test_terms_are_summed(values):
    x = values[:1_000]
    assert sum_of_distances(x, 0.5, 1_000) == np.sum(x - 0.5)
