"""How numpy's argsort orders equal values in short rows, which permutation entropy follows.

With AVX2 or AVX-512 numpy sorts rows of up to 256 values by a network, elsewhere by insertion,
so the order of equal values depends on the machine. numpy itself is asked, once per process,
about each way in which up to seven values can be equal or not (50,000 rows, 50 ms).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from tidemill.calculators.jit.workspace import Ragged
from tidemill.model.series import SeriesBlock

__all__ = ["FIRST", "LAST", "tie_numbers"]

FIRST, LAST = 2, 7  # the numbers of values that the table covers

Ranks = npt.NDArray[np.integer]


def tie_numbers(block: SeriesBlock) -> Ragged:
    """The same table for every series: int64[1 + ...].

    Its first element says whether numpy sorts by a network. Then follow the tables for 2 to 7
    values: for ``equal * factorial(n) + number`` the number of the permutation that numpy
    makes, where ``number`` is that of the stable one, and the bits of ``equal`` are set for
    values that are equal to a later one (the highest bit for the first value).
    """
    starts = np.zeros(block.n_series, dtype=np.int64)
    return _table(), starts, starts + len(_table())


@cache
def _table() -> Ranks:
    tables = [_table_of(n) for n in range(FIRST, LAST + 1)]
    stable = np.arange(len(tables[-1])) % math.factorial(LAST)
    sorts_by_network = (tables[-1] != stable) & (tables[-1] >= 0)
    return np.concatenate([[sorts_by_network.any()], *tables]).astype(np.int64)


def _table_of(n: int) -> Ranks:
    rows = _weak_orders(n)
    later = [rows[:, i + 1 :] == rows[:, i : i + 1] for i in range(n - 1)]
    equal = sum(one.any(axis=1) << (n - 2 - i) for i, one in enumerate(later))
    table = np.full(2 ** (n - 1) * math.factorial(n), -1)
    table[equal * math.factorial(n) + _number(rows)] = _number(
        np.argsort(np.argsort(rows.astype(np.float64)))
    )
    return table


def _number(rows: Ranks) -> Ranks:
    """The number of each row's permutation, in lexicographic order; equal values ascend."""
    n = rows.shape[1]
    smaller = [(rows[:, i + 1 :] < rows[:, i : i + 1]).sum(axis=1) for i in range(n)]
    number: Ranks = sum(d * math.factorial(n - 1 - i) for i, d in enumerate(smaller))
    return number


def _weak_orders(n: int) -> Ranks:
    """Every way in which n values can be smaller than or equal to each other, as ranks."""
    rows = np.zeros((1, 1), dtype=np.int8)
    for _ in range(1, n):
        highest = rows.max(axis=1)
        longer = []
        for rank in range(n):
            equal = rows[highest >= rank]
            between = rows[highest + 1 >= rank]
            between = between + (between >= rank)
            longer += [np.insert(part, part.shape[1], rank, axis=1) for part in (equal, between)]
        rows = np.concatenate(longer)
    return rows
