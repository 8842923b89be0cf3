"""Features for the rows of X: by id, once if they are kept, NaN where there is no series."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.errors import ArgumentError, NoSharedIdError
from tidemill.sklearn import FeatureAugmenter
from tidemill.sklearn.extraction import (
    feature_columns,
    features_of_ids,
    is_kept,
    joined,
    settings_for,
)

FRAME = pd.DataFrame(
    {"id": np.repeat(np.arange(6), 5), "t": np.tile(np.arange(5), 6), "x": np.arange(30.0) % 7}
)


def estimator(**more) -> FeatureAugmenter:
    return FeatureAugmenter("minimal", column_id="id", column_sort="t", **more)


def features(one, ids, container=FRAME):
    return features_of_ids(one, container, settings_for(one, container), pd.Index(ids))


def test_they_are_those_of_extract_features():
    expected = tidemill.extract_features(FRAME, "minimal", column_id="id", column_sort="t")
    pd.testing.assert_frame_equal(features(estimator(), [4, 1]), expected.loc[[1, 4]])


def test_what_is_kept_is_not_calculated_again(tmp_path, counted):
    settings = {"probe": [{"folder": str(counted.folder)}]}
    one = FeatureAugmenter(settings, column_id="id", column_sort="t", memory=tmp_path / "kept")
    assert not is_kept(one, FRAME, settings_for(one, FRAME))
    first = features(one, [0, 1])
    assert is_kept(one, FRAME, settings_for(one, FRAME))
    second = features(FeatureAugmenter(**one.get_params()), [1, 5])
    assert len(counted.calls) == 6
    pd.testing.assert_frame_equal(first.loc[[1]], second.loc[[1]])
    changed = FRAME.assign(x=FRAME["x"] + 10.0)
    assert not is_kept(one, changed, settings_for(one, changed))


def test_a_kind_that_no_chosen_id_has_is_nan():
    kinds = "k" + (FRAME["id"] % 2).astype(str)
    long = FRAME.rename(columns={"x": "value"}).assign(kind=kinds)
    one = FeatureAugmenter({"mean": None}, column_id="id", column_sort="t", column_kind="kind",
                           column_value="value")  # fmt: skip
    found = features(one, [0, 2], long)
    assert found.columns.tolist() == ["k0__mean", "k1__mean"]
    assert found["k0__mean"].notna().all()
    assert found["k1__mean"].isna().all()
    roles = one.get_params()
    assert feature_columns(settings_for(one, long), long, roles) == ["k0__mean", "k1__mean"]


def test_rows_without_series_are_told_of():
    with pytest.warns(UserWarning, match="2 of 3 rows of X have no time series"):
        assert features(estimator(), [1, 8, 9]).index.tolist() == [1]
    with pytest.raises(NoSharedIdError):
        features(estimator(), [8, 9])


def test_rows_keep_their_order_and_may_repeat():
    rows = pd.DataFrame({"a": [1, 2, 3]}, index=[5, 0, 5])
    found = joined(rows, pd.DataFrame({"f": [0.0, 5.0]}, index=[0, 5]))
    assert found["f"].tolist() == [5.0, 0.0, 5.0]
    assert found.index.equals(rows.index)


def test_a_column_that_is_there_already_is_refused():
    rows = pd.DataFrame({"x__mean": [1.0]}, index=[5])
    with pytest.raises(ArgumentError, match="X has the columns 'x__mean' already"):
        joined(rows, pd.DataFrame({"x__mean": [0.0]}, index=[5]))
