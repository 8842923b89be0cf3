"""Ids and gaps of frames."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill.errors import SelectionError
from tidemill.selection import check_for_nans_in_columns, get_ids, restrict_input_to_index

FRAME = pd.DataFrame({"id": [1, 1, 2], "x": [3.0, None, 5.0]})


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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((FRAME, "id", [7]), "none of the ids in column_id='id' is in the index"),
        (([1, 2], "id", [1]), "list is not supported"),
        ((FRAME, "pump", [1]), "column_id='pump' names no column"),
        ((FRAME, None, [1]), "column_id=None names no column"),
    ],
)
def test_what_cannot_be_used_is_refused(given, message):
    with pytest.raises(SelectionError, match=message):
        restrict_input_to_index(*given)
