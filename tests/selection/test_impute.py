"""Imputed frames beside tsfresh, in place, under any mode of pandas."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection import (
    get_range_values_per_column,
    impute,
    impute_dataframe_range,
    impute_dataframe_zero,
)

from ..support.tsfresh_selection import original


def holes(seed: int, rows: int = 30, columns: int = 12) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, columns))
    for value, share in ((np.nan, 0.2), (np.inf, 0.1), (-np.inf, 0.1)):
        values[rng.random(values.shape) < share] = value
    values[:, 3] = 1.0
    return pd.DataFrame(values, columns=[f"c{i}" for i in range(columns)])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["impute", "impute_dataframe_zero"])
def test_values_are_those_of_tsfresh(name, seed):
    ours, theirs = holes(seed), holes(seed)
    function = {"impute": impute, "impute_dataframe_zero": impute_dataframe_zero}[name]
    assert function(ours) is ours
    original(name)(theirs)
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


@pytest.mark.parametrize("seed", range(5))
def test_ranges_are_those_of_tsfresh(seed):
    ours = get_range_values_per_column(holes(seed))
    assert ours == original("get_range_values_per_column")(holes(seed))
    other = holes(seed + 10)
    impute_dataframe_range(other, *ours)
    expected = original("impute_dataframe_range")(holes(seed + 10), *ours)
    pd.testing.assert_frame_equal(other, expected, check_exact=True)


def test_columns_without_a_finite_value_become_zeros_with_a_warning():
    frame = pd.DataFrame({"a": [np.nan, np.inf], "b": [1.0, np.nan]})
    with pytest.warns(RuntimeWarning, match="are filled with zeros: 'a'"):
        impute(frame)
    assert frame.to_numpy().tolist() == [[0, 1], [0, 1]]
    with pytest.warns(RuntimeWarning, match="are filled with zeros: 'a'"):
        assert get_range_values_per_column(frame * np.nan)[0] == {"a": 0, "b": 0}


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "int64", "bool", "Int8"])
def test_dtypes_stay(dtype):
    column = pd.Series([0, 1, 1]).astype(dtype)
    frame = pd.DataFrame({"a": column, "b": [1.0, np.nan, 3.0]})
    if frame["a"].dtype.kind == "f" or dtype == "Int8":
        frame.loc[0, "a"] = np.nan if dtype != "Int8" else pd.NA
    impute(frame)
    assert frame["a"].dtype == dtype
    assert frame["a"].tolist()[1:] == [1, 1]
    assert frame["b"].tolist() == [1, 2, 3]


def test_only_the_given_frame_is_changed():
    frame = holes(1)
    view, before = frame[:], frame.copy()
    impute(frame)
    pd.testing.assert_frame_equal(view, before)


def test_labels_may_repeat_and_rows_may_be_labelled_twice():
    frame = pd.DataFrame([[1.0, np.nan], [np.nan, 2.0]], columns=["a", "a"], index=[7, 7])
    assert impute(frame).to_numpy().tolist() == [[1, 2], [1, 2]]


def test_the_median_of_huge_values_is_finite():
    frame = pd.DataFrame({"a": [1.7e308, 1.5e308, np.nan]})
    assert impute(frame)["a"].tolist() == [1.7e308, 1.5e308, 1.6e308]


def test_an_empty_frame_stays():
    for function in (impute, impute_dataframe_zero):
        assert function(pd.DataFrame({"a": []})).shape == (0, 1)
    assert impute_dataframe_range(pd.DataFrame({"a": []}), {}, {}, {}).shape == (0, 1)


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        (({}, {"a": 1}, {"a": 1}), "col_to_max lacks columns of the frame: 'a'"),
        (({"a": 1}, {"a": np.nan}, {"a": 1}), "col_to_min has values that are not finite: 'a'"),
    ],
)
def test_ranges_that_cannot_be_used_are_refused(ranges, message):
    with pytest.raises(SelectionError, match=message):
        impute_dataframe_range(pd.DataFrame({"a": [np.nan]}), *ranges)


def test_columns_of_text_are_refused():
    with pytest.raises(SelectionError, match=r"column 'a' holds .*, which cannot be imputed"):
        impute(pd.DataFrame({"a": ["x", None]}))


def test_no_warning_about_what_pandas_deprecates():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        impute_dataframe_zero(holes(2))
        impute(holes(2))
