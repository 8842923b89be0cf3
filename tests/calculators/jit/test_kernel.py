"""A kernel's loop is compiled for each combination of element types, once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tidemill.calculators.jit import cache
from tidemill.calculators.jit import kernel as module
from tidemill.calculators.jit.kernel import Kernel, compiled_here, kernel, load_kernel


@kernel
def _scaled_sum(x, params, out):
    (factors,) = params
    for j in range(len(out)):
        out[j] = factors[j] * x.sum()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path)
    return tmp_path


def test_a_loop_fills_its_columns_and_leaves_short_series_nan(folder):
    types = ("float64",), ("int64",)
    fresh, before = Kernel(_scaled_sum.function), compiled_here()
    assert not fresh.is_ready(*types)
    loop = fresh.loop(*types)
    assert fresh.is_ready(*types)
    assert fresh.loop(*types) is loop
    assert not fresh.is_ready(("float64",), ("float64",))
    stops = np.array([3, 4])
    x, out = np.array([1.0, 2.0, 3.0, 4.0]), np.full((2, 4), -1.0)
    loop(np.array([3, 1]), 2, x, np.array([0, 3]), stops, (np.array([1, 10]),), out, 1, 3)
    assert np.array_equal(out, [[-1, 6, 60, -1], [-1, math.nan, math.nan, -1]], equal_nan=True)
    assert compiled_here() == before + 1
    again = Kernel(_scaled_sum.function)
    assert again.is_ready(*types)
    assert not again.loop(*types).stats.cache_misses
    assert compiled_here() == before + 1


def test_a_kernel_is_loaded_by_its_place():
    found = load_kernel("kernels.changes:cid_ce")
    assert (found.name, load_kernel("kernels.changes:cid_ce")) == ("changes.cid_ce", found)
    with pytest.raises(AssertionError):
        load_kernel("kernels.changes:math")
