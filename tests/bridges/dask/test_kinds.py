from __future__ import annotations

import logging

import dask
import dask.dataframe as dd
import pandas as pd
import pytest

from tidemill import extract_features
from tidemill.bridges.dask.kinds import kinds_of, serial_order

ROLES = {"column_id": "id", "column_kind": "kind", "column_value": "value"}
SETTINGS = {"mean": None, "maximum": None}


@pytest.fixture
def long(rng):
    n = 200
    kinds = rng.choice(["c", "a", "b"], n)
    return pd.DataFrame({"id": rng.integers(0, 9, n), "kind": kinds, "value": rng.normal(size=n)})


def _computes_nothing(*_, **__):
    raise AssertionError("something was computed")


def _given(frame):
    return dd.from_pandas(frame, npartitions=3)


def test_without_kinds_the_column_is_read_once_and_that_is_logged(long, caplog):
    with caplog.at_level(logging.INFO, logger="tidemill"), dask.config.set(scheduler="threads"):
        assert kinds_of(_given(long), "kind", None, None) == ["a", "b", "c"]
    assert "column_kind='kind' is read once for its kinds" in caplog.text


@pytest.mark.parametrize("form", ["given", "categories"])
def test_with_kinds_or_categories_nothing_is_computed(long, form):
    order = ["c", "b", "a"]
    kinds = ["b", "c", "a"] if form == "given" else None
    if form == "categories":
        long = long.astype({"kind": pd.CategoricalDtype(order)})
    with dask.config.set(scheduler=_computes_nothing):
        lazy = extract_features(_given(long), SETTINGS, **ROLES, kinds=kinds)
    wanted = extract_features(long, SETTINGS, **ROLES)
    got = lazy.compute(scheduler="threads").sort_index()
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)


def test_unknown_categories_are_read_once(long):
    given = _given(long.astype({"kind": "category"})).assign(kind=lambda one: one["kind"])
    given["kind"] = given["kind"].cat.as_unknown()
    with dask.config.set(scheduler="threads"):
        assert kinds_of(given, "kind", None, None) == ["a", "b", "c"]


def test_numbers_as_kinds_are_sorted_as_numbers():
    assert serial_order([10, 9]) == [9, 10]
    assert serial_order([10, "9"]) == [10, "9"]
    assert serial_order(["a", "b"], pd.Index(["b", "c", "a"])) == ["b", "a"]
    assert serial_order(["b", "a", "d"], pd.Index(["b", "a"])) == ["a", "b", "d"]
