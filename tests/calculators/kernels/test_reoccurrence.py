"""What occurs more than once, against numpy.unique: the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ..single import calculate

VALUES = st.one_of(st.floats(-1e9, 1e9), st.sampled_from([0.0, -0.0, 0.1, 0.2, -0.3, 7.0]))
NAMES = (
    "percentage_of_reoccurring_values_to_all_values",
    "percentage_of_reoccurring_datapoints_to_all_datapoints",
    "sum_of_reoccurring_values",
    "sum_of_reoccurring_data_points",
    "ratio_value_number_to_time_series_length",
    "has_duplicate",
)


def _slowly(x):
    unique, counts = np.unique(x, return_counts=True)
    often = counts > 1
    return (
        often.mean(),
        counts[often].sum() / len(x),
        np.sum(often * unique),
        np.sum(often * counts * unique),
        len(unique) / len(x),
        often.any(),
    )


@given(arrays(np.float64, st.integers(1, 60), elements=VALUES))
def test_equals_numpy_bit_for_bit(x):
    found = [calculate(x, name)[0] for name in NAMES]
    assert found == list(_slowly(x))


@pytest.mark.parametrize("n", [1, 2, 3, 129, 1_000, 5_000])
def test_sums_of_many_values_are_in_numpys_order(n):
    x = np.random.default_rng(n).integers(-n, n, size=n) * 0.1
    found = [calculate(x, name)[0] for name in NAMES]
    assert found == list(_slowly(x))
