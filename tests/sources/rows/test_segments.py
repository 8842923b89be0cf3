"""Segments are found from runs of rows, without moving a row where that can be."""

import pyarrow as pa
import pytest

from tidemill.sources.rows import ordering
from tidemill.sources.rows.segments import group


@pytest.mark.parametrize("type_", [pa.int64(), pa.string(), pa.dictionary(pa.int8(), pa.string())])
@pytest.mark.parametrize("compared", [1, 2, 7])
def test_runs_are_found_across_pieces(type_, compared, monkeypatch):
    monkeypatch.setattr(ordering, "COMPARED_ROWS", compared)
    ids = pa.array(["2"] * 5 + ["1"] * 9 + ["3"] * 4).cast(
        pa.string() if pa.types.is_dictionary(type_) else type_
    )
    ids = ids.dictionary_encode() if pa.types.is_dictionary(type_) else ids
    unique, layout = group(ids, None, ())
    assert [str(one) for one in unique.to_pylist()] == ["1", "2", "3"]
    assert layout.order is None
    assert (layout.starts.tolist(), layout.stops.tolist()) == ([5, 0, 14], [14, 5, 18])


def test_a_few_scattered_rows_move_runs():
    unique, layout = group(pa.array([2, 2, 2, 1, 1, 1, 2, 2]), None, ())
    assert unique.to_pylist() == [1, 2]
    assert layout.order.tolist() == [3, 4, 5, 0, 1, 2, 6, 7]
    assert (layout.starts.tolist(), layout.stops.tolist()) == ([0, 3], [3, 8])
