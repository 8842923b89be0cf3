"""The pandas door: tsfresh's signature, its documentation's examples, its results."""

from __future__ import annotations

import inspect
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tidemill
from tidemill import extract_features
from tidemill.calculators.registry import CALCULATORS
from tidemill.errors import ArgumentError, SourceError
from tidemill.frames import extract_features as extraction
from tidemill.model.feature_names import parse
from tidemill.model.series import Batch, SeriesBlock

from ..support.series import LONG_ROLES, ROLES, melted, wide

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tsfresh
    from tsfresh.feature_extraction import settings as tsfresh_settings
    from tsfresh.utilities.dataframe_functions import (
        get_range_values_per_column,
        impute,
        impute_dataframe_range,
        impute_dataframe_zero,
        roll_time_series,
    )
    from tsfresh.utilities.distribution import MapDistributor

FORCES = ("F_x", "F_y", "F_z", "T_x", "T_y", "T_z")


def robots(n_ids: int = 4, length: int = 15) -> pd.DataFrame:
    """Forces and torques of failing robots, as tsfresh's examples load them."""
    rng = np.random.default_rng(88)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(1, n_ids + 1), length), "time": np.tile(range(length), n_ids)}
    )
    return frame.assign(**{name: rng.normal(5, 20, len(frame)).round(2) for name in FORCES})


def available(settings: dict[str, Any]) -> dict[str, Any]:
    """tsfresh's settings without calculators that this version does not have."""
    for name in [name for name in settings if name not in CALCULATORS]:
        del settings[name]
    return settings


def available_columns(matrix: pd.DataFrame) -> pd.DataFrame:
    return matrix[[column for column in matrix if parse(column)[1] in CALCULATORS]]


def quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    """tsfresh's own functions warn of columns without values and of pandas."""

    def called(*arguments: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments, **options)

    return called


impute_quietly = quietly(impute)


def by_tsfresh(*arguments: Any, **options: Any) -> pd.DataFrame:
    """tsfresh's own answer, in its serial order."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return tsfresh.extract_features(
            *arguments, **{"n_jobs": 0, "disable_progressbar": True, **options}
        )


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns), "serial order"
    pd.testing.assert_frame_equal(found, expected, rtol=1e-7, atol=1e-9)


# The signature


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


# The examples of tsfresh's documentation; only the line of the import differs

EXAMPLES = {
    "quick start": """
X = extract_features(timeseries, column_id="id", column_sort="time")
""",
    "settings objects": """
settings = MinimalFCParameters()
X = extract_features(timeseries, default_fc_parameters=settings, column_id="id", column_sort="time")
""",
    "comprehensive settings": """
settings = available(ComprehensiveFCParameters())
X = extract_features(timeseries, default_fc_parameters=settings, column_id="id", column_sort="time")
""",
    "own settings": """
fc_parameters = {
    "length": None,
    "large_standard_deviation": [{"r": 0.05}, {"r": 0.1}]
}
X = extract_features(timeseries, fc_parameters, column_id="id", column_sort="time")
""",
    "settings by kind": """
fc_parameters = {"length": None, "maximum": None}
kind_to_fc_parameters = {"F_x": fc_parameters, "T_z": {"minimum": None}}
X = extract_features(timeseries, kind_to_fc_parameters=kind_to_fc_parameters,
                     column_id="id", column_sort="time")
""",
    "settings by kind and default": """
X = extract_features(timeseries, MinimalFCParameters(), {"F_x": {"quantile": [{"q": 0.3}]}},
                     column_id="id", column_sort="time")
""",
    "settings from columns": """
chosen = ['F_x__maximum', 'F_x__quantile__q_0.2', 'T_y__fft_coefficient__attr_"abs"__coeff_2']
kind_to_fc_parameters = from_columns(chosen)
X = extract_features(timeseries, kind_to_fc_parameters=kind_to_fc_parameters,
                     column_id="id", column_sort="time")
""",
    "flat format": """
X = extract_features(timeseries[["id", "time", "F_x"]], MinimalFCParameters(),
                     column_id="id", column_sort="time", column_kind=None, column_value=None)
""",
    "one column of values": """
X = extract_features(timeseries, MinimalFCParameters(), column_id="id", column_value="F_y")
""",
    "stacked format": """
stacked = timeseries.melt(["id", "time"], var_name="kind", value_name="value")
X = extract_features(stacked, MinimalFCParameters(), column_id="id", column_sort="time",
                     column_kind="kind", column_value="value")
""",
    "dictionary of flat frames": """
frames = {name: timeseries[["id", "time", name]].rename(columns={name: "value"})
          for name in ("T_z", "F_x")}
X = extract_features(frames, MinimalFCParameters(), column_id="id", column_sort="time",
                     column_kind=None, column_value="value")
""",
    "imputed": """
settings = {"autocorrelation": [{"lag": 3}, {"lag": 30}], "mean": None}
X = extract_features(timeseries, settings, column_id="id", column_sort="time",
                     impute_function=impute)
""",
    "one after the other": """
X = extract_features(timeseries, MinimalFCParameters(), column_id="id", column_sort="time",
                     n_jobs=0, disable_progressbar=True, show_warnings=False)
""",
}


def run_example(code: str, module: str) -> pd.DataFrame:
    known = {"timeseries": robots(), "available": available, "impute": impute_quietly}
    names: dict[str, Any] = {**vars(tsfresh_settings), **known}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        if module == "tsfresh":
            warnings.simplefilter("ignore")
        exec(f"from {module} import extract_features\n{code}", names)  # noqa: S102
    return names["X"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_tsfresh_need_only_another_import(name):
    found = run_example(EXAMPLES[name], "tidemill")
    assert_same(found, available_columns(run_example(EXAMPLES[name], "tsfresh")))


def test_ids_of_rolled_frames_are_refused_with_the_remedy():
    """tsfresh makes tuples of them, which no table can hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rolled = roll_time_series(
            robots(2, 4), "id", "time", n_jobs=0, disable_progressbar=True, max_timeshift=2
        )
    with pytest.raises(SourceError, match=r"mixed or compound type \(tuple\).*\.map\(str\)"):
        extract_features(rolled, "minimal", **ROLES)
    rows = extract_features(rolled.assign(id=rolled["id"].map(str)), "minimal", **ROLES)
    assert len(rows) == 8


# Results


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


def batch_of(lengths: list[int]) -> Batch:
    stops = np.cumsum(lengths)
    block = SeriesBlock("x", np.zeros(stops[-1]), stops - lengths, stops)
    return Batch(pa.array(range(len(lengths))), {"x": block})


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    "lengths",
    [[1], [3] * 4, [100] * 3000, [10**6, 1, 1], [1, 1, 10**6], [0, 5, 0], list(range(1, 1500))],
    ids=["one", "few", "many", "long first", "long last", "empty ones", "growing"],
)
def test_chunks_cover_all_ids_once_and_share_the_values(lengths, threads):
    chunks = extraction._chunks(batch_of(lengths), threads, None)
    covered = [place for first, last in chunks for place in range(first, last)]
    assert covered == list(range(len(lengths)))
    assert all(first < last for first, last in chunks)
    values = [sum(lengths[first:last]) + last - first for first, last in chunks]
    assert max(values) <= sum(values) / len(values) + max(lengths) + 2 or len(chunks) < threads


def test_chunks_may_be_chosen():
    assert extraction._chunks(batch_of([2] * 5), 3, 2) == [(0, 2), (2, 4), (4, 5)]


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


# tsfresh's other arguments


def test_without_pivot_the_values_come_one_by_one(frame):
    settings = {"mean": None, "quantile": [{"q": 0.2}]}
    found = extract_features(frame, settings, **ROLES, pivot=False)
    expected = by_tsfresh(frame, settings, **ROLES, pivot=False)
    assert all(type(one) is tuple and len(one) == 3 for one in found)
    assert {(i, name): value for i, name, value in found} == pytest.approx(
        {(i, name): value for i, name, value in expected}
    )


def ranges_of(matrix: pd.DataFrame) -> dict[str, Any]:
    values = quietly(get_range_values_per_column)(impute_quietly(matrix.copy()))
    return dict(zip(("col_to_max", "col_to_min", "col_to_median"), values, strict=True))


@pytest.mark.parametrize("name", ["impute", "zero", "range"])
def test_the_impute_functions_of_tsfresh_work(name, frame):
    settings = {"autocorrelation": [{"lag": 2}, {"lag": 100}], "mean": None}
    expected = by_tsfresh(frame, settings, **ROLES)
    assert expected.isna().any(axis=None)
    function = {
        "impute": impute_quietly,
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


@pytest.mark.parametrize("distributor", [MapDistributor(), "tcp://127.0.0.1:8786"])
def test_a_distributor_is_refused_with_its_replacement(distributor, frame):
    text = r"distributor=.*n_jobs for threads.*tidemill\.flows\.extract\.extract with cluster="
    with pytest.raises(ArgumentError, match=text):
        extract_features(frame, "minimal", **ROLES, distributor=distributor)


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
