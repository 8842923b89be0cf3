"""`extract_at`: each row of a table of cutoffs is a series, and tables that cannot be used."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill import extract_at, extract_features, extract_rolling
from tidemill.errors import ArgumentError, DataError, SourceError

from ..support.series import ROLES, wide
from ..support.windows import HOUR, SMALL, START, cut, same_values, timed, uneven


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


def test_windows_with_few_rows_have_none():
    frame = uneven()
    every = extract_rolling(frame, SMALL, window="30min", **ROLES)
    found = extract_rolling(frame, SMALL, window="30min", min_size=4, **ROLES)
    pd.testing.assert_frame_equal(found, every[every["x__length"] >= 4])
    cutoffs = every.reset_index()[["id", "cutoff"]]
    at = extract_at(frame, cutoffs, SMALL, window="30min", min_size=4, **ROLES)
    pd.testing.assert_frame_equal(at, every.where(every["x__length"] >= 4))


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
        assert said.startswith("1 of 3 rows of cutoffs have ids that are not in the frame")
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
