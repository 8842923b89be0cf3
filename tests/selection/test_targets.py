"""Targets: tasks, classes, rows in the order of the matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tidemill.errors import SelectionError
from tidemill.selection import infer_ml_task
from tidemill.selection.targets import read_target

from ..support.tsfresh_selection import original

DTYPES = [
    "int8",
    "int64",
    "uint8",
    "bool",
    "float32",
    "float64",
    "Int64",
    "boolean",
    "object",
    "str",
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_task_is_that_of_tsfresh(dtype):
    y = pd.Series([1, 0, 1]).astype(dtype)
    assert infer_ml_task(y) == original("infer_ml_task")(y)


def test_categories_are_classes():
    assert infer_ml_task(pd.Series(["a", "b"], dtype="category")) == "classification"


def test_rows_come_in_the_order_of_the_matrix_and_classes_in_that_of_the_index():
    y = pd.Series([2, 1, 0], index=["c", "a", "b"])
    target = read_target(y, pd.Index(["b", "c", "a"]))
    assert target.labels == (1, 0, 2)
    assert [target.labels[code] for code in target.codes] == [0, 2, 1]


def test_repeated_index_values_are_matched_by_place_only():
    y = pd.Series([1.0, 2.0, 3.0], index=[5, 5, 4])
    target = read_target(y, pd.Index([5, 5, 4]))
    assert target.numbers.tolist() == [1, 2, 3]
    with pytest.raises(SelectionError, match="has repeated values in another order"):
        read_target(y, pd.Index([4, 5, 5]))


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ([0, 1, 1], {"ml_task": "both"}, "ml_task='both' is not allowed"),
        ([0, 1, None], {}, "y lacks a value in 1 rows"),
        ([0.5, 1.5, 2.5], {"multiclass": True}, "needs ml_task='classification'"),
        ([0, 1, 1], {"multiclass": True, "n_significant": 3}, "y has only 2 classes"),
        (["a", "b", "c"], {"ml_task": "regression"}, "y holds .*, which is no number"),
        (pd.date_range("2026", periods=3), {}, "y holds datetime64.*, which is no number"),
        ([0, 1], {}, "1 rows are only in X and 0 only in y"),
    ],
)
def test_what_cannot_be_used_is_refused(y, options, message):
    with pytest.raises(SelectionError, match=message):
        read_target(pd.Series(y), pd.RangeIndex(3), **options)


def test_two_classes_are_not_told_apart():
    with pytest.warns(UserWarning, match="has no effect, since y has 2 classes"):
        target = read_target(pd.Series([0, 1, 1]), pd.RangeIndex(3), multiclass=True)
    assert not target.multiclass


def test_nullable_numbers_are_numbers():
    y = pd.Series([1.5, 2.5], dtype="Float64")
    target = read_target(y, pd.RangeIndex(2), "regression")
    assert target.numbers.dtype == np.float64


def test_levels_of_an_index_go_by_their_names():
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["site", "pump"])
    y = pd.Series([0, 1, 1, 0], index=index)
    other = y.reorder_levels(["pump", "site"]).iloc[[2, 0, 3, 1]]
    of_rows = [[target.labels[code] for code in target.codes]
               for target in (read_target(other, index), read_target(y, index))]  # fmt: skip
    assert of_rows == [[0, 1, 1, 0]] * 2
    with pytest.raises(SelectionError, match="the index of y is not that of X"):
        read_target(other.rename_axis([None, None]), index)


def test_text_of_arrow_is_classes():
    text = pd.Series(["a", "b"], dtype=pd.ArrowDtype(pa.string()))
    assert infer_ml_task(text) == "classification"
    assert read_target(text, text.index).labels == ("a", "b")


def test_ids_without_an_order_are_matched():
    y = pd.Series([0, 1, 0], index=["a", 1, 2.5])
    assert read_target(y, pd.Index([2.5, "a", 1])).codes.tolist() == [0, 0, 1]
    with pytest.raises(SelectionError, match="repeated values in another order"):
        read_target(pd.Series([0, 1, 0], index=["a", 1, 1]), pd.Index([1, "a", 1]))


def test_classes_that_read_alike_have_no_columns_of_their_own():
    y = pd.Series([1, "1", 2] * 3, dtype=object)
    with pytest.raises(SelectionError, match="classes that read alike"):
        read_target(y, y.index, multiclass=True)
    assert len(read_target(y, y.index).labels) == 3
