"""Ids that are tuples."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill import extract_features
from tidemill.errors import SourceError
from tidemill.selection import roll_time_series
from tidemill.sources.frames.tuple_ids import split_tuple_ids

from ...support.tsfresh_answers import by_tsfresh

FRAME = pd.DataFrame({"pump": [2, 2, 1, 1, 1], "t": [1, 2, 5, 6, 7], "x": [1.0, 2, 3, 4, 5]})


def test_the_matrix_of_a_rolled_frame_is_that_of_tsfresh():
    rolled = roll_time_series(FRAME, column_id="pump", column_sort="t").drop(columns="pump")
    roles = {"column_id": "id", "column_sort": "t"}
    ours = extract_features(rolled, {"mean": None, "length": None}, **roles)
    theirs = by_tsfresh(rolled, {"mean": None, "length": None}, **roles)
    pd.testing.assert_frame_equal(ours, theirs)


def test_tuples_of_several_lengths_are_refused():
    frame = pd.DataFrame({"id": [(1, 2), (1,)], "x": [1.0, 2.0]})
    with pytest.raises(SourceError, match=r"tuples of \[1, 2\] elements"):
        extract_features(frame, "minimal", column_id="id")


def test_other_ids_stay():
    assert split_tuple_ids(FRAME, "pump")[0] is FRAME
