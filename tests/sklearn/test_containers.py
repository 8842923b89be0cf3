"""The container of an estimator, and the kinds that it holds."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill.errors import NoContainerError
from tidemill.sklearn.containers import check_container, kinds_in

FRAME = pd.DataFrame({"id": [1, 1, 2, 3], "t": [0, 1, 0, 0], "x": [1.0, 2.0, 3.0, 4.0]})


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
