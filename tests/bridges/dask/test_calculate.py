from __future__ import annotations

import datetime as dt
import pickle
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from dask.base import tokenize
from distributed.protocol import deserialize, serialize

from tidemill import calculator, extract_features
from tidemill.bridges.dask.calculate import FrameCalculation, calculate_frame, empty_features
from tidemill.calculators import registry
from tidemill.errors import ArgumentError, CalculationError, DataError, InputError
from tidemill.frames.arguments import calculator_warnings
from tidemill.model.policies import Policies

SETTINGS = {"mean": None, "maximum": None, "quantile": [{"q": 0.3}]}


@pytest.fixture
def wide(rng):
    ids = np.repeat(rng.permutation(12), 9)
    return pd.DataFrame(
        {"id": ids, "time": rng.permutation(len(ids)), "x": rng.normal(size=108), "y": ids * 1.0}
    )


def _long(wide):
    return wide.melt(["id", "time"], var_name="kind")


def _travelled(calculation):
    return deserialize(*serialize(calculation))


def test_a_frame_gives_what_the_door_gives(wide):
    roles = {"column_id": "id", "column_sort": "time"}
    wanted = extract_features(wide, "efficient", **roles)
    calculation = FrameCalculation.of(wide.iloc[:0], "efficient", **roles)
    got = calculate_frame(wide, _travelled(calculation))
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)
    assert calculation.columns == tuple(wanted.columns)


@pytest.mark.parametrize("form", ["long", "dict"])
def test_frames_that_lack_kinds_have_all_columns(wide, form):
    roles = {"column_id": "id", "column_sort": "time", "column_value": "value"}
    if form == "long":
        roles["column_kind"] = "kind"
        whole = _long(wide)
        part = whole[whole["kind"] == "y"]
        calculation = FrameCalculation.of(whole, SETTINGS, **roles, kinds=["x", "y"])
    else:
        whole = {k: wide[["id", "time", k]].rename(columns={k: "value"}) for k in ["x", "y"]}
        part = {"x": whole["x"].iloc[:0], "y": whole["y"]}
        calculation = FrameCalculation.of(whole, SETTINGS, **roles)
    wanted = extract_features(whole, SETTINGS, **roles)
    pd.testing.assert_frame_equal(calculate_frame(whole, calculation), wanted, check_exact=True)
    got = calculate_frame(part, calculation)
    assert got.filter(like="x__").isna().all(axis=None)
    pd.testing.assert_frame_equal(got.filter(like="y__"), wanted.filter(like="y__"))


@pytest.mark.parametrize(
    "ids",
    [
        pd.Series(["b", "a"], dtype="str"),
        pd.Series(["b", "a"], dtype="string[pyarrow]"),
        pd.Series([2, 1], dtype="int8"),
        pd.Series(pd.to_datetime(["2026-11-02", "2026-11-01"])),
        pd.Series(["b", "a"], dtype="category"),
    ],
    ids=lambda ids: str(ids.dtype),
)
def test_an_empty_matrix_is_like_one_with_rows(ids):
    frame = pd.DataFrame({"id": ids, "x": [1.0, 2.0]})
    calculation = FrameCalculation.of(frame.iloc[:0], SETTINGS, column_id="id")
    full = calculate_frame(frame, calculation)
    empty = calculate_frame(frame.iloc[:0], calculation)
    pd.testing.assert_frame_equal(full.iloc[:0], empty)
    pd.testing.assert_frame_equal(empty_features(frame, calculation), empty)


def test_composite_ids_are_levels_also_without_rows():
    frame = pd.DataFrame({"a": ["v", "u"], "b": [1, 2], "x": [1.0, 2.0]})
    calculation = FrameCalculation.of(frame, SETTINGS, column_id=["a", "b"])
    full = calculate_frame(frame, calculation)
    assert full.index.tolist() == [("u", 2), ("v", 1)]
    empty = calculate_frame(frame.iloc[:0], calculation)
    pd.testing.assert_frame_equal(full.iloc[:0], empty)


def test_a_time_index_adds_the_calculators_of_times():
    index = pd.date_range("2026-11-01", periods=4, freq="h")
    frame = pd.DataFrame({"id": [1, 1, 1, 1], "x": [1.0, 2, 4, 8]}, index=index)
    calculation = FrameCalculation.of(frame.iloc[:0], "efficient", column_id="id")
    wanted = extract_features(frame, "efficient", column_id="id")
    assert any("linear_trend_timewise" in column for column in wanted)
    pd.testing.assert_frame_equal(calculate_frame(frame, calculation), wanted)


def test_a_request_is_small_and_the_same_everywhere(wide):
    calculation = FrameCalculation.of(wide, "comprehensive", column_id="id")
    assert len(pickle.dumps(calculation)) < 60_000
    assert _travelled(calculation) == calculation
    assert tokenize(_travelled(calculation)) == tokenize(calculation)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"column_id": "nobody"}, "column_id='nobody'"),
        ({"column_id": "id", "kinds": ["x"]}, r"kinds=\['x'\] has no meaning"),
        ({"column_id": "id", "column_kind": "y", "column_value": "x"}, "needs a list of all kinds"),
        (
            {"column_id": "id", "column_kind": "y", "column_value": "x", "kinds": []},
            "names no kind",
        ),
        ({"column_id": "id", "column_sort": "id"}, "both 'id'"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_sent(wide, wrong, named):
    with pytest.raises(ArgumentError, match=named):
        FrameCalculation.of(wide.iloc[:0], SETTINGS, **wrong)


def test_a_kind_that_was_not_named_is_refused(wide):
    roles = {"column_id": "id", "column_sort": "time", "column_kind": "kind"}
    calculation = FrameCalculation.of(
        _long(wide), SETTINGS, **roles, column_value="value", kinds=["x"]
    )
    with pytest.raises(DataError, match=r"rows of kind 'y', which kinds=\['x'\] does not name"):
        calculate_frame(_long(wide), calculation)


def test_no_frame_is_refused(wide):
    calculation = FrameCalculation.of(wide, SETTINGS, column_id="id")
    with pytest.raises(InputError, match="is a list"):
        calculate_frame([1], calculation)


@pytest.fixture
def known(monkeypatch):
    """What is registered in a test ends with it."""
    kept = dict(registry._known)
    yield registry._known
    registry._known.clear()
    registry._known.update(kept)


def test_a_function_travels_with_the_request_and_a_failing_series_is_named(wide, known):
    @calculator(name="fussy")
    def fussy(x):
        if x[0] == 7.0:
            raise ValueError("never seven")
        return float(x[0])

    roles = {"column_id": "id", "column_value": "y"}
    calculation = FrameCalculation.of(wide, {"fussy": None}, **roles)
    lenient = FrameCalculation.of(wide, {"fussy": None}, **roles, policies=Policies(on_error="nan"))
    travelling = [serialize(one) for one in (calculation, lenient)]
    del known["fussy"]
    with pytest.raises(CalculationError, match=r"id=7: fussy failed .*never seven") as caught:
        calculate_frame(wide, deserialize(*travelling[0]))
    assert isinstance(caught.value.__cause__, ValueError)
    got = calculate_frame(wide, deserialize(*travelling[1]))["y__fussy"]
    assert got.isna().to_dict() == {one: one == 7 for one in range(12)}


def test_dates_as_ids_come_back(rng):
    days = [dt.date(2026, 11, day) for day in (3, 1, 2)]
    frame = pd.DataFrame({"day": days, "x": rng.normal(size=3)})
    calculation = FrameCalculation.of(frame.iloc[:0], SETTINGS, column_id="day")
    assert calculate_frame(frame, calculation).index.tolist() == sorted(days)


def test_threads_that_silence_warnings_restore_the_filters():
    inside, leave = threading.Barrier(2), threading.Event()

    def second():
        with calculator_warnings(show=False):
            inside.wait()
            leave.wait()

    before = list(warnings.filters)
    other = threading.Thread(target=second)
    with calculator_warnings(show=False):
        other.start()
        inside.wait()
    warnings.warn("silent while the other is inside", stacklevel=1)
    leave.set()
    other.join()
    assert list(warnings.filters) == before
