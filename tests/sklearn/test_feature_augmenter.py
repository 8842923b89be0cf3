"""FeatureAugmenter, beside tsfresh's and as scikit-learn uses it."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from tsfresh.transformers import FeatureAugmenter as Theirs

from tidemill.bridges.tsfresh import PrefectDistributor
from tidemill.errors import ArgumentError, NoContainerError, NoSharedIdError
from tidemill.sklearn import FeatureAugmenter, RelevantFeatureAugmenter

RNG = np.random.default_rng(11)
IDS = np.arange(24)
FRAME = pd.DataFrame(
    {
        "id": np.repeat(IDS, 12),
        "t": np.tile(np.arange(12), 24),
        "x": RNG.normal(size=288) + np.repeat(IDS % 2, 12) * 2,
    }
)
ROWS = pd.DataFrame({"age": IDS * 1.5}, index=IDS)
Y = pd.Series(IDS % 2, index=IDS)


def ours(**more) -> FeatureAugmenter:
    given = {"default_fc_parameters": "minimal", "column_id": "id", "column_sort": "t", **more}
    return FeatureAugmenter(**given)


def test_the_frame_is_tsfreshs():
    settings = {"mean": None, "quantile": [{"q": 0.2}], "maximum": None}
    common = {"column_id": "id", "column_sort": "t", "timeseries_container": FRAME}
    rows = ROWS.loc[[7, 3, 5]]
    theirs = Theirs(settings, n_jobs=0, disable_progressbar=True, **common).fit().transform(rows)
    found = FeatureAugmenter(settings, **common).fit().transform(rows)
    pd.testing.assert_frame_equal(found, theirs, rtol=1e-12)


@pytest.mark.parametrize("form", ["long", "dict"])
def test_the_container_has_any_of_the_forms(form):
    wide = FRAME.assign(y=FRAME["x"] ** 2)
    if form == "long":
        container = wide.melt(["id", "t"], var_name="kind", value_name="value")
        roles = {"column_kind": "kind", "column_value": "value"}
    else:
        container = {one: wide[["id", "t", one]].rename(columns={one: "value"}) for one in "xy"}
        roles = {"column_value": "value"}
    expected = ours(timeseries_container=wide).transform(ROWS)
    found = ours(timeseries_container=container, **roles).transform(ROWS)
    pd.testing.assert_frame_equal(found, expected)


def test_ids_of_several_columns_are_an_index_of_several_levels():
    frame = FRAME.assign(half=FRAME["t"] // 6)
    index = pd.MultiIndex.from_tuples([(3, 1), (0, 0)], names=["machine", "part"])
    found = ours(column_id=["id", "half"], timeseries_container=frame).transform(
        pd.DataFrame(index=index)
    )
    chosen = frame[(frame["id"] == 3) & (frame["half"] == 1)]
    assert found.index.equals(index)
    assert found["x__mean"].iloc[0] == pytest.approx(chosen["x"].mean(), rel=1e-15)


def test_what_imputes_gets_the_features_alone():
    seen = []
    augmenter = ours(timeseries_container=FRAME, impute_function=lambda f: seen.append(f) or f * 0)
    found = augmenter.transform(ROWS.loc[[2, 1]])
    assert [one.index.tolist() for one in seen] == [[1, 2]]
    assert found["age"].tolist() == [3.0, 1.5]
    assert (found.drop(columns="age") == 0).all(axis=None)


def test_wrong_input_is_refused():
    with pytest.raises(NoContainerError):
        ours().transform(ROWS)
    augmenter = ours(timeseries_container=FRAME)
    with pytest.raises(NoSharedIdError):
        augmenter.transform(pd.DataFrame(index=[-1]))
    with pytest.raises(ArgumentError, match="X is a ndarray"):
        augmenter.transform(ROWS.to_numpy())
    with pytest.raises(NoContainerError):
        ours().get_feature_names_out()


def test_names_out_are_the_columns():
    augmenter = ours(timeseries_container=FRAME).fit(ROWS)
    found = augmenter.transform(ROWS)
    assert augmenter.get_feature_names_out().tolist() == found.columns.tolist()
    assert augmenter.get_feature_names_out(["a"]).tolist()[:2] == ["a", "x__sum_values"]
    assert ours(timeseries_container=FRAME).get_feature_names_out()[0] == "x__sum_values"


def test_clones_and_pickles_calculate_the_same():
    augmenter = ours(timeseries_container=FRAME).fit(ROWS)
    expected = augmenter.transform(ROWS)
    for other in (clone(augmenter), pickle.loads(pickle.dumps(augmenter))):  # noqa: S301
        pd.testing.assert_frame_equal(other.transform(ROWS), expected)


@pytest.mark.parametrize("augmenter", [FeatureAugmenter, RelevantFeatureAugmenter])
def test_clones_share_the_distributor_and_pickles_start_their_own(augmenter):
    distributor = PrefectDistributor("threads", n_workers=3, progressbar_title="Augment")
    given = augmenter(column_id="id", distributor=distributor)
    assert clone(given).distributor is distributor
    sent = pickle.loads(pickle.dumps(given)).distributor  # noqa: S301
    assert sent is not distributor
    assert (sent.n_workers, sent.progressbar_title) == (3, "Augment")


def test_a_distributor_calculates_for_every_fold():
    class Counting(PrefectDistributor):
        calls = 0

        def map_reduce(self, *given, **options):
            type(self).calls += 1
            return super().map_reduce(*given, **options)

    with Counting("none", disable_progressbar=True) as distributor:
        augmenter = ours(timeseries_container=FRAME, distributor=distributor)
        found = augmenter.fit_transform(ROWS)
        pipeline = make_pipeline(augmenter, LogisticRegression())
        cross_validate(pipeline, ROWS, Y, cv=3, error_score="raise")
    assert Counting.calls == 1 + 2 * 3
    pd.testing.assert_frame_equal(found, ours(timeseries_container=FRAME).fit_transform(ROWS))


def test_the_container_is_routed_as_metadata():
    with sklearn.config_context(enable_metadata_routing=True):
        augmenter = ours().set_transform_request(timeseries_container=True)
        pipeline = make_pipeline(augmenter, LogisticRegression())
        pipeline.fit(ROWS, Y, timeseries_container=FRAME)
        assert pipeline.score(ROWS, Y, timeseries_container=FRAME) == 1.0
        found = cross_validate(pipeline, ROWS, Y, cv=3, params={"timeseries_container": FRAME})
    assert len(found["test_score"]) == 3


def test_a_cross_validation_calculates_each_series_once(tmp_path, counted):
    settings = {"probe": [{"folder": str(counted.folder)}]}
    augmenter = ours(default_fc_parameters=settings, timeseries_container=FRAME,
                     memory=tmp_path / "kept")  # fmt: skip
    pipeline = make_pipeline(augmenter, LogisticRegression())
    cross_validate(pipeline, ROWS, Y, cv=4, error_score="raise")
    assert len(counted.calls) == len(IDS)
