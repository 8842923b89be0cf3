"""Ids and gaps of frames."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill.errors import NoSharedIdError, SelectionError
from tidemill.selection import check_for_nans_in_columns, get_ids, restrict_input_to_index
from tidemill.selection.containers import rows_of_ids

FRAME = pd.DataFrame({"id": [1, 1, 2], "x": [3.0, None, 5.0]})

SERIES = pd.DataFrame({"id": [1, 1, 2, 3], "t": [0, 1, 0, 0], "x": [1.0, 2.0, 3.0, 4.0]})


def test_gaps_are_named():
    check_for_nans_in_columns(FRAME, ["id"])
    with pytest.raises(SelectionError, match="1 columns lack values: 'x'"):
        check_for_nans_in_columns(FRAME)


def test_ids_of_frames_and_dicts():
    assert get_ids(FRAME, "id") == {1, 2}
    assert get_ids({"a": FRAME, "b": FRAME + 1}, "id") == {1, 2, 3}


def test_rows_of_other_ids_are_left_out():
    assert restrict_input_to_index(FRAME, "id", pd.Index([2]))["x"].tolist() == [5]
    found = restrict_input_to_index({"a": FRAME}, "id", [1])
    assert found["a"]["id"].tolist() == [1, 1]


def test_rows_keep_their_order():
    assert restrict_input_to_index(SERIES, "id", pd.Index([3, 1]))["x"].tolist() == [1.0, 2.0, 4.0]


def test_ids_may_be_a_level_of_the_index():
    chosen = restrict_input_to_index(SERIES.set_index("id"), "id", pd.Index([2]))
    assert chosen["x"].tolist() == [3.0]


@pytest.mark.parametrize("ids", [[(1, 1), (9, 9)], pd.MultiIndex.from_tuples([(1, 1), (9, 9)])])
def test_ids_of_several_columns_are_tuples(ids):
    assert restrict_input_to_index(SERIES, ["id", "t"], ids)["x"].tolist() == [2.0]


def test_a_column_may_hold_tuples():
    frame = SERIES.assign(id=[(1, "a"), (1, "b"), (2, "a"), (1, "a")])
    assert restrict_input_to_index(frame, "id", [(1, "a")])["x"].tolist() == [1.0, 4.0]


def test_each_frame_of_a_dict_is_restricted_and_empty_ones_are_left_out():
    chosen = restrict_input_to_index({"a": SERIES, "b": SERIES.iloc[:2]}, "id", pd.Index([2]))
    assert {kind: len(one) for kind, one in chosen.items()} == {"a": 1}


@pytest.mark.parametrize("container", [SERIES, {"a": SERIES, "b": SERIES}])
@pytest.mark.parametrize("error", [NoSharedIdError, SelectionError, AttributeError])
def test_no_row_that_is_left_is_refused(container, error):
    with pytest.raises(error, match=r"of df_or_dict is in the index, which has '1', 7: give both"):
        restrict_input_to_index(container, "id", pd.Index(["1", 7], dtype=object))


def test_errors_call_the_argument_by_its_name():
    with pytest.raises(SelectionError, match="column_id='idd' is not a column of timeseries_cont"):
        rows_of_ids(SERIES, "idd", [1], "timeseries_container")
    with pytest.raises(SelectionError, match="timeseries_container is a list, but must be a panda"):
        rows_of_ids([1], "id", [1], "timeseries_container")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((FRAME, "id", [7]), "none of the ids in column_id='id' of df_or_dict is in the index"),
        (([1, 2], "id", [1]), "df_or_dict is a list, but must be a pandas DataFrame"),
        ((FRAME, "pump", [1]), "column_id='pump' is not a column of df_or_dict"),
        ((FRAME, None, [1]), "column_id=None: name the column that holds the ids"),
    ],
)
def test_what_cannot_be_used_is_refused(given, message):
    with pytest.raises(SelectionError, match=message):
        restrict_input_to_index(*given)
