"""RelevantFeatureAugmenter, beside tsfresh's and as scikit-learn uses it."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from tsfresh.feature_extraction import EfficientFCParameters
from tsfresh.transformers import RelevantFeatureAugmenter as Theirs

from tidemill.errors import ArgumentError, NoContainerError, NoSharedIdError
from tidemill.sklearn import RelevantFeatureAugmenter
from tidemill.sklearn.fitted import UnfittedError

#: tsfresh's own helpers still say `copy=`.
pytestmark = pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")

RNG = np.random.default_rng(12)
IDS = np.arange(40)
FRAME = pd.DataFrame(
    {
        "id": np.repeat(IDS, 15),
        "t": np.tile(np.arange(15), 40),
        "x": RNG.normal(size=600) + np.repeat(IDS % 2, 15),
        "y": RNG.normal(size=600),
    }
)
ROWS = pd.DataFrame({"age": IDS % 2 * 1.0, "noise": RNG.normal(size=40)}, index=IDS)
Y = pd.Series(IDS % 2, index=IDS)
SETTINGS = {
    name: EfficientFCParameters()[name]
    for name in ("mean", "median", "quantile", "autocorrelation", "variance", "c3", "kurtosis")
}


def ours(**more) -> RelevantFeatureAugmenter:
    given = {
        "default_fc_parameters": SETTINGS, "column_id": "id", "column_sort": "t",
        "timeseries_container": FRAME, **more,
    }  # fmt: skip
    return RelevantFeatureAugmenter(**given)


@pytest.mark.parametrize("only", [True, False])
def test_the_frame_is_tsfreshs(only):
    common = {
        "default_fc_parameters": SETTINGS, "column_id": "id", "column_sort": "t",
        "timeseries_container": FRAME, "filter_only_tsfresh_features": only,
    }  # fmt: skip
    theirs = Theirs(n_jobs=0, disable_progressbar=True, **common)
    found = RelevantFeatureAugmenter(**common)
    expected = theirs.fit_transform(ROWS, Y)
    pd.testing.assert_frame_equal(found.fit_transform(ROWS, Y), expected, rtol=1e-12)
    pd.testing.assert_frame_equal(found.transform(ROWS), expected, rtol=1e-12)
    assert found.get_feature_names_out().tolist() == expected.columns.tolist()
    rows = ROWS.loc[[5, 2]]
    pd.testing.assert_frame_equal(found.transform(rows), theirs.transform(rows), rtol=1e-12)


def test_transform_calculates_only_what_is_relevant(counted):
    settings = {**SETTINGS, "probe": [{"folder": str(counted.folder)}]}
    augmenter = ours(default_fc_parameters=settings, timeseries_container=FRAME[["id", "t", "y"]])
    augmenter.fit(ROWS, Y)
    calls = len(counted.calls)
    assert augmenter.transform(ROWS).columns.tolist() == ["age", "noise"]
    assert len(counted.calls) == calls == len(IDS)


def test_a_kind_that_is_missing_later_is_imputed():
    augmenter = ours().fit(ROWS, Y)
    names = augmenter.feature_selector.relevant_features
    assert names
    assert all(name.startswith("x__") for name in names)
    found = augmenter.set_params(timeseries_container=FRAME.drop(columns="x")).transform(ROWS)
    for name in names:
        assert (found[name] == augmenter.col_to_median[name]).all()


def test_cells_that_are_not_finite_are_replaced_by_numbers_of_fit():
    rows = ROWS.assign(age=ROWS["age"].where(IDS != 4))
    augmenter = ours(filter_only_tsfresh_features=False)
    first = augmenter.fit_transform(rows, Y)
    assert first.notna().all(axis=None)
    pd.testing.assert_frame_equal(augmenter.transform(rows), first)


def test_wrong_input_is_refused():
    with pytest.raises(NoContainerError):
        ours(timeseries_container=None).fit(ROWS, Y)
    with pytest.raises(UnfittedError):
        ours().transform(ROWS)
    with pytest.raises(NoSharedIdError):
        ours().fit(ROWS.set_axis(IDS - 100), Y)
    with pytest.raises(ArgumentError, match="X is a list"):
        ours().fit([1], Y)
    augmenter = ours(filter_only_tsfresh_features=False).fit(ROWS, Y)
    with pytest.raises(ArgumentError, match="X lacks the columns 'age'"):
        augmenter.transform(ROWS[["noise"]])


def test_a_fit_that_fails_leaves_no_estimator_that_looks_fitted():
    augmenter = ours()
    with pytest.raises(ArgumentError):
        augmenter.fit(ROWS, Y.to_numpy()[:3])
    with pytest.raises(UnfittedError):
        augmenter.transform(ROWS)


def test_clones_and_pickles_give_the_same():
    augmenter = ours().fit(ROWS, Y)
    expected = augmenter.transform(ROWS)
    again = pickle.loads(pickle.dumps(augmenter))  # noqa: S301
    pd.testing.assert_frame_equal(again.transform(ROWS), expected)
    assert clone(augmenter).feature_selector is None


def test_the_container_is_routed_as_metadata():
    with sklearn.config_context(enable_metadata_routing=True):
        augmenter = (
            ours(timeseries_container=None)
            .set_fit_request(timeseries_container=True)
            .set_transform_request(timeseries_container=True)
        )
        pipeline = make_pipeline(augmenter, LogisticRegression())
        params = {"timeseries_container": FRAME}
        found = cross_validate(pipeline, ROWS, Y, cv=3, params=params, error_score="raise")
    assert len(found["test_score"]) == 3


def test_a_cross_validation_calculates_each_series_once(tmp_path, counted):
    settings = {"mean": None, "probe": [{"folder": str(counted.folder)}]}
    augmenter = ours(default_fc_parameters=settings, memory=tmp_path / "kept",
                     timeseries_container=FRAME.drop(columns="y"))  # fmt: skip
    pipeline = make_pipeline(augmenter, LogisticRegression())
    cross_val_score(pipeline, ROWS, Y, cv=4, error_score="raise")
    assert len(counted.calls) == len(IDS)
