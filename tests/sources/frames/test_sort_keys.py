"""Sort columns of frames: read as times, sorted as text with a warning, or refused."""

import datetime as dt
import uuid
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tidemill
from tidemill.errors import DataError, SourceError, TextOrderWarning
from tidemill.sources.frames.sort_keys import read_sort


def column(values, dtype=None):
    return pd.Series(values, name="time", dtype=dtype)


@pytest.mark.parametrize("dtype", [object, "string", "str", "string[pyarrow]", "category"])
def test_iso_text_is_read_as_times(dtype):
    texts = column(["2026-11-27T06:00", "2026-11-27", None], dtype)
    times = pd.Series(read_sort(texts, "frame").to_pandas())
    assert times.tolist()[:2] == [pd.Timestamp("2026-11-27 06:00"), pd.Timestamp("2026-11-27")]
    assert times.isna().tolist() == [False, False, True]


@pytest.mark.parametrize("dtype", [object, "string", "category"])
@pytest.mark.parametrize(
    ("text", "remedy"), [("9/1/2024", "pandas.to_datetime"), ("10", "pandas.to_numeric")]
)
def test_times_and_numbers_as_text_are_refused(dtype, text, remedy):
    with pytest.raises(SourceError, match=f"frame: column 'time' holds .* {text!r}.*{remedy}"):
        read_sort(column([text, text], dtype), "frame")


@pytest.mark.parametrize("texts", [["2026-11-27", "noon"], ["2026-11-27", "2026-11-27T06:00Z"]])
def test_iso_text_beside_other_text_is_refused(texts):
    with pytest.raises(DataError, match=r"frame: column 'time' holds .*pandas\.to_datetime"):
        read_sort(column(texts), "frame")


@pytest.mark.parametrize("dtype", [object, "string", "str"])
def test_other_text_is_sorted_with_a_warning(dtype):
    with pytest.warns(TextOrderWarning, match=r"frame: column 'time' .* from 'a' to 'b'"):
        array = read_sort(column(["b", "a"], dtype), "frame")
    assert array.to_pylist() == ["b", "a"]


def test_the_warning_is_shown_though_others_are_not():
    frame = pd.DataFrame({"id": 1, "time": ["b", "a"], "x": [1.0, 2.0]})
    with pytest.warns(TextOrderWarning):
        tidemill.extract_features(frame, {"length": None}, column_id="id", column_sort="time")


@pytest.mark.parametrize("ordered", [True, False])
def test_categories_sort_in_their_own_order_and_missing_ones_are_null(ordered):
    own = column(pd.Categorical(["low", None, "high"], ["low", "high"], ordered=ordered))
    assert read_sort(own, "frame").to_pylist() == [0, None, 1]


def test_ordered_categories_may_be_any_text():
    own = column(pd.Categorical(["9", "10"], ["9", "10"], ordered=True))
    assert read_sort(own, "frame").to_pylist() == [0, 1]


@pytest.mark.parametrize("dtype", ["period[M]", object])
def test_periods_sort_by_their_start(dtype):
    months = column(pd.PeriodIndex(["2026-02", "2026-01"], freq="M")).astype(dtype)
    starts = [pd.Timestamp("2026-02-01"), pd.Timestamp("2026-01-01")]
    assert read_sort(months, "frame").to_pandas().tolist() == starts


def test_periods_of_several_lengths_are_refused():
    with pytest.raises(SourceError, match="periods of several lengths"):
        read_sort(column([pd.Period("2026-01", "M"), pd.Period("2026", "Y")], object), "frame")


@pytest.mark.parametrize(
    "values",
    [
        [2, 1],
        [2, 1.5],
        [Decimal(2), Decimal("1.5")],
        [dt.time(2), dt.time(1)],
        [dt.timedelta(2), dt.timedelta(1)],
        [dt.date(2026, 1, 2), dt.date(2026, 1, 1)],
        [pd.Timestamp("2026-01-02", tz="UTC"), pd.Timestamp("2026-01-02", tz="Asia/Tokyo")],
    ],
)
def test_objects_of_one_type_sort(values):
    array = read_sort(column(values, object), "frame")
    first, second = pa.array(array).to_pylist()
    assert first > second


def test_dates_beside_times_are_midnights():
    values = [dt.datetime(2026, 1, 1, 12), dt.date(2026, 1, 1)]  # noqa: DTZ001
    array = read_sort(column(values, object), "frame")
    assert array.to_pandas().tolist() == [
        pd.Timestamp("2026-01-01 12:00"),
        pd.Timestamp("2026-01-01"),
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.arrays.IntervalArray.from_breaks([0, 1, 2]), r"dtype interval.*\.array\.left"),
        ([uuid.UUID(int=1), uuid.UUID(int=2)], r"object \(UUID\), which has no order"),
        ([1j, 2j], "cannot be used"),
        ([object(), object()], "cannot be used"),
        ([1, "a"], "cannot be used"),
        (
            [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-01", tz="UTC")],
            "with and without a time zone",
        ),
    ],
)
def test_columns_without_an_order_are_refused(values, message):
    with pytest.raises(SourceError, match=f"frame: column 'time' .*{message}"):
        read_sort(column(values, object if isinstance(values, list) else None), "frame")


def test_numbers_and_times_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in (np.arange(3), pd.date_range("2026", periods=3), pd.array([1, 2], "Int64")):
            assert len(read_sort(column(values), "frame")) == len(values)
