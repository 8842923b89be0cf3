"""What is asked of frames before they are there, and what a worker makes of it."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest

from tidemill import calculator
from tidemill.bridges.dask.frame_request import FrameRequest, check_path
from tidemill.calculators import registry
from tidemill.errors import ArgumentError, InputError, SourceError

LONG = pd.DataFrame({"id": [1, 1], "kind": ["y", "x"], "value": [1.0, 2.0]})
ROLES = {"column_id": "id", "column_kind": "kind", "column_value": "value"}


def test_kinds_are_those_that_are_named_or_those_of_the_frame():
    own = FrameRequest.of("minimal", None, **ROLES)
    named = FrameRequest.of("minimal", None, **ROLES, kinds=["z", "y", "x"])
    assert own.calculation(LONG).kinds == ("x", "y")
    assert named.calculation(LONG).kinds == ("z", "y", "x")
    assert own.calculation(LONG.iloc[:0]).kinds == ()


def test_a_preset_has_features_of_times_where_the_index_is_one():
    request = FrameRequest.of("comprehensive", None, column_id="id")
    plain = pd.DataFrame({"id": [1], "x": [0.5]})
    timed = plain.set_index(pd.to_datetime(["2026-11-20"]))
    assert len(request.calculation(timed).columns) == len(request.calculation(plain).columns) + 5


def test_functions_of_ones_own_go_with_the_request(own_calculators):
    @calculator
    def own_span(values):
        return values.max() - values.min()

    request = pickle.dumps(FrameRequest.of({"mean": None}, {"x": {"mean": None}}, column_id="id"))
    assert pickle.loads(request).plain.customs == ()  # noqa: S301
    known = FrameRequest.of({"own_span": None}, None, column_id="id")
    assert [one.name for one in known.plain.customs] == ["own_span"]
    registry._known.pop("own_span", None)
    frame = pd.DataFrame({"id": [1], "x": [0.5]})
    assert known.calculation(frame).columns == ("x__own_span",)


def test_a_role_that_names_no_column_is_an_error_of_the_frame():
    request = FrameRequest.of("minimal", None, column_id="no")
    with pytest.raises(InputError, match="'no'"):
        request.calculation(LONG)


@pytest.mark.parametrize("end", ["parquet", "feather", "csv"])
def test_files_are_read_by_the_end_of_their_names(end, tmp_path):
    request = FrameRequest.of("minimal", None, **ROLES)
    path = tmp_path / f"day.{end}"
    {"parquet": LONG.to_parquet, "feather": LONG.to_feather}.get(
        end, lambda to: LONG.to_csv(to, index=False)
    )(path)
    pd.testing.assert_frame_equal(request.load(path), LONG)
    assert request.load(LONG) is LONG


def test_files_that_are_not_there_or_damaged_are_named(tmp_path, monkeypatch):
    request = FrameRequest.of("minimal", None, **ROLES)
    with pytest.raises(SourceError, match=r"no\.parquet is not there for the worker"):
        request.load(tmp_path / "no.parquet")
    (tmp_path / "bad.parquet").write_text("PAR1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=r"bad\.parquet cannot be read"):
        request.load("bad.parquet")
    with pytest.raises(ArgumentError, match="is no file that can be read"):
        check_path("day.xlsx")
