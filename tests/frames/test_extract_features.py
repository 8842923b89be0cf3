"""The pandas door: tsfresh's signature and its results."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill import extract_features
from tidemill.errors import ArgumentError

from ..support.series import LONG_ROLES, ROLES, melted, wide
from ..support.tsfresh_answers import (
    assert_same,
    available,
    available_columns,
    by_tsfresh,
    quietly,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tsfresh
    from tsfresh.feature_extraction import settings as tsfresh_settings
    from tsfresh.utilities.dataframe_functions import (
        get_range_values_per_column,
        impute,
        impute_dataframe_range,
        impute_dataframe_zero,
    )


def test_parameters_have_the_names_and_order_of_tsfresh():
    theirs = inspect.signature(tsfresh.extract_features).parameters
    ours = inspect.signature(extract_features).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    more = [ours[name] for name in list(ours)[len(theirs) :]]
    assert {parameter.kind for parameter in more} == {inspect.Parameter.KEYWORD_ONLY}


def test_defaults_are_those_of_tsfresh_but_for_the_number_of_jobs():
    theirs = inspect.signature(tsfresh.extract_features).parameters
    ours = inspect.signature(extract_features).parameters
    other = {name for name in theirs if ours[name].default != theirs[name].default}
    assert other == {"n_jobs"}, "None: all cores, as threads"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return wide(5, 40)


@pytest.fixture(scope="module")
def everything(frame) -> pd.DataFrame:
    settings = available(tsfresh_settings.ComprehensiveFCParameters())
    return by_tsfresh(frame, settings, **ROLES)


def test_every_column_and_value_is_that_of_tsfresh(frame, everything):
    assert_same(extract_features(frame, **ROLES), everything)


def test_the_long_format_sorts_its_kinds(frame):
    turned = melted(frame[["id", "time", "y", "x"]]).sample(frac=1, random_state=3)
    assert_same(
        extract_features(turned, "minimal", **LONG_ROLES),
        by_tsfresh(melted(frame), tsfresh_settings.MinimalFCParameters(), **LONG_ROLES),
    )


@pytest.mark.parametrize("n_jobs", [None, 0, 1, 2, 7])
@pytest.mark.parametrize("chunksize", [None, 1, 2, 1000])
def test_jobs_and_chunks_do_not_change_a_bit(n_jobs, chunksize, frame):
    expected = extract_features(frame, "efficient", **ROLES, n_jobs=1)
    found = extract_features(frame, "efficient", **ROLES, n_jobs=n_jobs, chunksize=chunksize)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize(
    "argument",
    [{"n_jobs": -1}, {"chunksize": 0}, {"chunksize": -5}],
    ids=lambda one: next(iter(one)),
)
def test_jobs_and_chunks_that_make_no_sense(argument, frame):
    ((name, value),) = argument.items()
    with pytest.raises(ArgumentError, match=f"{name}={value} is not allowed; give"):
        extract_features(frame, "minimal", **ROLES, **argument)


def test_rows_of_one_batch_cover_shuffled_rows(frame):
    pd.testing.assert_frame_equal(
        extract_features(frame.sample(frac=1, random_state=1), "efficient", **ROLES),
        extract_features(frame, "efficient", **ROLES),
        check_exact=True,
    )


STAMPS = pd.Timestamp("2026-03-01") + pd.to_timedelta([3, 3, 1, 1, 2, 2], "D")


IDS = {
    "int64": [3, 3, 1, 1, 2, 2],
    "int8": np.array([3, 3, 1, 1, 2, 2], np.int8),
    "uint64": np.array([3, 3, 1, 1, 2, 2], np.uint64),
    "Int64": pd.array([3, 3, 1, 1, 2, 2], "Int64"),
    "float": [1.5, 1.5, -2.0, -2.0, 0.0, 0.0],
    "str": list("ccaabb"),
    "object": np.array(list("ccaabb"), object),
    "category": pd.Categorical(list("ccaabb"), categories=["c", "a", "b"]),
    "ordered": pd.Categorical(list("ccaabb"), categories=["b", "c", "a"], ordered=True),
    "timestamp": STAMPS,
    "nanoseconds": STAMPS.as_unit("ns"),
    "zone": STAMPS.tz_localize("Europe/Berlin"),
    "date": STAMPS.date,
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_keep_their_type_and_order(kind):
    frame = pd.DataFrame({"id": IDS[kind], "x": [1.0, 2.0, 3.0, 5.0, 8.0, 13.0]})
    assert_same(
        extract_features(frame, {"mean": None}, column_id="id"),
        by_tsfresh(frame, {"mean": None}, column_id="id"),
    )


def test_a_time_index_adds_what_looks_at_time_stamps():
    index = pd.date_range("2026-01-01", periods=30, freq="37min")
    frame = wide(1, 30, "x").drop(columns="time").set_index(index)
    found = extract_features(frame, column_id="id")
    assert_same(found, available_columns(by_tsfresh(frame, column_id="id")))
    assert 'x__linear_trend_timewise__attr_"slope"' in found
    plain = frame.reset_index(drop=True)
    assert_same(extract_features(plain, column_id="id"), found.drop(columns=timewise(found)))


def timewise(matrix: pd.DataFrame) -> list[str]:
    return [column for column in matrix if "linear_trend_timewise" in column]


def test_time_stamps_may_be_the_sort_column_where_they_are_asked_for():
    frame = wide(2, 30, "x")
    stamps = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame["time"] ** 2, "min")
    settings = {"linear_trend_timewise": [{"attr": "slope"}]}
    found = extract_features(frame.assign(time=stamps), settings, **ROLES)
    indexed = frame.drop(columns="time").set_index(pd.DatetimeIndex(stamps))
    assert_same(found, by_tsfresh(indexed, settings, column_id="id"))


def test_without_pivot_the_values_come_one_by_one(frame):
    settings = {"mean": None, "quantile": [{"q": 0.2}]}
    found = extract_features(frame, settings, **ROLES, pivot=False)
    expected = by_tsfresh(frame, settings, **ROLES, pivot=False)
    assert all(type(one) is tuple and len(one) == 3 for one in found)
    assert {(i, name): value for i, name, value in found} == pytest.approx(
        {(i, name): value for i, name, value in expected}
    )


def ranges_of(matrix: pd.DataFrame) -> dict[str, Any]:
    values = quietly(get_range_values_per_column)(quietly(impute)(matrix.copy()))
    return dict(zip(("col_to_max", "col_to_min", "col_to_median"), values, strict=True))


@pytest.mark.parametrize("name", ["impute", "zero", "range"])
def test_the_impute_functions_of_tsfresh_work(name, frame):
    settings = {"autocorrelation": [{"lag": 2}, {"lag": 100}], "mean": None}
    expected = by_tsfresh(frame, settings, **ROLES)
    assert expected.isna().any(axis=None)
    function = {
        "impute": quietly(impute),
        "zero": quietly(impute_dataframe_zero),
        "range": quietly(partial(impute_dataframe_range, **ranges_of(expected))),
    }[name]
    found = extract_features(frame, settings, **ROLES, impute_function=function)
    assert_same(found, function(expected))
    assert found.notna().all(axis=None)


def test_an_impute_function_that_returns_nothing_works_in_place(frame):
    def fill(matrix: pd.DataFrame) -> None:
        matrix[:] = -1.0

    settings = {"autocorrelation": [{"lag": 100}]}
    found = extract_features(frame, settings, **ROLES, impute_function=fill)
    assert (found == -1.0).all(axis=None)


def test_a_profile_is_written(frame, tmp_path):
    path = tmp_path / "profile.txt"
    extract_features(
        frame, "minimal", **ROLES, profile=True, profiling_filename=str(path),
        profiling_sorting="tottime", n_jobs=1,
    )  # fmt: skip
    assert "Ordered by: internal time" in path.read_text()


def test_an_address_as_distributor_is_refused_with_its_replacement(frame):
    text = r"distributor=.*n_jobs for threads.*tidemill\.flows\.extract\.extract with cluster="
    with pytest.raises(ArgumentError, match=text):
        extract_features(frame, "minimal", **ROLES, distributor="tcp://127.0.0.1:8786")


def grumbling(values):
    warnings.warn("hm", UserWarning, stacklevel=1)
    return values.sum()


def test_warnings_of_calculators_are_shown_on_demand(frame, own_calculators):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extract_features(frame, {grumbling: None}, **ROLES, n_jobs=1)
    with pytest.warns(UserWarning, match="hm"):
        extract_features(frame, {grumbling: None}, **ROLES, n_jobs=1, show_warnings=True)


def test_a_log_says_which_calculators_failed(frame, own_calculators, caplog):
    """The cells hold NaN, and nothing else would tell why."""

    def picky(values):
        raise ValueError("never")

    found = extract_features(frame, {picky: None, "mean": None}, **ROLES, on_error="nan", n_jobs=2)
    assert found.filter(like="picky").isna().all(axis=None)
    assert [record.getMessage() for record in caplog.records] == [
        f"picky of kind {kind!r} failed for 5 series: ValueError: never" for kind in "xy"
    ]


def test_nothing_is_printed(frame, capfd):
    extract_features(frame, "minimal", **ROLES)
    assert capfd.readouterr() == ("", "")


def test_the_door_needs_neither_prefect_nor_dask():
    program = """
import sys
heavy = {"prefect", "prefect_dask", "dask", "distributed"}
import tidemill.frames.extract_features
assert not (heavy | {"numba", "pandas"}) & set(sys.modules), "after the import"
import pandas as pd
frame = pd.DataFrame({"id": [1, 1], "x": [1.0, 2.0]})
tidemill.extract_features(frame, "minimal", column_id="id")
assert not heavy & set(sys.modules), "after a call"
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_door_is_the_package_s():
    assert tidemill.extract_features is extract_features
