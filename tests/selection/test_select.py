"""Selected columns beside tsfresh."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection import select_features

from ..support.tsfresh_selection import mixture, original


def test_parameters_are_those_of_tsfresh():
    theirs = inspect.signature(original("select_features")).parameters
    ours = inspect.signature(select_features).parameters
    by_name = [name for name, one in ours.items() if one.kind is one.KEYWORD_ONLY]
    assert by_name == ["per_window", "min_share", "storage_options"]
    assert list(ours) == [*theirs, *by_name]
    other = {name for name in theirs if ours[name].default != theirs[name].default}
    assert other == {"n_jobs"}, "None: all cores, as threads"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("task", ["bool", "real", "classes", "array"])
def test_selected_columns_are_those_of_tsfresh(seed, task):
    matrix = mixture(60, 48, seed)
    base = matrix["f0001"]
    y = {
        "bool": base > 0,
        "real": base,
        "classes": pd.Series(np.digitize(base, [-0.5, 0.5])),
        "array": (base > 0).to_numpy(),
    }[task]
    ours = select_features(matrix, y)
    pd.testing.assert_frame_equal(ours, original("select_features")(matrix, y, n_jobs=0))
    assert 0 < ours.shape[1] < matrix.shape[1]


def test_rows_keep_their_order():
    matrix = mixture(60, 16, seed=1).iloc[::-1]
    y = matrix["f0001"].sort_index()
    assert select_features(matrix, y).index.equals(matrix.index)


@pytest.mark.parametrize(
    ("matrix", "y", "message"),
    [
        (np.eye(2), np.arange(2), "X=ndarray is not supported"),
        (pd.DataFrame({"a": [1, 2]}), [0, 1], "y=list is not supported"),
        (pd.DataFrame({"a": [1, 2]}), np.arange(3), "X has 2 rows and y has 3"),
        (pd.DataFrame({"a": [1]}), np.arange(1), "X has 1 rows and y has 1"),
        (pd.DataFrame({"a": [1, 2]}), np.ones(2), "y has only one value"),
        (pd.DataFrame({"a": [1, 2]}), pd.Series([1, 2], index=[1, 2]), "the index of y is not"),
        (pd.DataFrame({"a": [1, None]}), np.arange(2), "X lacks values in 1 columns: 'a'"),
    ],
)
def test_what_cannot_be_used_is_refused(matrix, y, message):
    with pytest.raises(SelectionError, match=message):
        select_features(matrix, y)
