"""Pairs in the wrong order beside a comparison of all pairs."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from tidemill.calculators.numerics.inversions import bits_of, count_bits, inversions


@numba.njit
def counted(sequence):
    return inversions(sequence)


@numba.njit
def by_tree(sequence):
    """A tree of counts (P. M. Fenwick, Softw. Pract. Exp. 24 (1994) 327)."""
    counts = np.zeros(len(sequence) + 1, np.int64)
    wrong = 0
    for i in range(len(sequence)):
        wrong += i
        j = sequence[i] + 1
        while j:
            wrong -= counts[j]
            j -= j & -j
        j = sequence[i] + 1
        while j <= len(sequence):
            counts[j] += 1
            j += j & -j
    return wrong


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 128, 1_000, 2**14, 2**14 + 1, 40_000, 300_000])
def test_inversions_are_those_of_a_tree(n):
    rng = np.random.default_rng(n)
    for sequence in (rng.permutation(n), np.arange(n), np.arange(n)[::-1]):
        assert counted(sequence.astype(np.int32)) == by_tree(sequence)


def test_bits():
    @numba.njit
    def both(n):
        return bits_of(n), count_bits(np.uint64(n))

    assert [both(n) for n in (1, 2, 3, 255, 256, 257)] == [
        (0, 1), (1, 1), (2, 2), (8, 8), (8, 1), (9, 2),
    ]  # fmt: skip
