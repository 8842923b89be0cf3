"""Rows of a frame by id."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection.frame_groups import FrameGroups, ragged_ranges, with_group_columns


def test_groups_ascend_and_rows_keep_their_order():
    frame = pd.DataFrame({"kind": list("baab"), "id": [2, 2, 1, 2]})
    groups = FrameGroups.of(frame, ["kind", "id"])
    assert groups.keys == (["a", "a", "b"], [1, 2, 2])
    assert groups.order.tolist() == [2, 1, 0, 3]
    assert groups.starts.tolist() == [0, 1, 2]


def test_without_labels_all_rows_are_one_group():
    groups = FrameGroups.of(pd.DataFrame({"x": [1, 2]}), [])
    assert groups.lengths.tolist() == [2]


def test_keys_of_mixed_types_keep_their_order():
    groups = FrameGroups.of(pd.DataFrame({"id": ["b", 1, "b"]}), ["id"])
    assert groups.keys == (["b", 1],)


def test_rows_without_a_key_are_refused():
    with pytest.raises(SelectionError, match="column 'id' lacks a value in 1 rows"):
        FrameGroups.of(pd.DataFrame({"id": [1, None]}), ["id"])


def test_ranges_may_be_empty():
    starts, lengths = np.array([3, 9, 0]), np.array([1, 0, 2])
    assert ragged_ranges(starts, lengths).tolist() == [3, 0, 1]


def test_key_columns_come_last():
    frame = pd.DataFrame({"id": [1, 2], "x": [3, 4]})
    groups = FrameGroups.of(frame, ["id"])
    out = with_group_columns(frame, groups.order, groups, np.array([0, 1]), np.array([8, 9]))
    assert out.to_dict("list") == {"x": [3, 4], "id": [8, 9]}
