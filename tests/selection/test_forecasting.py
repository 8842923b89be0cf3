"""Forecasting frames beside tsfresh."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.selection import make_forecasting_frame

from ..support.tsfresh_selection import original


@pytest.mark.parametrize(
    "x",
    [
        [3.0, 1.0, 4.0, 1.0, 5.0],
        np.arange(6),
        pd.Series([5.0, 6, 7, 8], index=pd.date_range("2026", periods=4)),
        pd.Series([5.0, 6, 7, 8], index=[10, 11, 12, 13], name="price"),
    ],
    ids=["list", "array", "dates", "integers"],
)
@pytest.mark.parametrize("max_timeshift", [None, 1, 3])
@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("min_timeshift", [0, 1])
def test_frames_are_those_of_tsfresh(x, max_timeshift, direction, min_timeshift):
    arguments = (x, "price", max_timeshift, direction, min_timeshift)
    ours = make_forecasting_frame(*arguments)
    theirs = original("make_forecasting_frame")(*arguments)
    pd.testing.assert_frame_equal(ours[0], theirs[0][list(ours[0].columns)])
    pd.testing.assert_series_equal(ours[1], theirs[1])
