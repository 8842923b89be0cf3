"""Rows of the container that belong to rows of X, whatever form the container has."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill.errors import ArgumentError, NoContainerError, NoSharedIdError
from tidemill.sklearn.containers import check_container, kinds_in, restrict_to_ids

FRAME = pd.DataFrame({"id": [1, 1, 2, 3], "t": [0, 1, 0, 0], "x": [1.0, 2.0, 3.0, 4.0]})


def test_rows_of_other_ids_are_left_out():
    assert restrict_to_ids(FRAME, "id", pd.Index([3, 1]))["x"].tolist() == [1.0, 2.0, 4.0]


def test_ids_may_be_a_level_of_the_index():
    chosen = restrict_to_ids(FRAME.set_index("id"), "id", pd.Index([2]))
    assert chosen["x"].tolist() == [3.0]


def test_ids_of_several_columns_are_tuples():
    chosen = restrict_to_ids(FRAME, ["id", "t"], pd.MultiIndex.from_tuples([(1, 1), (9, 9)]))
    assert chosen["x"].tolist() == [2.0]


def test_each_frame_of_a_dict_is_restricted_and_empty_ones_are_left_out():
    chosen = restrict_to_ids({"a": FRAME, "b": FRAME.iloc[:2]}, "id", pd.Index([2]))
    assert {kind: len(one) for kind, one in chosen.items()} == {"a": 1}


@pytest.mark.parametrize("container", [FRAME, {"a": FRAME, "b": FRAME}])
def test_no_row_with_a_series_is_refused(container):
    with pytest.raises(NoSharedIdError, match=r"nothing in common: X has '1', 7; column_id='id'"):
        restrict_to_ids(container, "id", pd.Index(["1", 7], dtype=object))


def test_a_label_that_is_no_column_is_refused():
    with pytest.raises(ArgumentError, match="column_id='idd' is not a column"):
        restrict_to_ids(FRAME, "idd", pd.Index([1]))


def test_what_is_no_frame_is_refused():
    with pytest.raises(ArgumentError, match="timeseries_container is a list"):
        restrict_to_ids([1], "id", pd.Index([1]))


def test_a_container_given_with_the_call_is_used_first():
    assert check_container(FRAME, {}) == {}
    assert check_container(FRAME, None) is FRAME
    with pytest.raises(NoContainerError, match="set_timeseries_container"):
        check_container(None, None)


def test_kinds_come_in_the_order_of_their_columns():
    wide = {"column_id": "id", "column_sort": "t"}
    assert kinds_in(FRAME.assign(b=0, a=0), wide) == ["x", "b", "a"]
    assert kinds_in(FRAME, {**wide, "column_value": "x"}) == ["x"]
    assert kinds_in({"b": FRAME, "a": FRAME}, wide) == ["b", "a"]
    long = FRAME.assign(kind=["b", "a", "b", "a"])
    assert kinds_in(long, {**wide, "column_kind": "kind", "column_value": "x"}) == ["a", "b"]
    indexed = long.set_index(["id", "kind"])
    assert kinds_in(indexed, {**wide, "column_kind": "kind", "column_value": "x"}) == ["a", "b"]
