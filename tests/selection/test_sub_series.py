"""Packages of series beside tsfresh."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection import add_sub_time_series_index

from ..support.tsfresh_selection import original

rng = np.random.default_rng(9)
FRAME = pd.DataFrame(
    {
        "pump": rng.integers(0, 3, 23),
        "kind": rng.choice(list("ab"), 23),
        "t": rng.permutation(23),
        "x": rng.normal(size=23),
    }
)


def test_parameters_are_those_of_tsfresh():
    theirs = inspect.signature(original("add_sub_time_series_index")).parameters
    assert list(inspect.signature(add_sub_time_series_index).parameters) == list(theirs)


@pytest.mark.parametrize("sub_length", [1, 3, 50])
@pytest.mark.parametrize("column_id", [None, "pump"])
@pytest.mark.parametrize("column_kind", [None, "kind"])
@pytest.mark.parametrize("column_sort", [None, "t"])
def test_frames_are_those_of_tsfresh(sub_length, column_id, column_kind, column_sort):
    arguments = (sub_length, column_id, column_sort, column_kind)
    before = FRAME.copy()
    ours = add_sub_time_series_index(FRAME, *arguments)
    theirs = original("add_sub_time_series_index")(FRAME.copy(), *arguments)
    pd.testing.assert_frame_equal(ours, theirs[list(ours.columns)])
    pd.testing.assert_frame_equal(FRAME, before)


def test_a_dict_is_cut_frame_by_frame():
    found = add_sub_time_series_index({"a": FRAME}, 2, column_id="pump")
    pd.testing.assert_frame_equal(found["a"], add_sub_time_series_index(FRAME, 2, column_id="pump"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((FRAME, 0), "sub_length=0 is not allowed"),
        ((FRAME, 2, "machine"), "column 'machine' does not exist"),
        (({"a": FRAME}, 2, None, None, "kind"), "has no meaning for a dict"),
    ],
)
def test_what_cannot_be_used_is_refused(given, message):
    with pytest.raises(SelectionError, match=message):
        add_sub_time_series_index(*given)
