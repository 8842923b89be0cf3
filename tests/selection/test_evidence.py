"""What columns say about a target does not depend on batches or threads."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.selection.columns import column_batches
from tidemill.selection.evidence import measure
from tidemill.selection.targets import read_target

from ..support.tsfresh_selection import mixture


@pytest.mark.parametrize("y", [np.arange(40) % 3, np.sqrt(np.arange(40.0))])
def test_batches_and_threads_change_no_bit(y):
    matrix = mixture(40, 33, seed=1)
    target = read_target(pd.Series(y), matrix.index)
    expected = measure(column_batches(matrix), target)
    for chunksize, threads in ((1, 1), (5, 3), (33, 2)):
        found = measure(column_batches(matrix, chunksize), target, threads=threads)
        assert found.types.tolist() == expected.types.tolist()
        np.testing.assert_array_equal(found.p_values, expected.p_values)


def test_types_have_names():
    matrix = pd.DataFrame({"a": [1.0, 1, 1], "b": [1.0, 1, 2], "c": [1.0, 2, 3]})
    target = read_target(pd.Series([0, 1, 1]), matrix.index)
    found = measure(column_batches(matrix), target)
    assert found.type_names() == ["constant", "binary", "real"]
