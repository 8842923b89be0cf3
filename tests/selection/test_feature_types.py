"""Types of columns beside tsfresh."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.selection import get_feature_type

from ..support.tsfresh_selection import original


@pytest.mark.parametrize(
    "values",
    [
        [0.0, -0.0],
        [1.0, 1.0, 1.0],
        [1.0, 2.0],
        [True, False, True],
        [2**53, 2**53 + 1, 2**53 + 2],
        [np.nan, np.nan],
        [np.nan, 1.0],
        [np.inf, -np.inf],
        ["a", "b", "a"],
        [1, 2, 3],
        [5e-324, 0.0],
    ],
)
def test_types_are_those_of_tsfresh(values):
    column = pd.Series(values)
    assert get_feature_type(column) == original("get_feature_type")(column)
