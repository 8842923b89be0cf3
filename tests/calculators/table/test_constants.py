"""Constant series have the skewness and kurtosis of the installed pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.calculators.table import constants


def test_the_value_is_that_of_pandas():
    (value,) = constants.moments_of_constants()
    series = pd.Series(np.full(5, 3.0))
    assert np.array_equal(value, [series.skew()], equal_nan=True)
    assert np.array_equal(value, [series.kurt()], equal_nan=True)


@pytest.mark.parametrize(("version", "wanted"), [("2.3.3", 0.0), ("3.0.1", 0.0), ("3.1.0", np.nan)])
def test_it_follows_the_version(version, wanted, monkeypatch):
    monkeypatch.setattr(constants, "version", lambda _: version)
    (value,) = constants.moments_of_constants()
    assert np.array_equal(value, [wanted], equal_nan=True)
