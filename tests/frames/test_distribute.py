"""Our kernels on the workers of distributors of tsfresh's kind: the same matrix, bit for bit."""

from __future__ import annotations

import functools
import itertools
import logging
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster

from tidemill import extract_features
from tidemill.calculators import calculator
from tidemill.errors import ArgumentError, CalculationError, TidemillError
from tidemill.frames import distribute

from ..support.series import LONG_ROLES, ROLES, melted, wide

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tsfresh.utilities.distribution import (
        ApplyDistributor,
        ClusterDaskDistributor,
        LocalDaskDistributor,
        MapDistributor,
        MultiprocessingDistributor,
    )


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    keywords = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(host="127.0.0.1", worker_dashboard_address="127.0.0.1:0", **keywords) as one:
        yield one.scheduler_address


@pytest.fixture(
    params=["MapDistributor", "MultiprocessingDistributor", "LocalDask", "ClusterDask"],
)
def theirs(request) -> Any:
    """A distributor of tsfresh's, without its progress bar."""
    if request.param == "ClusterDask":
        return ClusterDaskDistributor(request.getfixturevalue("dask_address"))
    made: dict[str, Callable[[], Any]] = {
        "MapDistributor": functools.partial(MapDistributor, disable_progressbar=True),
        "MultiprocessingDistributor": functools.partial(
            MultiprocessingDistributor, 2, disable_progressbar=True
        ),
        "LocalDask": functools.partial(LocalDaskDistributor, 2),
    }
    return made[request.param]()


class Shuffling:
    """A distributor that is no subclass of tsfresh's, and gives results in any order."""

    def __init__(self) -> None:
        self.is_closed = False
        self.calls: list[dict[str, Any]] = []

    def map_reduce(self, map_function, data, function_kwargs=None, **options) -> list[Any]:
        items = list(data)
        self.calls.append({**options, "items": items})
        results = [map_function(item, **function_kwargs) for item in items]
        random.shuffle(results)
        return list(itertools.chain.from_iterable(results))

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.timeout(180)
def test_the_matrix_is_that_without_a_distributor(theirs):
    frame = melted(wide(9, 30)).query("not (kind == 'y' and id == 3)")
    settings = {"mean": None, "quantile": [{"q": 0.1}], "fft_coefficient": [
        {"coeff": 2, "attr": "abs"}, {"coeff": 9, "attr": "angle"}]}  # fmt: skip
    expected = extract_features(frame, settings, **LONG_ROLES)
    found = extract_features(frame, settings, **LONG_ROLES, chunksize=2, distributor=theirs)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize("chunksize", [None, 1, 4, 100])
@pytest.mark.parametrize("preset", ["minimal", "efficient"])
def test_the_order_of_results_changes_nothing(chunksize, preset):
    frame = wide(7, 60)
    frame.index = pd.date_range("2026-11-20", periods=len(frame), freq="h")
    roles = {"column_id": "id"}
    found = extract_features(
        frame.drop(columns="time"), preset, **roles, chunksize=chunksize, distributor=Shuffling()
    )
    expected = extract_features(frame.drop(columns="time"), preset, **roles)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_ids_and_index_are_kept():
    frame = wide(6, 5).rename(columns={"y": "other"})
    frame["site"] = np.where(frame["id"] < 3, "a", "b")
    roles = {"column_id": ["site", "id"], "column_sort": "time"}
    found = extract_features(frame, "minimal", **roles, distributor=Shuffling())
    pd.testing.assert_frame_equal(found, extract_features(frame, "minimal", **roles))


def test_a_range_travels_with_its_own_values_only():
    frame, given = wide(8, 10, kinds="x"), Shuffling()
    extract_features(frame, "minimal", **ROLES, chunksize=2, distributor=given)
    (call,) = given.calls
    assert call["chunk_size"] == 1
    assert call["data_length"] == len(call["items"]) == 4
    assert [len(item.batch.blocks["x"].values) for item in call["items"]] == [20] * 4
    assert given.is_closed


def test_as_many_ranges_as_there_are_workers():
    given = Shuffling()
    given.n_workers = 3
    extract_features(wide(30, 10), "minimal", **ROLES, distributor=given)
    assert given.calls[0]["data_length"] == 3


def test_a_custom_calculator_travels_by_value(own_calculators):
    @calculator
    def spread_of_test(values):
        return values.max() - values.min()

    frame = wide(5, 8)
    expected = extract_features(frame, {"spread_of_test": None}, **ROLES)
    forked = MultiprocessingDistributor(1, disable_progressbar=True)
    found = extract_features(frame, {"spread_of_test": None}, **ROLES, distributor=forked)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_worker_learns_a_custom_calculator(own_calculators):
    from tidemill.calculators import registry

    @calculator
    def unknown_there(values):
        return float(values[0])

    pickled = distribute._pickle_own({"x": [("unknown_there", {})]})
    del registry._known["unknown_there"]
    distribute._make_known(pickled)
    assert registry.find("unknown_there").function(np.array([4.0])) == 4.0


def test_failures_are_raised_or_logged(own_calculators, caplog):
    @calculator
    def fails_on_seven(values):
        if len(values) == 7:
            raise ValueError("seven")
        return 1.0

    frame = pd.DataFrame({"id": [1] * 7 + [2] * 3, "x": 1.0})
    settings = {"fails_on_seven": None}
    with pytest.raises(CalculationError, match="seven"):
        extract_features(frame, settings, column_id="id", distributor=(given := Shuffling()))
    assert given.is_closed
    with caplog.at_level(logging.WARNING, logger="tidemill"):
        found = extract_features(
            frame, settings, column_id="id", on_error="nan", chunksize=1, distributor=Shuffling()
        )
    assert found["x__fails_on_seven"].isna().tolist() == [True, False]
    assert [one.getMessage() for one in caplog.records if "seven" in one.getMessage()] == [
        "fails_on_seven of kind 'x' failed for 1 series: ValueError: seven"
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("tcp://10.0.0.1:8786", "distributor=str is not supported; give an object with map_reduce"),
        (MapDistributor, "distributor=MapDistributor is a class; give an instance"),
        (ApplyDistributor(meta=[]), "ApplyDistributor is for the groups of a Dask DataFrame"),
        (True, "distributor=bool is not supported"),
    ],
)
def test_anything_else_is_refused(given, said):
    with pytest.raises(ArgumentError, match=said):
        extract_features(wide(2, 3), "minimal", **ROLES, distributor=given)


class Losing(Shuffling):
    """Forgets the last result."""

    def map_reduce(self, *arguments, **options) -> list[Any]:
        return super().map_reduce(*arguments, **options)[:-1]


class Changing(Shuffling):
    """Makes something else of the results."""

    def map_reduce(self, *arguments, **options) -> list[Any]:
        return list(map(str, super().map_reduce(*arguments, **options)))


@pytest.mark.parametrize(
    ("given", "said"), [(Losing(), r"gave back 2 rows for 4 ids"), (Changing(), "gave back a str")]
)
def test_results_that_are_not_all_there_are_an_error(given, said):
    with pytest.raises(TidemillError, match=said):
        extract_features(wide(4, 3), "minimal", **ROLES, chunksize=2, distributor=given)


def test_nothing_back_is_a_matrix_without_rows_and_said(caplog):
    given = Shuffling()
    given.map_reduce = lambda *_, **__: []
    with caplog.at_level(logging.WARNING, logger="tidemill"):
        found = extract_features(wide(4, 3), "minimal", **ROLES, distributor=given)
    assert found.shape == (0, 20)
    assert "gave back no rows for 4 ids" in caplog.text
