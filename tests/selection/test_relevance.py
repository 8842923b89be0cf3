"""Relevance tables beside tsfresh."""

from __future__ import annotations

import inspect
import logging
import warnings

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection import calculate_relevance_table

from ..support.tsfresh_selection import assert_same_table, mixture, original

ROWS = 80


def targets(matrix: pd.DataFrame) -> dict[str, pd.Series]:
    base = matrix["f0001"]
    return {
        "bool": base > 0,
        "integers": (base > 0).astype(int) * 3 - 1,
        "text": pd.Series(np.where(base > 0, "up", "down")),
        "real": base,
        "tied": base.round(),
        "classes": pd.Series(np.digitize(base, [-0.5, 0.5])),
        "named classes": pd.Series(np.array(["c", "a", "b"])[np.digitize(base, [-1.5, 0.5])]),
        "a class of one row": pd.Series(np.arange(ROWS) == 3),
    }


NAMES = list(targets(mixture(ROWS, 2, seed=0)))


def test_parameters_are_those_of_tsfresh():
    theirs = inspect.signature(original("calculate_relevance_table")).parameters
    ours = inspect.signature(calculate_relevance_table).parameters
    by_name = [name for name, one in ours.items() if one.kind is one.KEYWORD_ONLY]
    assert by_name == ["per_window", "min_share", "storage_options"]
    assert list(ours) == [*theirs, *by_name]
    other = {name for name in theirs if ours[name].default != theirs[name].default}
    assert other == {"n_jobs"}, "None: all cores, as threads"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"test_for_binary_target_real_feature": "smir"},
        {"hypotheses_independent": True, "fdr_level": 0.2},
    ],
    ids=["mann", "smir", "independent"],
)
def test_tables_are_those_of_tsfresh(name, options):
    matrix = mixture(ROWS, 64, seed=2)
    y = targets(matrix)[name]
    ours = calculate_relevance_table(matrix, y, **options)
    assert_same_table(ours, original("calculate_relevance_table")(matrix, y, n_jobs=0, **options))


@pytest.mark.parametrize("name", ["classes", "named classes"])
@pytest.mark.parametrize("n_significant", [1, 2, 3])
def test_tables_by_class_are_those_of_tsfresh(name, n_significant):
    matrix = mixture(ROWS, 40, seed=3)
    options = {"multiclass": True, "n_significant": n_significant}
    y = targets(matrix)[name]
    ours = calculate_relevance_table(matrix, y, **options)
    assert_same_table(ours, original("calculate_relevance_table")(matrix, y, n_jobs=0, **options))


@pytest.mark.parametrize(
    "matrix",
    [
        pd.DataFrame({"a": [1.0, 1, 1], "b": [2, 2, 2]}),
        pd.DataFrame({"a": [1.0, 2, 3]}),
        pd.DataFrame({"a": [1.0, 2, 2]}),
        pd.DataFrame({3: [1.0, 2, 3], 1: [0.0, 1, 0], 2: [1.0, 1, 1]}),
        pd.DataFrame({"a": [1, 2, 3], "b": [True, False, True], "c": [0.5, 1.5, 0.5]}),
        pd.DataFrame(index=range(3)),
    ],
    ids=["constant", "real", "binary", "integer labels", "dtypes", "empty"],
)
@pytest.mark.parametrize("y", [[0, 1, 1], [0.5, 1.5, 2.5], ["x", "y", "z"]])
def test_small_tables_are_those_of_tsfresh(matrix, y):
    target = pd.Series(y)
    ours = calculate_relevance_table(matrix, target)
    assert_same_table(ours, original("calculate_relevance_table")(matrix, target, n_jobs=0))


def test_rows_are_matched_by_index():
    matrix = mixture(ROWS, 16, seed=4)
    y = targets(matrix)["classes"]
    other = np.random.default_rng(0).permutation(ROWS)
    expected = original("calculate_relevance_table")(matrix.iloc[other], y, n_jobs=0)
    assert_same_table(calculate_relevance_table(matrix.iloc[other], y), expected)
    assert_same_table(calculate_relevance_table(matrix, y.iloc[other]), expected)


def test_nothing_given_is_changed():
    matrix = mixture(ROWS, 16, seed=5)
    y = targets(matrix)["classes"]
    before = matrix.copy(), y.copy()
    calculate_relevance_table(matrix, y)
    pd.testing.assert_frame_equal(matrix, before[0])
    pd.testing.assert_series_equal(y, before[1])


def test_constant_columns_are_told(caplog):
    matrix = pd.DataFrame({"a": [1.0, 2, 3], "flat": [1.0, 1, 1]})
    y = pd.Series([0, 1, 1])
    with caplog.at_level(logging.WARNING, "tidemill"):
        calculate_relevance_table(matrix, y)
    assert "1 column is constant and hence irrelevant: flat" in caplog.text
    assert "no feature is relevant for this classification at fdr_level=0.05" in caplog.text
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        calculate_relevance_table(matrix, y, show_warnings=True)
    assert [one.category for one in record] == [RuntimeWarning] * 2
    assert {one.filename for one in record} == {__file__}


def test_columns_with_gaps_are_named():
    matrix = pd.DataFrame({"a": [1.0, 2, 3], "b": [1.0, np.nan, 1], "c": [np.nan] * 3})
    with pytest.raises(SelectionError, match="X lacks values in 2 columns: 'b', 'c'; fill them"):
        calculate_relevance_table(matrix, pd.Series([0, 1, 1]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_for_binary_target_real_feature": "welch"}, "='welch' is not allowed"),
        ({"X": np.eye(3)}, "X=ndarray is not supported"),
        ({"y": np.arange(3)}, "y=ndarray is not supported"),
        ({"y": pd.Series([1, 1, 1])}, "y has only one value"),
        ({"n_jobs": -1}, "n_jobs=-1 is not allowed"),
    ],
)
def test_what_cannot_be_used_is_refused(change, message):
    arguments = {"X": pd.DataFrame({"a": [1.0, 2, 3]}), "y": pd.Series([0, 1, 1])} | change
    with pytest.raises(ValueError, match=message):
        calculate_relevance_table(**arguments)
