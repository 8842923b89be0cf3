"""Roles of a frame's columns: labels, lists, levels of the index, and what is none of these."""

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import ArgumentError
from tidemill.sources.frames.roles import (
    RoleLabels,
    find_frame_roles,
    with_index_columns,
)

FRAME = pd.DataFrame({"id": [1], "time": [2], "x": [3.0], "y": [4.0]})


def roles(frame=FRAME, column_id="id", column_sort=None, column_kind=None, column_value=None):
    labels = RoleLabels.of(column_id, column_sort, column_kind, column_value)
    return find_frame_roles(with_index_columns(frame, labels.every()), labels, "frame")


def test_a_list_of_one_is_its_label():
    assert roles(column_id=["id"], column_value=["x"]) == roles(column_value="x")


def test_columns_without_a_role_are_values():
    assert roles(column_sort="time") == roles(column_sort="time", column_value=["x", "y"])


@pytest.mark.parametrize("index", [["id"], ["time"], ["id", "time"]])
def test_levels_of_the_index_are_columns(index):
    frame = FRAME.set_index(index)
    assert roles(frame, column_sort="time") == roles(column_sort="time")
    widened = with_index_columns(frame, [("column_id", "id"), ("column_sort", "time")])
    assert widened[["id", "time"]].to_numpy().tolist() == [[1, 2]]
    assert widened.index.equals(frame.index)
    assert list(frame.columns) == [name for name in FRAME if name not in index]


def test_a_column_comes_before_a_level_of_its_name():
    frame = FRAME.set_index(pd.Index([9], name="id"))
    assert with_index_columns(frame, [("column_id", "id")]) is frame


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"column_id": FRAME["id"]}, "column_id is a Series.*give its label, column_id='id'"),
        ({"column_id": pd.Index(["id"])}, "column_id is a Index, but must name a column"),
        ({"column_sort": np.array([1])}, "column_sort is a ndarray, .* give its label"),
        ({"column_value": FRAME}, "column_value is a DataFrame"),
        ({"column_id": {"id"}}, r"column_id=\{'id'\} is not a label"),
        ({"column_id": [["id"]]}, r"column_id=\['id'\] is not a label"),
        ({"column_id": []}, r"column_id=\[\]: name the column"),
        ({"column_value": []}, r"column_value=\[\] names no column"),
        ({"column_id": ("id", "time")}, r"give a list: column_id=\['id', 'time'\]"),
        ({"column_kind": "time", "column_value": ["x", "y"]}, "the long format .* has one column"),
        ({"column_value": ["x", "x"]}, "are both 'x'"),
        ({"column_sort": "tim"}, "did you mean 'time'"),
    ],
)
def test_what_names_no_column_is_refused(given, message):
    with pytest.raises(ArgumentError, match=message):
        roles(**given)


def test_levels_without_names_are_pointed_at():
    frame = FRAME.set_index(["id", "time"]).rename_axis([None, None])
    with pytest.raises(ArgumentError, match="a level of the index, name that, or call reset_index"):
        roles(frame)
