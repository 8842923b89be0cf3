"""Series for windows, and what `min_size` and `sink` may be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tidemill import extract_rolling
from tidemill.errors import ArgumentError, DataError, SourceError
from tidemill.frames.window_arguments import check_sink, least_rows, read_series
from tidemill.frames.windows import WindowSpan
from tidemill.model.policies import Policies

from ..support.series import ROLES, wide
from ..support.windows import SMALL, timed


@pytest.mark.parametrize(
    "column", [list("abcde") * 2, pd.Categorical(list("abcde") * 2), [True, False] * 5]
)
def test_sort_columns_that_tell_no_distance(column):
    with pytest.raises(SourceError, match="windows need a sort column of times or numbers"):
        extract_rolling(
            wide(2, 5).assign(time=column), SMALL, window=3, on_duplicate="first", **ROLES
        )


def test_integers_that_no_key_can_hold():
    frame = wide(1, 3).assign(time=np.array([0, 1, 2**63], np.uint64))
    with pytest.raises(DataError, match="holds the integer 9223372036854775808"):
        extract_rolling(frame, SMALL, window=1, **ROLES)


def test_frames_of_a_dict_count_alike():
    plain = wide(2, 5, "x")
    frames = {"x": plain, "y": timed(plain)}
    with pytest.raises(SourceError, match="holds integers and times, but must hold the same"):
        extract_rolling(frames, SMALL, window=2, **ROLES)


@pytest.mark.parametrize(
    ("min_size", "window", "default", "least"),
    [
        (None, WindowSpan(rows=7), 7, 7),
        (None, None, 1, 1),
        (7, WindowSpan(rows=7), 7, 7),
        (np.int8(3), WindowSpan(nanoseconds=5), 1, 3),
        (10**6, None, 1, 10**6),
    ],
)
def test_rows_that_a_window_must_hold(min_size, window, default, least):
    found = least_rows(min_size, window, default)
    assert (found, type(found)) == (least, int)


@pytest.mark.parametrize(
    ("min_size", "window", "says"),
    [
        (8, WindowSpan(rows=7), r"min_size=8 .*a row count from 1 to window=7$"),
        (0, None, r"min_size=0 is not allowed; give a row count from 1 up$"),
        (True, WindowSpan(rows=7), r"min_size=True is not allowed"),
        ("3", WindowSpan(nanoseconds=5), r"min_size='3' is not allowed; .* from 1 up$"),
    ],
)
def test_sizes_that_no_window_can_have(min_size, window, says):
    with pytest.raises(ArgumentError, match=says):
        least_rows(min_size, window, 1)


def test_sinks_that_are_free(tmp_path):
    assert check_sink(None) is None
    (tmp_path / "old.parquet").touch()
    (tmp_path / "empty").mkdir()
    for name in ("new.parquet", "old.parquet", "new", "empty"):
        assert check_sink(str(tmp_path / name)) == tmp_path / name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("table.csv", "is a file that does not end in .parquet; give the path of"),
        ("folder.parquet", "is a folder; give"),
        ("full", "is a folder that is not empty; give"),
    ],
)
def test_sinks_that_hold_something_else(name, says, tmp_path):
    (tmp_path / "table.csv").touch()
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ArgumentError, match=says):
        check_sink(tmp_path / name)


def read(frame: pd.DataFrame, settings=SMALL, *, spans=None, **policies):
    return read_series(
        frame, settings, "id", "time", None, None, spans=spans or {}, policies=Policies(**policies)
    )


def test_series_come_with_their_keys_and_features():
    series = read(wide(2, 5))
    assert {kind: [name for name, _ in own] for kind, own in series.features.items()} == {
        kind: list(SMALL) for kind in "xy"
    }
    assert series.tracks["x"] is series.tracks["y"], "kinds share their rows"
    assert series.tracks["x"].lengths.tolist() == [5, 5]
    assert (series.faults, series.ids.tolist(), series.on_error) == ({}, [0, 1], "raise")


def test_quarantined_values_are_counted_before_each_position():
    frame = wide(1, 5)
    frame.loc[[1, 4], "x"] = [np.nan, np.inf]
    series = read(frame, on_nan="quarantine")
    assert {kind: counts.tolist() for kind, counts in series.faults.items()} == {
        "x": [0, 0, 1, 1, 1, 2]
    }


def test_durations_need_times():
    spans = {"step": WindowSpan(nanoseconds=5)}
    with pytest.raises(ArgumentError, match="step is a duration, but column_sort='time' holds int"):
        read(wide(1, 5), spans=spans)
    assert read(timed(wide(1, 5)), spans=spans).clock.has_times
