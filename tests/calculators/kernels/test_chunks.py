"""Shares of the sum, against a few lines of numpy: the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from ..families import FAMILIES, make
from ..single import calculate

SHARES = tuple(np.linspace(0, 1, 21).tolist())


def _place_slowly(x, q):
    share = np.cumsum(np.abs(x)) / np.sum(np.abs(x))
    return (np.argmax(share >= q) + 1) / len(x)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "zero"])
def test_index_mass_quantile(family):
    for n in (2, 3, 10, 100, 1_000, 3_001):
        x = make(family, n)
        if x.any():
            found = calculate(x, "index_mass_quantile", *[{"q": q} for q in SHARES])
            assert found.tolist() == [_place_slowly(x, q) for q in SHARES]


@pytest.mark.parametrize("segments", [1, 2, 3, 7, 10, 64])
def test_energy_ratio_by_chunks(segments):
    for n in (1, 5, 9, 10, 11, 100, 1_003):
        x = make("noise", n)
        params = [{"num_segments": segments, "segment_focus": i} for i in range(segments)]
        wanted = [np.sum(chunk**2) / np.sum(x**2) for chunk in np.array_split(x, segments)]
        assert calculate(x, "energy_ratio_by_chunks", *params).tolist() == wanted


def test_a_segment_that_is_not_there_has_no_share():
    params = {"num_segments": 3, "segment_focus": 3}
    assert np.isnan(calculate(np.ones(9), "energy_ratio_by_chunks", params)).all()


@pytest.mark.parametrize("name", ["index_mass_quantile", "energy_ratio_by_chunks"])
def test_zeros_have_no_shares(name):
    params = {"q": 0.5} if name.startswith("index") else {"num_segments": 3, "segment_focus": 0}
    assert np.isnan(calculate(np.zeros(9), name, params)).all()
