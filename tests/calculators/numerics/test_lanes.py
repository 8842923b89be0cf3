"""Lanes calculate what single numbers do."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from tidemill.calculators.numerics.lanes import fold, lanes_of, numbers_of

X = np.random.default_rng(11).normal(size=20) * 1e3


@numba.njit
def _by_lanes(x, i, a):
    lanes = lanes_of(x)
    one, two = lanes[i], lanes[i + 1]
    one += two * two
    return fold(abs(one - a) * 2 + (3 - two) * lanes[0] + (a + one))


def _by_numpy(x, i, a):
    one, two = x[i : i + 8], x[i + 1 : i + 9]
    one = one + two * two
    r = np.abs(one - a) * 2 + (3 - two) * x[:8] + (a + one)
    return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))


@pytest.mark.parametrize("i", range(11))
def test_any_place_of_an_array_will_do(i):
    assert _by_lanes(X, i, 0.1) == _by_numpy(X, i, 0.1)


def test_numbers_are_the_values():
    @numba.njit
    def pick(x, i):
        return numbers_of(lanes_of(x))[i]

    assert [pick(X, i) for i in range(len(X))] == X.tolist()


def test_other_arrays_have_no_lanes():
    @numba.njit
    def view(x):
        return fold(lanes_of(x)[0])

    for wrong in (X[::2], X.astype(np.float32), np.arange(8)):
        with pytest.raises(numba.TypingError):
            view(wrong)
