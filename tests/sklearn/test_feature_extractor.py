"""FeatureExtractor: collections as X."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

import tidemill
from tidemill.errors import ArgumentError, DataError, SettingsError
from tidemill.sklearn import FeatureExtractor
from tidemill.sklearn.fitted import UnfittedError

RNG = np.random.default_rng(9)
TABLE = RNG.normal(size=(30, 20))
CUBE = RNG.normal(size=(6, 2, 20))
Y = np.arange(30) % 2
TABLE[Y == 1] += 1.0


def test_the_matrix_is_that_of_extract_arrays():
    for given in (TABLE, CUBE, list(CUBE), [one[: 5 + n] for n, one in enumerate(TABLE)]):
        found = FeatureExtractor("minimal").fit_transform(given)
        np.testing.assert_array_equal(found, tidemill.extract_arrays(given, "minimal"))


def test_pandas_comes_out_with_names_and_index():
    extractor = FeatureExtractor("minimal", kinds=["a", "b"]).set_output(transform="pandas")
    found = extractor.fit_transform(CUBE)
    assert found.columns.tolist() == extractor.get_feature_names_out().tolist()
    assert found.columns[0] == "a__sum_values"
    frame = pd.DataFrame(TABLE, index=[f"row {n}" for n in range(30)])
    extractor = FeatureExtractor("minimal").set_output(transform="pandas")
    assert extractor.fit_transform(frame).index.equals(frame.index)


def test_a_frame_with_levels_equals_the_frame_door():
    index = pd.MultiIndex.from_product([[3, 1, 2], pd.date_range("2026-01-01", periods=20)],
                                       names=["case", "time"])  # fmt: skip
    frame = pd.DataFrame({"x": RNG.normal(size=60), "y": RNG.normal(size=60)}, index)
    settings = {"mean": None, "linear_trend_timewise": [{"attr": "slope"}]}
    expected = tidemill.extract_features(frame.reset_index(), settings, column_id="case",
                                         column_sort="time")  # fmt: skip
    extractor = FeatureExtractor(settings)
    found = extractor.fit_transform(frame)
    np.testing.assert_array_equal(found, expected.loc[[3, 1, 2]].to_numpy())
    assert extractor.get_feature_names_out().tolist() == expected.columns.tolist()


def test_times_are_routed_as_metadata():
    days = np.array([np.datetime64("2026-01-01", "ns") + np.arange(20) * np.timedelta64(n + 1, "h")
                     for n in range(30)])  # fmt: skip
    settings = {"linear_trend_timewise": [{"attr": "slope"}]}
    expected = tidemill.extract_arrays(TABLE, settings, times=days)
    np.testing.assert_array_equal(
        FeatureExtractor(settings).fit_transform(TABLE, times=days), expected
    )
    with sklearn.config_context(enable_metadata_routing=True):
        extractor = (
            FeatureExtractor(settings).set_transform_request(times=True).set_fit_request(times=True)
        )
        pipeline = make_pipeline(extractor, LogisticRegression())
        cross_validate(pipeline, TABLE, Y, cv=3, params={"times": days}, error_score="raise")


def test_series_of_other_lengths_are_transformed():
    extractor = FeatureExtractor("minimal").fit(TABLE)
    np.testing.assert_array_equal(
        extractor.transform(TABLE[:, :7]), FeatureExtractor("minimal").fit_transform(TABLE[:, :7])
    )


@pytest.mark.parametrize(
    ("extractor", "given", "error", "says"),
    [
        (FeatureExtractor("minimal", on_nan="quarantine"), TABLE, ArgumentError, "omit, raise"),
        (FeatureExtractor("minmal"), TABLE, SettingsError, "minmal"),
        (FeatureExtractor({"y": None}), TABLE, SettingsError, "y"),
        (FeatureExtractor("minimal"), np.array([[1.0, np.nan]]), DataError, "case 0 of X"),
        (FeatureExtractor("minimal"), np.array([[1.0, np.inf]]), DataError, "case 0 of X"),
    ],
)
def test_wrong_input_is_refused(extractor, given, error, says):
    with pytest.raises(error, match=says):
        extractor.fit(given)


def test_other_channels_are_refused():
    extractor = FeatureExtractor("minimal")
    with pytest.raises(UnfittedError):
        extractor.transform(TABLE)
    extractor.fit(CUBE)
    with pytest.raises(ArgumentError, match="but fit saw"):
        extractor.transform(TABLE)


def test_nan_may_be_left_out():
    table = np.where(RNG.random(TABLE.shape) < 0.2, np.nan, TABLE)
    found = FeatureExtractor("minimal", on_nan="omit").fit_transform(table)
    np.testing.assert_array_equal(found, tidemill.extract_arrays(table, "minimal", on_nan="omit"))


def test_clones_and_pickles_give_the_same():
    extractor = FeatureExtractor("minimal").fit(TABLE)
    expected = extractor.transform(TABLE)
    again = pickle.loads(pickle.dumps(extractor))  # noqa: S301
    np.testing.assert_array_equal(again.transform(TABLE), expected)
    np.testing.assert_array_equal(clone(extractor).fit_transform(TABLE), expected)


def test_a_search_over_the_classifier_calculates_each_series_once(tmp_path, counted):
    settings = {"mean": None, "probe": [{"folder": str(counted.folder)}]}
    pipeline = make_pipeline(
        FeatureExtractor(settings, memory=tmp_path / "kept"), LogisticRegression()
    )
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=5,
                          error_score="raise")  # fmt: skip
    search.fit(TABLE, Y)
    assert len(counted.calls) == len(TABLE)
    np.testing.assert_array_equal(
        search.best_estimator_[0].transform(TABLE),
        FeatureExtractor(settings).fit_transform(TABLE),
    )


def test_pipelines_memory_works_too(tmp_path):
    steps = FeatureExtractor("minimal"), LogisticRegression()
    kept = make_pipeline(*steps, memory=str(tmp_path)).fit(TABLE, Y)
    np.testing.assert_array_equal(
        kept.predict(TABLE), make_pipeline(*steps).fit(TABLE, Y).predict(TABLE)
    )
