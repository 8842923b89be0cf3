"""Helpers are compiled into kernels only."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from tidemill.calculators.jit.decorators import helper
from tidemill.calculators.jit.kernel import kernel


@helper
def _root(value):
    return np.sqrt(value)


@helper
def _add_roots(x, total):
    for i in range(len(x)):
        total += _root(x[i])
    return total


@kernel
def _roots(x, params, out):
    out[0] = _add_roots(x, 0.0)
    out[1] = _add_roots(x[1:], np.int64(1))


def test_a_kernel_holds_what_its_helpers_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TIDEMILL_CACHE_DIR", str(tmp_path))
    x, out = np.array([1.0, 4.0, 9.0]), np.empty((1, 2))
    stops = np.array([3])
    _roots.loop(("float64",), ())(stops, 1, x, stops - 3, stops, (), out, 0, 2)
    assert out.tolist() == [[6.0, 6.0]]


def test_machine_code_holds_all_that_it_calls():
    @numba.njit
    def roots(x):
        return _add_roots(x, 0.0)

    assert roots(np.array([1.0, 4.0, 9.0])) == 6.0
    (text,) = roots.inspect_llvm().values()
    assert not [line for line in text.splitlines() if line.startswith("declare") and "root" in line]


def test_python_cannot_call_a_helper():
    with pytest.raises(TypeError, match="bad argument"):
        _root(4.0)
