"""Counts of a query, against a few lines of numpy on windows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ..families import make
from ..single import calculate

QUERIES = ((0.0, 1.0, 0.5), (3.0, -1.0, 2.0, 2.0, 0.5), tuple(np.sin(np.arange(20.0)).tolist()))


def _unit(x):
    deviation = x.std(axis=-1, keepdims=True)
    flat = np.ptp(x, axis=-1, keepdims=True) == 0
    distances = x - x.mean(axis=-1, keepdims=True)
    return np.where(flat, 0.0, distances / np.where(flat, 1.0, deviation))


def _slowly(x, query, threshold, normalize):
    q = np.array(query)
    windows = np.lib.stride_tricks.sliding_window_view(x, len(q))
    if normalize:
        q, windows = _unit(q), _unit(windows)
    return np.sum(np.sqrt(np.sum((windows - q) ** 2, axis=1)) <= threshold)


@pytest.mark.parametrize("family", ["noise", "walk", "ties", "binary", "seasonal", "constant"])
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_numpy(family, normalize):
    params = [
        {"query": query, "threshold": threshold, "normalize": normalize}
        for query in QUERIES
        for threshold in (0.7123, 1.9, 3.3)
    ]
    for n in (20, 50, 500):
        x = make(family, n)
        assert calculate(x, "query_similarity_count", *params).tolist() == [
            _slowly(x, **one) for one in params
        ]


def test_what_is_in_the_series_is_found():
    x = make("noise", 200)
    params = [
        {"query": tuple((scale * x[i : i + 8] + scale - 1).tolist()), "threshold": 1e-6}
        for i, scale in [(0, 1.0), (50, 1.0), (192, 1.0), (50, 3.0)]
    ]
    assert calculate(x, "query_similarity_count", *params).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("query", [None, (), (1.0, 2.0), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)], ids=str)
def test_no_query_a_short_and_a_long_one_have_no_count(query):
    params = ({"query": query, "threshold": 9.0}, {"query": (1.0, 2.0, 4.0), "threshold": 9.0})
    missing, found = calculate(np.arange(5.0), "query_similarity_count", *params)
    assert math.isnan(missing)
    assert found == 3


def test_constant_windows():
    x = np.array([1.0, 1.0, 1.0, 1.0, 5.0, 2.0])
    flat = [{"query": (4.0, 4.0, 4.0), "threshold": t} for t in (0.0, 1.7, math.sqrt(3))]
    assert calculate(x, "query_similarity_count", *flat).tolist() == [2, 2, 4]
