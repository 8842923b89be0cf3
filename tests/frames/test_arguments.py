"""What all in-memory doors share: settings with timestamps, features of a batch, threads."""

from __future__ import annotations

import os
import warnings

import numpy as np
import pyarrow as pa
import pytest

from tidemill.calculators.costs import LONG_SERIES
from tidemill.calculators.settings import Settings
from tidemill.errors import ArgumentError, InputError, QuadraticWarning
from tidemill.frames.arguments import (
    count_threads,
    features_of,
    needs_times,
    read_settings,
    warn_of_long_series,
)
from tidemill.model import feature_names
from tidemill.model.series import Batch, SeriesBlock

TIMEWISE = "linear_trend_timewise"
SLOPE = {TIMEWISE: [{"attr": "slope"}]}


def names(settings: Settings, kind: str = "x") -> set[str]:
    return {name for name, _ in settings.features_for(kind)}


def batch_of(kinds: str = "xy", length: int = 5) -> Batch:
    edges = np.array([0, length])
    blocks = {kind: SeriesBlock(kind, np.zeros(length), edges[:1], edges[1:]) for kind in kinds}
    return Batch(pa.array([1]), blocks)


@pytest.mark.parametrize(("n_jobs", "threads"), [(0, 1), (1, 1), (7, 7)])
def test_threads(n_jobs, threads):
    assert count_threads(n_jobs) == threads


def test_all_cores_by_default(monkeypatch):
    assert count_threads(None) == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_threads(None) == 1


def test_negative_threads_are_refused():
    with pytest.raises(ArgumentError, match=r"n_jobs=-2 is not allowed; give 0 or more, or None"):
        count_threads(-2)


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("preset", ["comprehensive", None])
def test_presets_have_the_calculators_of_timestamps_only_with_timestamps(preset, timed):
    assert (TIMEWISE in names(read_settings(preset, None, timed=timed))) == timed


@pytest.mark.parametrize("timed", [True, False])
def test_presets_of_single_kinds_have_them_too(timed):
    settings = read_settings({"mean": None}, {"x": "efficient"}, timed=timed)
    assert (TIMEWISE in names(settings)) == timed
    assert names(settings, "y") == {"mean"}


@pytest.mark.parametrize("timed", [True, False])
def test_settings_of_tsfresh_lose_them_without_timestamps(timed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tsfresh.feature_extraction.settings import TimeBasedFCParameters
    given = TimeBasedFCParameters()
    assert set(given) == {TIMEWISE}
    given["mean"] = None
    expected = {TIMEWISE, "mean"} if timed else {"mean"}
    assert names(read_settings(given, None, timed=timed)) == expected


def test_settings_that_name_them_keep_them():
    """Where there are no timestamps, that is an error of the data, not of the settings."""
    assert names(read_settings(SLOPE, None, timed=False)) == {TIMEWISE}


def test_without_a_default_other_kinds_have_no_features():
    settings = read_settings(None, {"x": {"mean": None}}, timed=False)
    assert (names(settings), names(settings, "y")) == ({"mean"}, set())


@pytest.mark.parametrize(
    ("default", "by_kind", "needed"),
    [
        (SLOPE, {}, True),
        ({"mean": None}, {"x": SLOPE}, True),
        ({"mean": None}, {"x": {"maximum": None}}, False),
    ],
)
def test_one_kind_that_needs_times_is_enough(default, by_kind, needed):
    assert needs_times(Settings.from_any(default, by_kind)) == needed


def test_features_are_those_of_each_kind():
    settings = Settings.from_any({"mean": None}, {"y": {"maximum": None, "minimum": None}})
    features = features_of(settings, batch_of())
    assert {kind: [name for name, _ in own] for kind, own in features.items()} == {
        "x": ["mean"], "y": ["maximum", "minimum"],
    }  # fmt: skip


def test_settings_of_kinds_that_the_batch_lacks_are_refused():
    with pytest.raises(InputError, match="kind 'z', which the input does not"):
        features_of(Settings.from_any("minimal", {"z": "minimal"}), batch_of())


def test_a_matrix_that_would_be_too_wide_is_refused(monkeypatch):
    monkeypatch.setattr(feature_names, "MAX_COLUMNS", 19)
    with pytest.raises(InputError, match="20"):
        features_of(Settings.from_any("minimal"), batch_of())


def test_long_series_are_warned_of_whatever_filter_hides_other_warnings():
    features = {"x": [("sample_entropy", {})]}
    with pytest.warns(QuadraticWarning, match="sample_entropy") as caught:
        warn_of_long_series(batch_of("x", LONG_SERIES + 1), features)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_long_series(batch_of("x", LONG_SERIES + 1), {"x": [("mean", {})]})
        warn_of_long_series(batch_of("x", 10), features)
