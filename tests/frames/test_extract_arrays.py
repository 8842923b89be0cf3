"""`extract_arrays`: the values of the pandas door, from arrays."""
# ruff: noqa: PD011 (matrices of arrays are no frames)

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill import extract_arrays, extract_features
from tidemill.errors import ArgumentError, CalculationError, SettingsError

KINDS = ["a", "b"]


@pytest.fixture(scope="module")
def cube() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(7, 2, 40)).cumsum(axis=2).round(2)


def frame_of(cases, kinds=KINDS) -> pd.DataFrame:
    """The same series as a wide frame."""
    frames = [
        pd.DataFrame(dict(zip(kinds, channels, strict=True))).assign(id=i)
        for i, channels in enumerate(cases)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def expected(cube) -> pd.DataFrame:
    return extract_features(frame_of(cube), "efficient", column_id="id")


@pytest.mark.parametrize("n_jobs", [None, 0, 1, 3])
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, list])
def test_values_and_columns_are_those_of_frames(form, n_jobs, cube, expected):
    found = extract_arrays(form(cube), "efficient", kinds=KINDS, n_jobs=n_jobs)
    assert found.columns == tuple(expected)
    np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(found.rows, expected.index)
    pd.testing.assert_frame_equal(found.to_pandas(), expected, check_exact=True)


def test_two_dimensions_have_one_kind(cube, expected):
    found = extract_arrays(cube[:, 1], "efficient", kinds=["b"])
    pd.testing.assert_frame_equal(found.to_pandas(), expected.filter(regex="^b__"))


def test_lengths_may_differ(cube):
    ragged = [case[:, : 5 + 5 * i] for i, case in enumerate(cube)]
    found = extract_arrays(ragged, "efficient", kinds=KINDS)
    np.testing.assert_array_equal(
        found.values, extract_features(frame_of(ragged), "efficient", column_id="id")
    )


def test_the_default_is_comprehensive():
    columns = extract_arrays(np.random.default_rng(1).normal(size=(2, 30))).columns
    assert columns == tidemill.Settings.from_any("comprehensive").columns(["x"])


def test_a_matrix_is_an_array(cube):
    found = extract_arrays(cube, {"mean": None, "maximum": None})
    assert np.asarray(found) is found.values
    assert np.array(found, "float32").dtype == np.float32
    assert found.values.flags.c_contiguous
    assert np.shares_memory(found.to_pandas().to_numpy(), found.values)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(found, "float32", copy=False)


def test_settings_may_differ_by_channel(cube):
    settings = {"b": [["mean", {}]], "*": [["quantile", {"q": 0.5}], ["maximum", {}]]}
    found = extract_arrays(cube, settings, kinds=KINDS)
    assert found.columns == ("a__quantile__q_0.5", "a__maximum", "b__mean")
    np.testing.assert_allclose(found.values[:, 2], cube[:, 1].mean(axis=1))


def test_policies_are_those_of_frames(cube):
    broken = cube.copy()
    broken[2, 1, 7] = np.nan
    omitted = extract_arrays(broken, "minimal", kinds=KINDS, on_nan="omit")
    frame = frame_of(broken)
    roles = {"column_id": "id", "on_nan": "omit"}
    np.testing.assert_array_equal(omitted.values, extract_features(frame, "minimal", **roles))
    left = extract_arrays(broken, "minimal", on_nan="quarantine")
    assert left.rows.tolist() == [0, 1, 3, 4, 5, 6]
    assert left.to_pandas().index.tolist() == left.rows.tolist()


def test_a_calculator_that_raises_is_isolated_on_demand(own_calculators, caplog):
    def picky(values):
        if values[0] == 1:
            raise ValueError("one")
        return values[0]

    with pytest.raises(CalculationError, match="picky failed for kind 'x': ValueError: one"):
        extract_arrays([[1.0], [2.0]], {picky: None})
    found = extract_arrays([[1.0], [2.0]], {picky: None, "mean": None}, on_error="nan")
    np.testing.assert_array_equal(found.values, [[np.nan, 1], [2, 2]])
    assert caplog.messages == ["picky of kind 'x' failed for 1 series: ValueError: one"]


def test_calculators_get_times(own_calculators):
    @tidemill.calculator(needs=("times",))
    def seconds(values, times):
        assert len(values) == len(times)
        return (times[-1] - times[0]) / 1e9

    stamps = np.array(["2026-01-01T00:00", "2026-01-01T00:05"], "datetime64[m]")
    found = extract_arrays([[1.0, 2.0], [3.0, 4.0]], {"seconds": None}, times=stamps)
    assert found.values.tolist() == [[300], [300]]
    with pytest.raises(ArgumentError, match="needs times: give times="):
        extract_arrays([[1.0, 2.0]], {"seconds": None})


def test_trends_over_times_are_those_of_frames():
    rng = np.random.default_rng(8)
    values = rng.normal(size=(3, 20)).cumsum(axis=1)
    stamps = np.datetime64("2026-01-01", "ns") + rng.integers(1, 10**12, (3, 20)).cumsum(axis=1)
    settings = {"linear_trend_timewise": [{"attr": "slope"}, {"attr": "pvalue"}]}
    frame = pd.DataFrame({"id": np.repeat([0, 1, 2], 20), "x": values.ravel()}, stamps.ravel())
    np.testing.assert_array_equal(
        extract_arrays(values, settings, times=stamps).values,
        extract_features(frame, settings, column_id="id"),
    )


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"n_jobs": -1}, ArgumentError, "n_jobs=-1 is not allowed"),
        ({"on_nan": "drop"}, ArgumentError, "on_nan='drop' is not allowed; choose one of 'raise'"),
        ({"on_error": "skip"}, ArgumentError, "on_error='skip' is not allowed"),
        ({"settings": "minimum"}, SettingsError, "minimum"),
        ({"settings": {"y": [["mean", {}]]}}, SettingsError, "kind 'y', which the input does not"),
    ],
)
def test_arguments_that_are_not_allowed(arguments, error, says):
    with pytest.raises(error, match=says):
        extract_arrays([[1.0]], **{"settings": "minimal", **arguments})


def test_the_input_is_not_changed(cube):
    given = cube.copy()
    extract_arrays(given, "efficient")
    np.testing.assert_array_equal(given, cube)


def test_the_door_needs_no_pandas():
    program = """
import sys
import numpy as np
import tidemill
found = tidemill.extract_arrays(np.arange(6.0).reshape(2, 3), "minimal")
assert found.values.shape == (2, 10)
assert not {"pandas", "prefect", "dask"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
