"""The order of equal values is that of numpy's argsort on this machine."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tidemill.calculators.kernels import complexity
from tidemill.calculators.numerics.ties import FIRST, LAST, _number, _weak_orders, tie_numbers
from tidemill.model.series import SeriesBlock

from ..single import called

_sort_by_network = called(complexity._sort_by_network)


def _table():
    ends = np.array([3, 7], dtype=np.int64)
    table, starts, stops = tie_numbers(SeriesBlock("x", np.zeros(7), ends - [3, 4], ends))
    assert starts.tolist() == [0, 0]
    assert stops.tolist() == [len(table)] * 2
    return table


def _rows(n, seed=0):
    return np.random.default_rng(seed).integers(0, max(2, n // 2), size=(500, n)).astype(float)


@pytest.mark.parametrize(("n", "count"), [(1, 1), (2, 3), (3, 13), (4, 75), (5, 541), (6, 4683)])
def test_weak_orders_are_complete(n, count):
    rows = _weak_orders(n)
    assert len(rows) == len(np.unique(rows, axis=0)) == count


@pytest.mark.parametrize("n", range(FIRST, LAST + 1))
def test_table_gives_the_permutations_that_numpy_makes(n):
    first = 1 + sum(2 ** (k - 1) * math.factorial(k) for k in range(FIRST, n))
    rows = _rows(n)
    later = [(rows[:, i + 1 :] == rows[:, i : i + 1]).any(axis=1) for i in range(n - 1)]
    equal = sum(one.astype(int) << (n - 2 - i) for i, one in enumerate(later))
    found = _table()[first + equal * math.factorial(n) + _number(rows)]
    np.testing.assert_array_equal(found, _number(np.argsort(np.argsort(rows))))


@pytest.mark.parametrize("n", [2, 3, 7, 8, 9, 16, 17, 100, 256])
def test_numpy_sorts_by_this_network_or_by_insertion(n):
    by_network = bool(_table()[0])
    if not by_network and n > 16:
        pytest.skip("numpy sorts longer rows by partition here")
    places = np.empty(n, dtype=np.int64)
    for row in _rows(n)[:50]:
        stable = np.argsort(row, kind="stable")
        if by_network:
            _sort_by_network(row, places)
        np.testing.assert_array_equal(np.argsort(row), places if by_network else stable)
