"""The median by selection has the bits of the median by sorting, and no bad case."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tidemill.calculators import Program
from tidemill.model.series import SeriesBlock

from ..single import calculate

FLOATS = st.floats(-1e9, 1e9, allow_nan=False)
TIES = st.integers(-2, 2).map(float)


def _median(values, *others):
    program = Program([("median", {}), *others])
    out = np.empty((1, len(program.columns)))
    ends = np.array([len(values)], dtype=np.int64)
    program.calculate(SeriesBlock("x", values, ends * 0, ends), out)
    return out[0, 0]


@given(arrays(np.float64, st.integers(1, 300), elements=st.one_of(FLOATS, TIES)))
def test_selection_equals_sorting_bit_for_bit(values):
    selected = _median(values)
    assert selected == np.median(values)
    by_sorting = _median(values, ("quantile", {"q": 0.5}))
    assert selected.tobytes() == by_sorting.tobytes()


@given(arrays(np.float64, st.integers(1, 300), elements=st.one_of(FLOATS, TIES)))
def test_the_largest_absolute_values(values):
    counts = (1, 2, 7, 50, 299)
    found = calculate(values, "mean_n_absolute_max", *[{"number_of_maxima": k} for k in counts])
    for k, mean in zip(counts, found, strict=True):
        largest = np.sort(np.abs(values))[-k:]
        assert mean == np.mean(largest) if len(values) > k else np.isnan(mean)


def test_no_simple_pattern_makes_the_selection_slow():
    n = 50_000
    ramp = np.arange(float(n))
    patterns = {
        "ramp": ramp,
        "falling": ramp[::-1].copy(),
        "organ pipe": np.minimum(ramp, ramp[::-1]),
        "sawtooth": ramp % 100,
        "constant": np.zeros(n),
        "one spike": (ramp == 7).astype(float),
        "blocks": np.repeat([3.0, 1.0, 2.0, 0.0], n // 4),
    }
    _median(ramp)
    for name, values in patterns.items():
        before = time.perf_counter()
        assert _median(values) == np.median(values), name
        assert time.perf_counter() - before < 0.1, name  # quadratic: more than a second
