"""`extract_rolling` and `extract_at`: windows are series, and see nothing of what comes later."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tidemill
from tidemill import extract_at, extract_features, extract_rolling
from tidemill.calculators.costs import LONG_SERIES
from tidemill.errors import (
    ArgumentError,
    CalculationError,
    DataError,
    QuadraticWarning,
    SettingsError,
    SourceError,
)

from ..support.series import LONG_ROLES, ROLES, melted, wide

SMALL = {"mean": None, "length": None, "maximum": None}
START = pd.Timestamp("2026-11-20")
HOUR = pd.Timedelta("1h")


def timed(frame: pd.DataFrame, every: str = "10min", zone: str | None = None) -> pd.DataFrame:
    """The same rows at times."""
    start = START.tz_localize(zone)
    return frame.assign(time=start + frame["time"] * pd.Timedelta(every))


def uneven(n_ids: int = 4, length: int = 60, seed: int = 3) -> pd.DataFrame:
    """Series at irregular times, with gaps, shuffled."""
    rng = np.random.default_rng(seed)
    frame = wide(n_ids, length, seed=seed)
    seconds = rng.choice(8 * 3600, size=(n_ids, length), replace=False)
    seconds[1] += 4 * 3600
    frame["time"] = START + pd.to_timedelta(np.sort(seconds, axis=1).ravel(), "s")
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


def cut(frame: pd.DataFrame, index, window, *, include: bool = False) -> pd.DataFrame:
    """The matrix by loops: every window becomes a series of its own."""
    pieces = []
    for number, (own, cutoff) in enumerate(index):
        rows = frame[frame["id"] == own].sort_values("time")
        rows = rows[rows["time"] <= cutoff if include else rows["time"] < cutoff]
        if isinstance(window, int):
            rows = rows.tail(window)
        elif window is not None:
            lower = cutoff - pd.Timedelta(window)
            rows = rows[rows["time"] > lower if include else rows["time"] >= lower]
        pieces.append(rows.assign(id=number))
    return pd.concat(pieces)


def same_values(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
    )


@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize(
    ("window", "step"),
    [(12, 1), (12, 5), ("1h", "20min"), ("45min", "1h"), ("2h", 7), (20, "30min"), (9, None)],
)
def test_windows_are_series(window, step, include):
    frame = uneven()
    found = extract_rolling(
        frame, "efficient", window=window, step=step, include_cutoff=include, **ROLES
    )
    assert len(found) > 10
    windows = cut(frame, found.index, window, include=include)
    same_values(found, extract_features(windows, "efficient", **ROLES))


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("window", [None, 5, "1h"])
def test_rows_of_a_table_are_series(window, n_jobs):
    frame = uneven()
    rows = frame.sample(30, random_state=1)
    cutoffs = pd.DataFrame({"label": 1, "cutoff": rows["time"] + HOUR, "id": rows["id"]})
    found = extract_at(frame, cutoffs, "minimal", window=window, n_jobs=n_jobs, **ROLES)
    assert found.index.names == ["id", "cutoff"]
    assert found.index.tolist() == list(zip(cutoffs["id"], cutoffs["cutoff"], strict=True))
    windows = cut(frame, found.index, window)
    same_values(found.dropna(how="all"), extract_features(windows, "minimal", **ROLES))


@pytest.mark.parametrize("shape", ["wide", "long", "dict"])
@pytest.mark.parametrize("shift", [0, 3])
def test_equal_to_tsfresh_where_it_can_say_the_same(shape, shift):
    """Its windows hold the row at their cutoff, and it rolls by rows only."""
    tsfresh = pytest.importorskip("tsfresh")
    from tsfresh.feature_extraction import MinimalFCParameters
    from tsfresh.utilities.dataframe_functions import roll_time_series

    plain = wide(3, 12)
    frame = {
        "wide": plain,
        "long": melted(plain),
        "dict": {
            kind: plain[["id", "time", kind]].rename(columns={kind: "value"}) for kind in "xy"
        },
    }[shape]
    roles = {"wide": ROLES, "long": LONG_ROLES, "dict": {**ROLES, "column_value": "value"}}[shape]
    of_kinds = {key: value for key, value in roles.items() if key != "column_value"}
    rolled = roll_time_series(
        frame, max_timeshift=4, min_timeshift=shift, **of_kinds, n_jobs=0, disable_progressbar=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = tsfresh.extract_features(
            rolled, MinimalFCParameters(), **roles, n_jobs=0, disable_progressbar=True
        )
    ours = extract_rolling(
        frame, "minimal", window=5, step=1, min_size=shift + 1, include_cutoff=True, **roles
    )
    assert ours.index.tolist() == theirs.index.tolist()
    assert sorted(ours) == sorted(theirs)
    np.testing.assert_allclose(ours[list(theirs)], theirs, rtol=1e-12)


WINDOWS = st.sampled_from([3, 7, "20min", "1h"])
LATER = st.sampled_from(["values", "times", "dropped"])


def changed(frame: pd.DataFrame, later: pd.Series, how: str) -> pd.DataFrame:
    """The frame with other data later."""
    if how == "dropped":
        return frame[~later]
    frame = frame.copy()
    if how == "times":
        frame.loc[later, "time"] += 3 * HOUR
    else:
        frame.loc[later, ["x", "y"]] = 1e6
    return frame


@settings(max_examples=40, deadline=None)
@given(WINDOWS, st.sampled_from([1, 4, "15min"]), LATER, st.booleans(), st.integers(100, 400))
def test_no_row_depends_on_what_comes_later(window, step, how, include, minutes):
    frame, now = uneven(3, 25), START + pd.Timedelta(minutes=minutes)
    arguments = {"window": window, "step": step, "include_cutoff": include, **ROLES, "n_jobs": 1}
    before = extract_rolling(frame, "minimal", **arguments)
    later = frame["time"] > now if include else frame["time"] >= now
    after = extract_rolling(changed(frame, later, how), "minimal", **arguments)
    known = before[before.index.get_level_values("cutoff") <= now]
    still = after[after.index.get_level_values("cutoff") <= now]
    common = known.index.intersection(still.index)
    pd.testing.assert_frame_equal(known.loc[common], still.loc[common], check_exact=True)
    # Rows may be missing where nothing happens any more, and none may be new.
    assert set(still.index) <= set(known.index)
    if how == "values":
        assert len(common) == len(known)


@settings(max_examples=40, deadline=None)
@given(WINDOWS, LATER, st.booleans(), st.integers(0, 700))
def test_no_row_of_a_table_depends_on_what_comes_later(window, how, include, minutes):
    frame, now = uneven(3, 25), START + pd.Timedelta(minutes=minutes)
    cutoffs = pd.DataFrame({"id": [0, 1, 2, 0], "cutoff": [now, now, now, now - HOUR]})
    arguments = {"window": window, "include_cutoff": include, **ROLES, "n_jobs": 1}
    later = frame["time"] > now if include else frame["time"] >= now
    after = changed(frame, later, how)
    if after.empty:
        return
    pd.testing.assert_frame_equal(
        extract_at(frame, cutoffs, "minimal", **arguments),
        extract_at(after, cutoffs, "minimal", **arguments),
        check_exact=True,
    )


def test_tumbling_durations_give_each_row_to_one_window():
    frame = uneven()
    found = extract_rolling(frame, SMALL, window="1h", **ROLES)
    assert found["x__length"].sum() == len(frame)
    assert (found.index.get_level_values("cutoff").minute == 0).all()


def test_durations_step_alike_for_all_ids_and_all_runs():
    frame = uneven()
    whole = extract_rolling(frame, SMALL, window="1h", step="25min", **ROLES)
    some = frame[(frame["id"] == 2) & (frame["time"] > START + 2 * HOUR)]
    part = extract_rolling(some, SMALL, window="1h", step="25min", **ROLES)
    full = part.index.get_level_values("cutoff") >= START + 3 * HOUR
    common = part[full].index.intersection(whole.index)
    assert len(common) > 5
    pd.testing.assert_frame_equal(whole.loc[common], part.loc[common])


def test_an_id_that_falls_silent_has_rows_while_its_window_holds_some():
    """As runs by a schedule would give them, that cannot know whether it will come back."""
    frame = timed(wide(2, 30, "x"))
    frame = frame[(frame["id"] == 1) | (frame["time"] < START + HOUR)]
    found = extract_rolling(frame, SMALL, window="3h", step="1h", **ROLES)
    silent = found.loc[0]
    assert silent.index.tolist() == [START + n * HOUR for n in (1, 2, 3)]
    assert silent["x__length"].tolist() == [6, 6, 6]
    assert found.loc[1].index.tolist() == [START + n * HOUR for n in (1, 2, 3, 4, 5)]


def test_rows_are_counted_from_the_first():
    frame = wide(1, 10, "x")
    arguments = {"window": 4, "step": 3, **ROLES}
    found = extract_rolling(frame, SMALL, **arguments)
    assert found.index.tolist() == [(0, 4), (0, 7)]
    found = extract_rolling(frame, SMALL, include_cutoff=True, **arguments)
    assert found.index.tolist() == [(0, 3), (0, 6), (0, 9)]
    found = extract_rolling(frame, SMALL, min_size=1, **arguments)
    assert found["x__length"].to_dict() == {(0, 1): 1, (0, 4): 4, (0, 7): 4}


def test_windows_with_few_rows_have_none():
    frame = uneven()
    every = extract_rolling(frame, SMALL, window="30min", **ROLES)
    found = extract_rolling(frame, SMALL, window="30min", min_size=4, **ROLES)
    pd.testing.assert_frame_equal(found, every[every["x__length"] >= 4])
    cutoffs = every.reset_index()[["id", "cutoff"]]
    at = extract_at(frame, cutoffs, SMALL, window="30min", min_size=4, **ROLES)
    pd.testing.assert_frame_equal(at, every.where(every["x__length"] >= 4))


def test_kinds_have_rows_of_their_own():
    """Each kind's window holds its own rows; cutoffs are at the rows of any."""
    frame = melted(wide(2, 20))
    frame = frame[(frame["kind"] == "x") | (frame["time"] % 5 == 0)]
    found = extract_rolling(frame, SMALL, window=3, step=1, **LONG_ROLES)
    assert found.loc[0].index.tolist() == list(range(3, 20))
    assert (found["x__length"] == 3).all()
    lengths = found.loc[0, "y__length"]
    assert lengths[:8].isna().all()
    assert (lengths[8:] == 3).all()


@pytest.mark.parametrize("container", ["wide", "long", "dict"])
def test_formats_agree(container):
    plain = uneven()
    frame = {
        "wide": plain,
        "long": melted(plain),
        "dict": {
            kind: plain[["id", "time", kind]].rename(columns={kind: "value"}) for kind in "xy"
        },
    }[container]
    roles = {"wide": ROLES, "long": LONG_ROLES, "dict": {**ROLES, "column_value": "value"}}
    arguments = {"window": "1h", "step": "20min"}
    expected = extract_rolling(plain, "minimal", **arguments, **ROLES)
    found = extract_rolling(frame, "minimal", **arguments, **roles[container])
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


class TestIndex:
    @pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
    @pytest.mark.parametrize("unit", ["s", "us", "ns"])
    def test_times_keep_their_dtype(self, zone, unit):
        frame = timed(wide(2, 30), zone=zone)
        frame["time"] = frame["time"].dt.as_unit(unit)
        for step in (5, "30min"):
            cutoffs = extract_rolling(frame, SMALL, window="1h", step=step, **ROLES).index.levels[1]
            assert cutoffs.dtype == frame["time"].dtype
        table = pd.DataFrame({"id": 1, "cutoff": frame["time"].iloc[:3].dt.as_unit("ms")})
        found = extract_at(frame, table, SMALL, **ROLES)
        assert found.index.get_level_values(1).dtype == table["cutoff"].dtype

    def test_steps_finer_than_the_column(self):
        days = pd.DataFrame({"id": 1, "time": pd.date_range("2026-01-01", periods=3), "x": 1.0})
        days["time"] = days["time"].dt.as_unit("s")
        found = extract_rolling(days, SMALL, window="1s", step="500ms", **ROLES)
        assert found.index[0] == (1, pd.Timestamp("2026-01-01T00:00:00.5"))

    @pytest.mark.parametrize("dtype", ["int8", "uint64", "Int32", "float32", "int64[pyarrow]"])
    def test_numbers_keep_their_dtype(self, dtype):
        frame = wide(2, 12).astype({"time": dtype})
        found = extract_rolling(frame, SMALL, window=3, step=1, **ROLES)
        assert found.index.levels[1].dtype == frame["time"].dtype
        assert found.index.get_level_values(1).tolist() == [*range(3, 12)] * 2

    @pytest.mark.parametrize("dtype", [object, "date32[pyarrow]"])
    def test_dates_are_times(self, dtype):
        frame = wide(1, 6)
        days = pd.date_range("2026-01-01", periods=6)
        frame["time"] = pd.Series(days.date).astype(dtype)
        found = extract_rolling(frame, SMALL, window="2d", **ROLES)
        assert found.index.levels[1].tolist() == [*days[2::2], days[5] + pd.Timedelta("1D")]
        table = pd.DataFrame({"id": 0, "cutoff": frame["time"].iloc[3:5]})
        assert extract_at(frame, table, SMALL, **ROLES)["x__length"].tolist() == [3, 4]

    @pytest.mark.parametrize("zone", [None, "Asia/Tokyo"])
    @pytest.mark.parametrize("dtype", [object, "pyarrow"])
    def test_times_of_other_dtypes(self, dtype, zone):
        frame = timed(wide(2, 12), zone=zone)
        arrow = f"timestamp[us, tz={zone}][pyarrow]" if zone else "timestamp[us][pyarrow]"
        other = frame.astype({"time": object if dtype is object else arrow})
        arguments = {"window": "30min", "step": 2, **ROLES}
        expected = extract_rolling(frame, SMALL, **arguments)
        found = extract_rolling(other, SMALL, **arguments)
        assert found.index.tolist() == expected.index.tolist()
        same_values(found, expected)

    @pytest.mark.parametrize("ids", [["b", "a"], pd.Categorical(["b", "a"], ["b", "a", "c"])])
    def test_ids_are_as_in_the_frame(self, ids):
        frame = wide(2, 6)
        frame["id"] = (
            pd.Series(ids).take(frame["id"]).to_numpy()
            if isinstance(ids, list)
            else ids[frame["id"]]
        )
        found = extract_rolling(frame, SMALL, window=3, step=1, **ROLES)
        level = found.index.get_level_values(0)
        assert level.unique().tolist() == extract_features(frame, SMALL, **ROLES).index.tolist()
        assert level.dtype == frame["id"].dtype

    def test_names_are_those_of_the_columns(self):
        frame = wide(2, 6).rename(columns={"id": "machine"})
        roles = {**ROLES, "column_id": "machine"}
        assert extract_rolling(frame, SMALL, window=3, **roles).index.names == ["machine", "cutoff"]
        table = pd.DataFrame({"machine": [1], "when": [3]})
        found = extract_at(frame, table, SMALL, column_cutoff="when", **roles)
        assert found.index.names == ["machine", "when"]

    def test_nothing_that_is_long_enough_gives_no_rows(self):
        found = extract_rolling(timed(wide(2, 6)), SMALL, window=100, **ROLES)
        assert found.shape == (0, 6)
        assert found.index.names == ["id", "cutoff"]


class TestTable:
    def test_the_same_row_may_come_twice(self):
        frame = wide(3, 9)
        cutoffs = pd.DataFrame({"cutoff": [5, 5, 2], "id": [2, 2, 0]}, index=[9, 9, 1])
        found = extract_at(frame, cutoffs, SMALL, window=2, **ROLES)
        assert found.index.tolist() == [(2, 5), (2, 5), (0, 2)]
        assert found.iloc[0].tolist() == found.iloc[1].tolist()

    def test_ids_without_anything_before_have_nan(self, caplog):
        frame = wide(3, 9)
        cutoffs = pd.DataFrame({"id": [0, 7, 1], "cutoff": [0, 5, 5]})
        found = extract_at(frame, cutoffs, SMALL, **ROLES)
        assert found.isna().all(axis=1).tolist() == [True, True, False]
        (said,) = caplog.messages
        assert said.startswith("1 of 3 rows of cutoffs have ids that the frame does not hold")
        assert said.endswith("NaN: 7")

    def test_cutoffs_between_rows_of_floats(self):
        frame = wide(1, 9).astype({"time": float})
        cutoffs = pd.DataFrame({"id": [0, 0], "cutoff": [2.5, 4.0]})
        assert extract_at(frame, cutoffs, SMALL, **ROLES)["x__length"].tolist() == [3, 4]
        whole = cutoffs.astype({"cutoff": int})
        assert extract_at(frame, whole, SMALL, **ROLES)["x__length"].tolist() == [2, 4]

    def test_zones_may_differ(self):
        frame = timed(wide(1, 9), zone="UTC")
        cutoffs = pd.DataFrame(
            {"id": [0], "cutoff": [frame["time"].iloc[4].tz_convert("Asia/Tokyo")]}
        )
        assert extract_at(frame, cutoffs, SMALL, **ROLES)["x__length"].tolist() == [4]

    @pytest.mark.parametrize(
        ("table", "error", "says"),
        [
            ({"id": [0]}, ArgumentError, "column_cutoff='cutoff' is not a column of cutoffs"),
            ({"cutoff": [START]}, ArgumentError, "column_id='id' is not a column of cutoffs"),
            ({"id": [], "cutoff": []}, SourceError, "cutoffs is empty"),
            (
                {"id": [0, 1], "cutoff": [START, pd.NaT]},
                DataError,
                r"null in 1 of 2 rows \(at rows 1",
            ),
            (
                {"id": [0, None], "cutoff": [START] * 2},
                DataError,
                "cutoffs: column 'id' is null in 1",
            ),
            (
                {"id": ["0"], "cutoff": [START]},
                ArgumentError,
                "cutoffs: ids .* are string, but those",
            ),
            (
                {"id": [0], "cutoff": [5]},
                ArgumentError,
                "holds integers, but .* holds times: convert",
            ),
            ({"id": [0], "cutoff": ["x"]}, SourceError, "cutoffs: column 'cutoff' has type"),
            (
                {"id": [0], "cutoff": [START.tz_localize("UTC")]},
                ArgumentError,
                "holds times with a zone, but column_sort='time' holds times: .*tz_localize",
            ),
            (
                [START],
                ArgumentError,
                "cutoffs is a list, but must be a pandas DataFrame with the col",
            ),
        ],
    )
    def test_tables_that_cannot_be_used(self, table, error, says):
        cutoffs = pd.DataFrame(table) if isinstance(table, dict) else table
        with pytest.raises(error, match=says):
            extract_at(timed(wide(2, 5)), cutoffs, SMALL, **ROLES)


class TestPolicies:
    def test_what_is_omitted_is_not_counted(self):
        frame = wide(2, 20)
        frame.loc[[3, 4, 25], "x"] = np.nan
        found = extract_rolling(frame, SMALL, window=5, step=1, on_nan="omit", **ROLES)
        assert found["x__length"].dropna().eq(5).all()
        for kind in "xy":
            own = extract_rolling(
                frame[["id", "time", kind]].dropna(), SMALL, window=5, step=1, **ROLES
            )
            common = found.index.intersection(own.index)
            assert len(common) == len(own)
            pd.testing.assert_frame_equal(found.loc[common, list(own)], own)

    def test_quarantine_costs_the_windows_that_hold_one(self):
        frame = wide(2, 20)
        frame.loc[10, "x"] = np.inf
        arguments = {"window": 5, "step": 1, **ROLES}
        found = extract_rolling(frame, SMALL, on_nan="quarantine", **arguments)
        every = extract_rolling(frame.assign(x=0.0), SMALL, **arguments)
        lost = every.index.difference(found.index)
        assert lost.tolist() == [(0, cutoff) for cutoff in range(11, 16)]
        assert np.isfinite(found).all(axis=None)

    def test_nan_is_refused(self):
        with pytest.raises(DataError, match="column 'x' holds 1 null, NaN or infinite values"):
            extract_rolling(
                wide(1, 5).replace({"time": {}}).assign(x=[1, 2, np.nan, 3, 4]),
                SMALL,
                window=2,
                **ROLES,
            )

    @pytest.mark.parametrize("policy", ["first", "last", "mean"])
    @pytest.mark.parametrize("times", [str, float, timed])
    def test_duplicates(self, policy, times):
        frame = wide(2, 8)
        frame = timed(frame) if times is timed else frame.astype({"time": float})
        twice = pd.concat([frame, frame.assign(x=1.0, y=2.0)])
        once = extract_features(twice, SMALL, on_duplicate=policy, **ROLES)
        arguments = {"window": 8, "include_cutoff": True, **ROLES}
        found = extract_rolling(twice, SMALL, on_duplicate=policy, **arguments)
        assert found.index.get_level_values(1).tolist() == [frame["time"].iloc[7]] * 2
        same_values(found, once)
        with pytest.raises(DataError, match="have the same id and sort value"):
            extract_rolling(twice, SMALL, **arguments)

    @pytest.mark.usefixtures("own_calculators")
    def test_a_calculator_that_raises(self, caplog):
        def picky(values):
            if values[0] == 1:
                raise ValueError("one")
            return values[0]

        frame = wide(1, 4, "x").assign(x=[0.0, 1.0, 2.0, 3.0])
        with pytest.raises(CalculationError, match="picky failed for kind 'x': ValueError: one"):
            extract_rolling(frame, {picky: None}, window=1, **ROLES)
        found = extract_rolling(frame, {picky: None}, window=1, on_error="nan", **ROLES)
        np.testing.assert_array_equal(found["x__picky"], [0, np.nan, 2])
        assert caplog.messages == ["picky of kind 'x' failed for 1 series: ValueError: one"]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"window": 0}, ArgumentError, "window=0 is not allowed"),
        ({"window": "soon"}, ArgumentError, "window='soon' is not allowed"),
        ({"step": -1}, ArgumentError, "step=-1 is not allowed"),
        ({"window": "1h"}, ArgumentError, "window is a duration, but column_sort='time' holds int"),
        (
            {"step": "1h"},
            ArgumentError,
            "step is a duration, but .*: give step as a number of rows",
        ),
        ({"min_size": 0}, ArgumentError, "min_size=0 is not allowed; give rows from 1 to window=3"),
        ({"min_size": 4}, ArgumentError, "min_size=4 is not allowed"),
        ({"min_size": 1.5}, ArgumentError, "min_size=1.5 is not allowed"),
        ({"column_sort": None}, ArgumentError, "column_sort=None: name the column"),
        ({"column_id": None}, ArgumentError, "column_id=None: name the column"),
        ({"column_id": "cutoff"}, ArgumentError, "column_id='cutoff' is also the name"),
        ({"sink": "s3://bucket/matrix.parquet"}, ArgumentError, "is not a path on this machine"),
        ({"n_jobs": -1}, ArgumentError, "n_jobs=-1 is not allowed"),
        ({"on_nan": "drop"}, ArgumentError, "on_nan='drop' is not allowed"),
        ({"settings": "most"}, SettingsError, "most"),
    ],
)
def test_arguments_that_are_not_allowed(arguments, error, says):
    given = {"settings": SMALL, "window": 3, **ROLES, **arguments}
    with pytest.raises(error, match=says):
        extract_rolling(wide(2, 5), **given)


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


def test_calculators_get_the_times_of_their_window():
    frame = timed(wide(2, 30, "x"))
    frame = frame.set_index("time", drop=False)
    chosen = {"linear_trend_timewise": [{"attr": "slope"}, {"attr": "intercept"}]}
    found = extract_rolling(frame, chosen, window="1h", **ROLES)
    windows = cut(frame.rename_axis(None), found.index, "1h")
    same_values(found, extract_features(windows, chosen, **ROLES))


def test_long_windows_are_warned_of():
    frame = pd.DataFrame({"id": 1, "time": np.arange(LONG_SERIES + 50), "x": 1.0})
    arguments = {"window": LONG_SERIES + 10, **ROLES}
    with pytest.warns(QuadraticWarning, match="the longest 20,010"):
        extract_rolling(frame, {"sample_entropy": None}, step=1000, **arguments)
    extract_rolling(frame, {"sample_entropy": None}, window=10, step=10_000, **ROLES)


class TestSink:
    @pytest.mark.parametrize("zone", [None, "UTC"])
    def test_a_file_holds_the_same_matrix(self, tmp_path, monkeypatch, zone):
        monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", 5_000)
        frame = timed(wide(3, 40), zone=zone)
        frame["id"] = frame["id"].map({0: "a", 1: "b", 2: "c"})
        arguments = {"window": 10, "step": 1, "n_jobs": 2, **ROLES}
        path = tmp_path / "deep" / "matrix.parquet"
        assert extract_rolling(frame, "minimal", sink=path, **arguments) is None
        expected = extract_rolling(frame, "minimal", **arguments)
        pd.testing.assert_frame_equal(pd.read_parquet(path), expected, check_exact=True)
        assert [one.name for one in path.parent.iterdir()] == ["matrix.parquet"]

    def test_a_table_in_pieces(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", 500)
        frame = wide(3, 40)
        rng = np.random.default_rng(1)
        cutoffs = pd.DataFrame({"cutoff": rng.integers(0, 50, 99), "id": rng.integers(0, 4, 99)})
        path = str(tmp_path / "matrix.parquet")
        extract_at(frame, cutoffs, SMALL, window=5, sink=path, **ROLES)
        found = pd.read_parquet(path)
        pd.testing.assert_frame_equal(found, extract_at(frame, cutoffs, SMALL, window=5, **ROLES))
        assert found.index.tolist() == list(zip(cutoffs["id"], cutoffs["cutoff"], strict=True))

    def test_a_folder_has_files_of_some_pieces(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", 1_000)
        frame = timed(wide(3, 200))
        folder = tmp_path / "deep" / "matrix"
        arguments = {"window": 10, "step": 1, **ROLES}
        extract_rolling(frame, "minimal", sink=folder, **arguments)
        files = sorted(one.name for one in folder.iterdir())
        assert files == [f"part-{number:05d}.parquet" for number in range(6)]
        expected = extract_rolling(frame, "minimal", **arguments)
        pd.testing.assert_frame_equal(pd.read_parquet(folder), expected, check_exact=True)
        assert [one.name for one in folder.parent.iterdir()] == ["matrix"]

    def test_sinks_that_hold_something_else(self, tmp_path):
        (tmp_path / "matrix.csv").touch()
        (tmp_path / "folder.parquet").mkdir()
        for name, says in [
            ("matrix.csv", "is a file that does not end in .parquet"),
            ("folder.parquet", "is a folder; give"),
            ("", "is a folder that is not empty"),
        ]:
            with pytest.raises(ArgumentError, match=says):
                extract_rolling(wide(2, 5), SMALL, window=2, sink=tmp_path / name, **ROLES)

    @pytest.mark.usefixtures("own_calculators")
    def test_a_folder_that_fails_leaves_nothing(self, tmp_path, monkeypatch):
        empty = tmp_path / "matrix"
        empty.mkdir()

        @tidemill.calculator
        def once(values):
            if values[0] >= 15:
                raise ValueError("full")
            return 1.0

        frame = wide(1, 20, "x").assign(x=np.arange(20.0))
        monkeypatch.setattr("tidemill.frames.window_tiles.TILE_BYTES", 8)
        with pytest.raises(CalculationError, match="full"):
            extract_rolling(frame, {"once": None}, window=1, sink=empty, **ROLES)
        assert list(tmp_path.iterdir()) == [empty]
        assert list(empty.iterdir()) == []
        extract_rolling(wide(2, 5), SMALL, window=9, sink=empty, **ROLES)
        assert pd.read_parquet(empty).shape == (0, 6)

    def test_no_rows(self, tmp_path):
        path = tmp_path / "matrix.parquet"
        extract_rolling(wide(2, 5), SMALL, window=9, sink=path, **ROLES)
        assert pd.read_parquet(path).shape == (0, 6)

    @pytest.mark.usefixtures("own_calculators")
    def test_an_earlier_file_stays_if_something_fails(self, tmp_path):
        path = tmp_path / "matrix.parquet"
        path.write_bytes(b"earlier")

        def failing(values):
            raise ValueError

        with pytest.raises(CalculationError):
            extract_rolling(wide(2, 5), {failing: None}, window=2, sink=path, **ROLES)
        assert path.read_bytes() == b"earlier"
        assert [one.name for one in tmp_path.iterdir()] == ["matrix.parquet"]


#: Prints MiB above the idle process and three times the input. The process is idle once it has
#: loaded its libraries and kernels: the small run before does that.
STREAMING = """
import sys
import numpy as np
import pandas as pd
import tidemill

def memory(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

def run(n_rows, sink):
    times = pd.date_range("2026-01-01", periods=n_rows // 2, freq="s")
    values = np.random.default_rng(1).standard_normal(n_rows)
    ids = np.repeat([1, 2], n_rows // 2)
    frame = pd.DataFrame({"id": ids, "time": np.tile(times, 2), "x": values})
    tidemill.extract_rolling(
        frame, settings, window=window, step=1, column_id="id", column_sort="time", sink=sink,
        n_jobs=2,
    )
    return frame.memory_usage(index=False).sum()

many = {"value_count": [{"value": float(value)} for value in range(777)]}
name, window = sys.argv[1], int(sys.argv[3])
settings = many if name == "many" else name
run(3_000, sys.argv[4] + "_0.parquet")
idle = memory("VmRSS")
size = run(int(sys.argv[2]), sys.argv[4])
print((memory("VmHWM") - idle - 3 * size) / 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc/self/status")
@pytest.mark.parametrize(
    ("chosen", "n_rows", "window", "sink"),
    [("minimal", 1_000_000, 1_000, "matrix.parquet"), ("many", 200_000, 10, "matrix")],
)
def test_a_matrix_that_is_larger_than_its_input_is_streamed(tmp_path, chosen, n_rows, window, sink):
    path = tmp_path / sink
    command = [sys.executable, "-c", STREAMING, chosen, str(n_rows), str(window), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 128
    files = [path] if path.is_file() else sorted(path.iterdir())
    assert sum(pq.read_metadata(one).num_rows for one in files) == n_rows - 2 * window
