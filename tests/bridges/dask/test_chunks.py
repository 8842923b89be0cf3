"""A chunk, from what was given to its features."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill import extract_features
from tidemill.bridges.dask import chunks
from tidemill.bridges.dask.chunks import calculate_chunk, same
from tidemill.bridges.dask.frame_request import FrameRequest

FRAME = pd.DataFrame({"id": [1, 1, 2], "x": [3.0, 1.0, 4.0]})
LONG = FRAME.rename(columns={"x": "value"}).assign(kind="x")


@pytest.fixture
def request_():
    return same(FrameRequest.of("minimal", None, column_id="id"))


def test_a_frame_and_a_dict_of_frames(request_):
    wanted = extract_features(FRAME, "minimal", column_id="id")
    pd.testing.assert_frame_equal(calculate_chunk(FRAME, request_), wanted)
    by_kind = {"x": FRAME, "y": FRAME.iloc[:0]}
    found = calculate_chunk(by_kind, request_)
    pd.testing.assert_frame_equal(found[wanted.columns], wanted)
    assert found.filter(like="y__").isna().all(axis=None)


def test_a_chunk_without_rows_has_none(request_):
    assert calculate_chunk(FRAME.iloc[:0], request_).shape == (0, 10)
    roles = {"column_id": "id", "column_kind": "kind", "column_value": "value"}
    own = FrameRequest.of("minimal", None, **roles)
    assert calculate_chunk(LONG.iloc[:0], own).shape == (0, 0)
    named = FrameRequest.of("minimal", None, **roles, kinds=["x"])
    assert calculate_chunk(LONG.iloc[:0], named).shape == (0, 10)


def test_a_suspect_is_isolated(request_, monkeypatch):
    isolated = []
    monkeypatch.setattr(chunks, "calculate_isolated_frame", lambda *given: isolated.append(given))
    calculate_chunk({"x": FRAME, "y": FRAME.iloc[:0]}, request_, suspect=True)
    ((container, calculation),) = isolated
    assert list(container) == ["x"]
    assert calculation.kinds == ("x", "y")
