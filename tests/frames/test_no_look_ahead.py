"""No row of a matrix depends on rows of the input that come after its cutoff."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemill import extract_at, extract_rolling

from ..support.series import ROLES
from ..support.windows import HOUR, START, uneven

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
