"""The index of a matrix of windows: dtypes and names are those of the frame."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill import extract_at, extract_features, extract_rolling

from ..support.series import ROLES, wide
from ..support.windows import SMALL, same_values, timed


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_times_keep_their_dtype(zone, unit):
    frame = timed(wide(2, 30), zone=zone)
    frame["time"] = frame["time"].dt.as_unit(unit)
    for step in (5, "30min"):
        cutoffs = extract_rolling(frame, SMALL, window="1h", step=step, **ROLES).index.levels[1]
        assert cutoffs.dtype == frame["time"].dtype
    table = pd.DataFrame({"id": 1, "cutoff": frame["time"].iloc[:3].dt.as_unit("ms")})
    found = extract_at(frame, table, SMALL, **ROLES)
    assert found.index.get_level_values(1).dtype == table["cutoff"].dtype


def test_steps_finer_than_the_column():
    days = pd.DataFrame({"id": 1, "time": pd.date_range("2026-01-01", periods=3), "x": 1.0})
    days["time"] = days["time"].dt.as_unit("s")
    found = extract_rolling(days, SMALL, window="1s", step="500ms", **ROLES)
    assert found.index[0] == (1, pd.Timestamp("2026-01-01T00:00:00.5"))


@pytest.mark.parametrize("dtype", ["int8", "uint64", "Int32", "float32", "int64[pyarrow]"])
def test_numbers_keep_their_dtype(dtype):
    frame = wide(2, 12).astype({"time": dtype})
    found = extract_rolling(frame, SMALL, window=3, step=1, **ROLES)
    assert found.index.levels[1].dtype == frame["time"].dtype
    assert found.index.get_level_values(1).tolist() == [*range(3, 12)] * 2


@pytest.mark.parametrize("dtype", [object, "date32[pyarrow]"])
def test_dates_are_times(dtype):
    frame = wide(1, 6)
    days = pd.date_range("2026-01-01", periods=6)
    frame["time"] = pd.Series(days.date).astype(dtype)
    found = extract_rolling(frame, SMALL, window="2d", **ROLES)
    assert found.index.levels[1].tolist() == [*days[2::2], days[5] + pd.Timedelta("1D")]
    table = pd.DataFrame({"id": 0, "cutoff": frame["time"].iloc[3:5]})
    assert extract_at(frame, table, SMALL, **ROLES)["x__length"].tolist() == [3, 4]


@pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
@pytest.mark.parametrize("dtype", [object, "pyarrow"])
def test_times_of_other_dtypes(dtype, zone):
    frame = timed(wide(2, 12), zone=zone)
    arrow = f"timestamp[us, tz={zone}][pyarrow]" if zone else "timestamp[us][pyarrow]"
    other = frame.astype({"time": object if dtype is object else arrow})
    arguments = {"window": "30min", "step": 2, **ROLES}
    expected = extract_rolling(frame, SMALL, **arguments)
    found = extract_rolling(other, SMALL, **arguments)
    assert found.index.tolist() == expected.index.tolist()
    same_values(found, expected)


@pytest.mark.parametrize("ids", [["b", "a"], pd.Categorical(["b", "a"], ["b", "a", "c"])])
def test_ids_are_as_in_the_frame(ids):
    frame = wide(2, 6)
    frame["id"] = (
        pd.Series(ids).take(frame["id"]).to_numpy() if isinstance(ids, list) else ids[frame["id"]]
    )
    found = extract_rolling(frame, SMALL, window=3, step=1, **ROLES)
    level = found.index.get_level_values(0)
    assert level.unique().tolist() == extract_features(frame, SMALL, **ROLES).index.tolist()
    assert level.dtype == frame["id"].dtype


def test_names_are_those_of_the_columns():
    frame = wide(2, 6).rename(columns={"id": "machine"})
    roles = {**ROLES, "column_id": "machine"}
    assert extract_rolling(frame, SMALL, window=3, **roles).index.names == ["machine", "cutoff"]
    table = pd.DataFrame({"machine": [1], "when": [3]})
    found = extract_at(frame, table, SMALL, column_cutoff="when", **roles)
    assert found.index.names == ["machine", "when"]


def test_nothing_that_is_long_enough_gives_no_rows():
    found = extract_rolling(timed(wide(2, 6)), SMALL, window=100, **ROLES)
    assert found.shape == (0, 6)
    assert found.index.names == ["id", "cutoff"]
