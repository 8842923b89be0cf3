from __future__ import annotations

from typing import NamedTuple

import dask
import dask.bag as db
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from tidemill import extract_features
from tidemill.errors import ArgumentError, SourceError

SETTINGS = {"mean": None, "maximum": None}
LONG = {"column_id": "id", "column_sort": "time", "column_kind": "kind", "column_value": "value"}


class Pump(NamedTuple):
    plant: str
    number: int


@pytest.fixture(autouse=True)
def _threads():
    with dask.config.set(scheduler="threads"):
        yield


@pytest.fixture
def long(rng):
    n = 300
    return pd.DataFrame(
        {
            "id": rng.integers(0, 12, n),
            "time": rng.permutation(n),
            "kind": rng.choice(["b", "a"], n),
            "value": rng.normal(size=n),
        }
    )


def _bag(long, form=lambda one: one[["time", "value"]], ids=lambda one: one):
    triples = [(ids(one), kind, form(rows)) for (one, kind), rows in long.groupby(["id", "kind"])]
    return db.from_sequence(triples[::-1], npartitions=5)


@pytest.mark.parametrize("kinds", [None, ["b", "a"]])
def test_a_bag_gives_a_lazy_frame_with_the_values_of_pandas(long, kinds):
    wanted = extract_features(long, SETTINGS, **LONG)
    lazy = extract_features(_bag(long), SETTINGS, column_sort="time", kinds=kinds)
    assert lazy.columns.tolist() == wanted.columns.tolist()
    got = lazy.compute()
    pd.testing.assert_frame_equal(got.sort_index(), wanted, check_exact=True)
    pd.testing.assert_frame_equal(got.iloc[:0], lazy._meta)


@pytest.mark.parametrize("kinds", [None, ["b", "a"]])
def test_a_bag_is_looked_at_by_the_client_that_is_given(long, kinds):
    """Not by this process, which need not reach what the workers read."""

    def never(*_, **__):
        raise AssertionError("it is computed here")

    options = {"processes": False, "n_workers": 1, "dashboard_address": "127.0.0.1:0"}
    with Client(**options, set_as_default=False) as client, dask.config.set(scheduler=never):
        got = extract_features(
            _bag(long), SETTINGS, column_sort="time", kinds=kinds, client=client, lazy=False
        )
    wanted = extract_features(long, SETTINGS, **LONG)
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)


@pytest.mark.parametrize("form", [lambda x: x["value"], lambda x: x["value"].to_numpy()])
def test_series_and_arrays_of_values_are_taken(long, form):
    wanted = extract_features(long.drop(columns="time"), SETTINGS, **{**LONG, "column_sort": None})
    got = extract_features(_bag(long, form), SETTINGS, lazy=False)
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)


def test_tuples_are_ids_of_several_values(long):
    wanted = extract_features(long, SETTINGS, **LONG)
    plain = extract_features(
        _bag(long, ids=lambda one: ("A", one)), SETTINGS, column_sort="time", lazy=False
    )
    named = extract_features(
        _bag(long, ids=lambda one: Pump("A", one)), SETTINGS, column_sort="time", lazy=False
    )
    assert plain.index.tolist() == [("A", one) for one in wanted.index]
    assert named.index.names == ["plant", "number"]
    for got in (plain, named):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("triples", "options", "told"),
    [
        ([1], {}, "an element of the Bag is a int, but must be"),
        ([], {}, "the Bag holds no element"),
        ([(1, "x", np.ones(3))], {"column_sort": "time"}, "column_sort='time' needs frames"),
        ([(1, "x", pd.DataFrame({"u": [1], "v": [1]}))], {}, "has 2 columns of values"),
        ([(1, "x", np.ones(3))], {"column_kind": "kind"}, "column_kind='kind' has no meaning"),
        ([(1, "x", np.ones(3))], {"column_id": ["a"]}, "its ids in the first elements"),
    ],
)
def test_what_is_no_bag_of_series_is_refused(triples, options, told):
    bag = (
        db.from_sequence(triples, npartitions=1) if triples else db.from_delayed([dask.delayed([])])
    )
    with pytest.raises((ArgumentError, SourceError), match=told):
        extract_features(bag, SETTINGS, **options, lazy=False)
