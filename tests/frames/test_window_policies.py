"""Policies of windows: values that are not finite, duplicates, calculators that raise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill import extract_features, extract_rolling
from tidemill.errors import CalculationError, DataError

from ..support.series import ROLES, wide
from ..support.windows import SMALL, same_values, timed


def test_what_is_omitted_is_not_counted():
    frame = wide(2, 20)
    frame.loc[[3, 4, 25], "x"] = np.nan
    found = extract_rolling(frame, SMALL, window=5, step=1, on_nan="omit", **ROLES)
    assert found["x__length"].dropna().eq(5).all()
    for kind in "xy":
        own = extract_rolling(
            frame[["id", "time", kind]].dropna(), SMALL, window=5, step=1, **ROLES
        )
        common = found.index.intersection(own.index)
        assert len(common) == len(own)
        pd.testing.assert_frame_equal(found.loc[common, list(own)], own)


def test_quarantine_costs_the_windows_that_hold_one():
    frame = wide(2, 20)
    frame.loc[10, "x"] = np.inf
    arguments = {"window": 5, "step": 1, **ROLES}
    found = extract_rolling(frame, SMALL, on_nan="quarantine", **arguments)
    every = extract_rolling(frame.assign(x=0.0), SMALL, **arguments)
    lost = every.index.difference(found.index)
    assert lost.tolist() == [(0, cutoff) for cutoff in range(11, 16)]
    assert np.isfinite(found).all(axis=None)


def test_nan_is_refused():
    with pytest.raises(DataError, match="column 'x' holds 1 null, NaN or infinite value in"):
        extract_rolling(
            wide(1, 5).replace({"time": {}}).assign(x=[1, 2, np.nan, 3, 4]),
            SMALL,
            window=2,
            **ROLES,
        )


@pytest.mark.parametrize("policy", ["keep", "first", "last", "mean"])
@pytest.mark.parametrize("times", [str, float, timed])
def test_duplicates(policy, times):
    frame = wide(2, 8)
    frame = timed(frame) if times is timed else frame.astype({"time": float})
    twice = pd.concat([frame, frame.assign(x=1.0, y=2.0)])
    once = extract_features(twice, SMALL, on_duplicate=policy, **ROLES)
    arguments = {"window": 16 if policy == "keep" else 8, "include_cutoff": True, **ROLES}
    found = extract_rolling(twice, SMALL, on_duplicate=policy, **arguments)
    assert found.index.get_level_values(1).tolist() == [frame["time"].iloc[7]] * 2
    same_values(found, once)
    with pytest.raises(DataError, match="have the same id and sort value"):
        extract_rolling(twice, SMALL, **arguments)


@pytest.mark.usefixtures("own_calculators")
def test_a_calculator_that_raises(caplog):
    def picky(values):
        if values[0] == 1:
            raise ValueError("one")
        return values[0]

    frame = wide(1, 4, "x").assign(x=[0.0, 1.0, 2.0, 3.0])
    with pytest.raises(CalculationError, match="picky failed for kind 'x': ValueError: one"):
        extract_rolling(frame, {picky: None}, window=1, **ROLES)
    found = extract_rolling(frame, {picky: None}, window=1, on_error="nan", **ROLES)
    np.testing.assert_array_equal(found["x__picky"], [0, np.nan, 2])
    assert caplog.messages == ["picky of kind 'x' failed for 1 series: ValueError: one"]
