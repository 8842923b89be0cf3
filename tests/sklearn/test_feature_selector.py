"""FeatureSelector, beside tsfresh's and as scikit-learn uses it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tsfresh.transformers import FeatureSelector as Theirs

from tidemill.errors import ArgumentError, SelectionError
from tidemill.sklearn import FeatureSelector
from tidemill.sklearn.fitted import UnfittedError

RNG = np.random.default_rng(5)
ROWS = 120
CLASSES = np.arange(ROWS) % 3
X = pd.DataFrame(
    {
        "good": CLASSES + RNG.normal(size=ROWS) / 2,
        "better": CLASSES % 2 * 3 + RNG.normal(size=ROWS),
        "noise": RNG.normal(size=ROWS),
        "binary": (CLASSES == 1) ^ (RNG.random(ROWS) < 0.1),
        "whole": RNG.integers(0, 5, ROWS),
    }
)
TARGETS = {
    "binary": pd.Series(CLASSES == 1),
    "classes": pd.Series(CLASSES),
    "real": pd.Series(CLASSES + RNG.normal(size=ROWS)),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("more", [{}, {"hypotheses_independent": True}, {"fdr_level": 0.5}])
def test_the_columns_and_p_values_are_tsfreshs(target, more):
    y = TARGETS[target]
    theirs = Theirs(n_jobs=0, **more).fit(X, y)
    found = FeatureSelector(**more).fit(X, y)
    assert found.relevant_features == theirs.relevant_features
    assert found.features == theirs.features
    np.testing.assert_allclose(found.p_values, theirs.p_values, rtol=1e-12)
    np.testing.assert_allclose(found.feature_importances_, theirs.feature_importances_, rtol=1e-12)
    pd.testing.assert_frame_equal(found.transform(X), theirs.transform(X))


@pytest.mark.parametrize("several", ["min", "max", "avg", "all"])
def test_p_values_of_several_classes_are_tsfreshs(several):
    more = {"multiclass": True, "n_significant": 2, "multiclass_p_values": several}
    y = TARGETS["classes"]
    theirs = Theirs(n_jobs=0, ml_task="classification", **more).fit(X, y)
    found = FeatureSelector(ml_task="classification", **more).fit(X, y)
    assert found.relevant_features == theirs.relevant_features
    np.testing.assert_allclose(found.p_values, theirs.p_values, rtol=1e-12)
    np.testing.assert_allclose(found.feature_importances_, theirs.feature_importances_, rtol=1e-12)
    if several == "all":
        assert found.feature_importances_.columns.tolist() == [f"importance_{n}" for n in range(3)]


def test_arrays_keep_their_columns_by_position():
    found = FeatureSelector().fit(X.to_numpy(float), TARGETS["binary"].to_numpy())
    named = FeatureSelector().fit(X.astype(float), TARGETS["binary"])
    assert [X.columns[one] for one in found.relevant_features] == named.relevant_features
    np.testing.assert_array_equal(
        found.transform(X.to_numpy(float)), named.transform(X.astype(float)).to_numpy()
    )
    assert found.get_feature_names_out().tolist() == [f"x{n}" for n in found.relevant_features]
    assert named.get_feature_names_out().tolist() == named.relevant_features


def test_an_array_as_target_goes_by_position_whatever_the_index():
    shuffled = X.set_axis(RNG.permutation(ROWS))
    found = FeatureSelector().fit(shuffled, TARGETS["binary"].to_numpy())
    assert found.relevant_features == FeatureSelector().fit(X, TARGETS["binary"]).relevant_features


def test_a_series_goes_by_position_where_the_rows_are_an_array():
    y = TARGETS["binary"]
    shifted = y.set_axis(y.index + 1000)
    found = FeatureSelector().fit(X.to_numpy(), shifted)
    by_arrays = FeatureSelector().fit(X.to_numpy(), y.to_numpy())
    assert found.relevant_features == by_arrays.relevant_features
    with pytest.raises(SelectionError, match="the index of y is not that of X"):
        FeatureSelector().fit(X, shifted)
    with pytest.raises(ArgumentError, match="y has 50 values, but X has 120 rows"):
        FeatureSelector().fit(X.to_numpy(), shifted[:50])


def test_nothing_relevant_leaves_no_column():
    selector = FeatureSelector().fit(X[["noise"]], TARGETS["binary"])
    found = selector.transform(X[["noise"]])
    assert found.shape == (ROWS, 0)
    assert found.index.equals(X.index)
    assert len(selector.get_feature_names_out()) == 0


def test_nothing_is_known_before_fit():
    selector = FeatureSelector()
    assert (selector.relevant_features, selector.features) == (None, None)
    assert (selector.p_values, selector.feature_importances_) == (None, None)
    with pytest.raises(UnfittedError):
        selector.transform(X)


@pytest.mark.parametrize(
    ("more", "target", "says"),
    [
        ({"multiclass_p_values": "mean"}, TARGETS["binary"], "choose one of all, avg, max, min"),
        ({}, None, "requires y to be passed"),
        ({}, np.zeros(7), "y has 7 values, but X has 120 rows"),
    ],
)
def test_wrong_input_is_refused(more, target, says):
    with pytest.raises(ArgumentError, match=says):
        FeatureSelector(**more).fit(X, target)
