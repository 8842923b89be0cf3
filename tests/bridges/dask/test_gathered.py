from __future__ import annotations

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from tidemill import extract_features
from tidemill.bridges.dask.gathered import frame_of_parts, gather
from tidemill.errors import ArgumentError, SourceError

SETTINGS = {"mean": None, "maximum": None, "quantile": [{"q": 0.3}]}
ROLES = {"column_id": "id", "column_sort": "time"}


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def frame(rng):
    n = 300
    return pd.DataFrame(
        {"id": np.arange(n) // 7, "time": rng.permutation(n), "x": rng.normal(size=n)}
    )


def _same(got, wanted):
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)


def _cut(frame, n):
    """Frames, two of which share an id."""
    return [frame.iloc[first : first + n] for first in range(0, len(frame), n)]


@pytest.mark.parametrize("rows", [70, 100], ids=["whole ids", "ids that are cut"])
def test_futures_of_frames_give_the_matrix_of_all(client, frame, rows):
    parts = _cut(frame, rows)
    futures = client.scatter(parts[::-1])
    got = extract_features(futures, SETTINGS, **ROLES, client=client)
    _same(got, extract_features(frame, SETTINGS, **ROLES))


def test_delayed_frames_give_the_matrix_of_all(client, frame):
    parts = [dask.delayed(one) for one in [frame.iloc[:0], *_cut(frame, 100)]]
    wanted = extract_features(frame, SETTINGS, **ROLES)
    _same(extract_features(parts, SETTINGS, **ROLES, client=client), wanted)
    with dask.config.set(scheduler="threads"):
        _same(extract_features(parts, SETTINGS, **ROLES), wanted)


def test_long_frames_behind_delayed_calls_have_the_kinds_of_all(frame):
    long = frame.assign(kind=np.where(frame["id"] < 20, "b", "a"))
    roles = {**ROLES, "column_kind": "kind", "column_value": "x"}
    parts = [dask.delayed(one) for one in _cut(long, 70)]
    with dask.config.set(scheduler="threads"):
        got = extract_features(parts, SETTINGS, **roles)
    _same(got, extract_features(long, SETTINGS, **roles))


def test_what_follows_the_matrix_works_with_one_that_is_computed(frame):
    parts = [dask.delayed(one) for one in _cut(frame, 70)]
    with dask.config.set(scheduler="threads"):
        triples = extract_features(
            parts, SETTINGS, **ROLES, pivot=False, impute_function=lambda x: x.fillna(0.0)
        )
    assert triples == extract_features(frame, SETTINGS, **ROLES, pivot=False)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (lambda x: [dask.delayed(x), x], "is a list of DataFrame, Delayed: give futures only"),
        (lambda x: [dask.delayed(x), dask.delayed(3)], r"\[1\] is a int, but must be a pandas"),
        (lambda x: [dask.delayed(x.iloc[:0])], "frames without rows"),
        (lambda x: [dask.delayed(x), dask.delayed(x[["id", "x"]])], "the same columns"),
        (
            lambda x: [dask.delayed(x), dask.delayed(x.astype({"id": str}))],
            "column 'id' as (str|object).*int64: cast them to one type",
        ),
    ],
)
def test_frames_that_do_not_fit_are_refused(frame, parts, told):
    with (
        dask.config.set(scheduler="threads"),
        pytest.raises((ArgumentError, SourceError), match=told),
    ):
        extract_features(parts(frame), SETTINGS, **ROLES)


def test_gathering_sorts_ids():
    features = pd.DataFrame({"x__mean": [1.0, 2.0]}, index=[2, 1])
    got = gather(dd.from_pandas(features, npartitions=1, sort=False), None)
    assert got.index.tolist() == [1, 2]
    with dask.config.set(scheduler="threads"):
        assert frame_of_parts([dask.delayed(features)], None).npartitions == 1
