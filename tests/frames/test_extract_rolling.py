"""`extract_rolling`: windows are series, and their cutoffs follow the rows or the clock."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from tidemill import extract_features, extract_rolling
from tidemill.errors import ArgumentError, SettingsError

from ..support.series import LONG_ROLES, ROLES, melted, wide
from ..support.windows import HOUR, SMALL, START, cut, same_values, timed, uneven


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
        ({"min_size": 0}, ArgumentError, "min_size=0 .* give a row count from 1 to window=3"),
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


def test_calculators_get_the_times_of_their_window():
    frame = timed(wide(2, 30, "x"))
    frame = frame.set_index("time", drop=False)
    chosen = {"linear_trend_timewise": [{"attr": "slope"}, {"attr": "intercept"}]}
    found = extract_rolling(frame, chosen, window="1h", **ROLES)
    windows = cut(frame.rename_axis(None), found.index, "1h")
    same_values(found, extract_features(windows, chosen, **ROLES))
