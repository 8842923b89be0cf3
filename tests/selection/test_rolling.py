"""Rolled frames beside tsfresh."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tidemill.errors import SelectionError
from tidemill.selection import roll_time_series

from ..support.tsfresh_selection import original

QUIET = {"n_jobs": 0, "disable_progressbar": True}
OLD_PANDAS = int(pd.__version__.split(".")[0]) < 3
FRAME = pd.DataFrame({"pump": [2, 2, 1, 1, 1], "t": [1, 2, 5, 6, 7], "x": [1.0, 2, 3, 4, 5]})


def assert_same_roll(frame: pd.DataFrame, **options: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of uneven steps
        ours = roll_time_series(frame, **options)
    theirs = original("roll_time_series")(frame.copy(), **options, **QUIET)
    if OLD_PANDAS:  # which leaves the keys where they were, with their types
        theirs = theirs[list(ours.columns)].astype(ours.dtypes.to_dict())
    if theirs["pump"].dtype == np.float64:  # where a group has no window, in tsfresh
        theirs["pump"] = theirs["pump"].astype(ours["pump"].dtype)
    pd.testing.assert_frame_equal(ours, theirs)


def test_parameters_are_those_of_tsfresh():
    theirs = inspect.signature(original("roll_time_series")).parameters
    ours = inspect.signature(roll_time_series).parameters
    assert list(ours) == list(theirs)


@settings(max_examples=25, derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 6), st.sampled_from("ab")),
        min_size=2,
        max_size=9,
        unique=True,
    ),
    direction=st.sampled_from([1, -1, 2, -3]),
    max_timeshift=st.none() | st.integers(1, 4),
    min_timeshift=st.integers(0, 2),
    kind=st.booleans(),
    sort=st.booleans(),
)
def test_frames_are_those_of_tsfresh(rows, direction, max_timeshift, min_timeshift, kind, sort):
    frame = pd.DataFrame(rows, columns=["pump", "t", "kind"]).assign(
        x=np.arange(len(rows), dtype=float)
    )
    labels = ["pump", "kind"] if kind else ["pump"]
    longest = frame.groupby(labels).size().max()
    if min(longest, (max_timeshift or longest) + 1) <= min_timeshift:
        return
    assert_same_roll(
        frame,
        column_id="pump",
        column_sort="t" if sort else None,
        column_kind="kind" if kind else None,
        rolling_direction=direction,
        max_timeshift=max_timeshift,
        min_timeshift=min_timeshift,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"pump": ["b", "b", "a", "a", "a"]},
        pytest.param(
            {"pump": pd.Categorical(list("bbaaa"), categories=["b", "a"])},
            marks=pytest.mark.skipif(OLD_PANDAS, reason="tsfresh fails with it"),
        ),
        {"pump": np.array([2, 2, 1, 1, 1], dtype=np.int8)},
        {"pump": pd.to_datetime(["2026-01-02"] * 2 + ["2026-01-01"] * 3)},
        {"t": pd.date_range("2026", periods=5)},
        {"t": pd.date_range("2026", periods=5, tz="Europe/Berlin")},
        {"t": pd.Series(list("abcde"), dtype=object)},
        {"t": np.array([0.5, 1.5, 1, 2, 3], dtype=np.float32)},
        {"t": [3, 3, 3, 3, 4]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_types_of_ids_and_sort_keys_are_those_of_tsfresh(change):
    assert_same_roll(FRAME.assign(**change), column_id="pump", column_sort="t", max_timeshift=1)


def test_a_rolled_frame_can_be_rolled_again():
    once = roll_time_series(FRAME, column_id="pump", column_sort="t").drop(columns="pump")
    twice = roll_time_series(once, column_id="id", column_sort="t", max_timeshift=1)
    assert twice["id"].iloc[0] == ((1, 5), 5)
    assert list(twice) == ["t", "x", "id"]


def test_text_orders_rows():
    frame = FRAME.assign(t=list("edcba"))
    found = roll_time_series(frame, column_id="pump", column_sort="t", max_timeshift=1)
    assert found["id"].tolist()[:3] == [(1, "a"), (1, "b"), (1, "b")]


def test_a_dict_is_rolled_frame_by_frame():
    found = roll_time_series({"a": FRAME, "b": FRAME[2:]}, column_id="pump", column_sort="t")
    for key, frame in (("a", FRAME), ("b", FRAME[2:])):
        pd.testing.assert_frame_equal(
            found[key], roll_time_series(frame, column_id="pump", column_sort="t")
        )


def test_the_given_frame_is_not_changed():
    before = FRAME.copy()
    roll_time_series(FRAME, column_id="pump")
    pd.testing.assert_frame_equal(FRAME, before)


def test_uneven_steps_are_warned_of():
    frame = FRAME.assign(t=[1, 2, 5, 6, 8])
    with pytest.warns(UserWarning, match="column_sort='t': the rows are not evenly spaced") as seen:
        roll_time_series(frame, column_id="pump", column_sort="t")
    assert {one.filename for one in seen} == {__file__}
    with pytest.warns(UserWarning, match="not evenly spaced") as seen:
        roll_time_series({"a": frame}, column_id="pump", column_sort="t")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rolling_direction": 0}, "rolling_direction=0 is not allowed"),
        ({"max_timeshift": 0}, "max_timeshift=0 is not allowed"),
        ({"min_timeshift": -1}, "min_timeshift=-1 is not allowed"),
        ({"min_timeshift": 3}, "leave no window; the longest series has 3 rows"),
        ({"column_id": None}, "column_id=None is not allowed"),
        ({"column_id": "id"}, "column_id='id' names no column"),
        ({"column_kind": "kind"}, "column_kind='kind' names no column"),
        ({"distributor": "dask"}, "distributor=str is not supported"),
        ({"df_or_dict": FRAME[:1]}, "a frame of 1 rows cannot be rolled"),
        ({"df_or_dict": FRAME.assign(t=[None, 1, 2, 3, 4])}, "column_sort='t' lacks values"),
        ({"df_or_dict": FRAME.assign(pump=[None, 1, 2, 3, 4])}, "column 'pump' lacks a value"),
        ({"df_or_dict": FRAME.assign(id=1)}, "column 'id' would be overwritten"),
        ({"df_or_dict": FRAME.assign(sort=1), "column_sort": None}, "column 'sort' would be"),
        ({"df_or_dict": {"a": FRAME}, "column_kind": "x"}, "has no meaning for a dict"),
    ],
)
def test_what_cannot_be_used_is_refused(change, message):
    arguments = {"df_or_dict": FRAME, "column_id": "pump", "column_sort": "t"} | change
    with pytest.raises(SelectionError, match=message):
        roll_time_series(**arguments)
