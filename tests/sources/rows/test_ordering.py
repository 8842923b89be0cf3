"""Rows come into order as numpy's stable sorts have it, whatever way is taken."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.model.policies import Policies
from tidemill.sources.rows import ordering
from tidemill.sources.rows.assemble import assemble
from tidemill.sources.rows.ordering import Layout, grid_layout, pieces, strictly_ascend

KEY_TYPES = ("int8", "uint8", "int32", "int64", "uint64")
#: Where the lowest key of a type lies, and how far apart keys are.
LOW = {"int8": -128, "uint8": 0, "int32": -5, "int64": -(2**63), "uint64": 2**63}
STEP = {"int8": 17, "uint8": 17, "int32": 10**6, "int64": 3_600_000_000, "uint64": 2**40}


def segments(layout: Layout, rows) -> list[list[int]]:
    moved = rows if layout.order is None else rows[layout.order]
    return [moved[a:b].tolist() for a, b in zip(layout.starts, layout.stops, strict=True)]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 14)), min_size=1, max_size=60),
    st.sampled_from(KEY_TYPES),
    st.booleans(),
)
def test_a_grid_orders_rows_as_a_sort_does(cells, dtype, apart):
    step = STEP[dtype] if apart else 1
    codes = np.array([code for code, _ in cells])
    keys = np.array([LOW[dtype] + step * key for _, key in cells], dtype)
    found = grid_layout(codes, 6, keys)
    if len(set(cells)) < len(cells):
        assert found is None, "two rows in one cell"
        return
    rows = np.arange(len(cells))
    expected = [sorted(rows[codes == code], key=lambda row: cells[row][1]) for code in range(6)]
    assert segments(found, rows) == expected
    assert found.ascends


def test_a_full_grid_is_the_inverse_of_the_shuffle(rng):
    places = rng.permutation(12 * 30)
    found = grid_layout(places // 30, 12, 5 + 7 * (places % 30))
    np.testing.assert_array_equal(places[found.order], np.arange(12 * 30))
    np.testing.assert_array_equal(found.stops - found.starts, 30)


@pytest.mark.parametrize(
    "keys", [np.arange(4.0), np.array([0, 1, 2, 10**9]), np.array([-(2**63), 0, 5, 2**63 - 1])]
)
def test_keys_off_the_grid_are_left_to_a_sort(keys):
    assert grid_layout(np.array([1, 0, 1, 0]), 2, keys) is None


def test_no_rows_are_no_grid():
    assert grid_layout(np.zeros(0, np.int64), 0, np.zeros(0, np.int64)) is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=80),
    st.booleans(),
)
def test_the_order_does_not_depend_on_the_way(cells, in_runs):
    """Grid, counting sorts and pieces of any size give the same series."""
    if in_runs:
        cells = sorted(cells, key=lambda cell: cell[0])
    ids, sort = (pa.array(column) for column in zip(*cells, strict=True))
    values = {"x": pa.array(np.arange(len(cells), dtype=float))}
    found = []
    with pytest.MonkeyPatch.context() as patched:
        for spare, compared, piece in ((65_536, 65_536, 131_072), (-(10**9), 3, 4), (0, 1, 1)):
            patched.setattr(ordering, "SPARE_CODES", spare)
            patched.setattr(ordering, "COMPARED_ROWS", compared)
            patched.setattr(ordering, "SORTED_ROWS", piece)
            batch = assemble(
                ids, sort, None, values, kinds=("x",), policies=Policies(on_duplicate="first"),
                needs_times=False, where="test",
            )  # fmt: skip
            block = batch.blocks["x"]
            spans = zip(block.starts, block.stops, strict=True)
            found.append([block.values[a:b].tolist() for a, b in spans])
    rows = range(len(cells))
    slow = []
    for id_ in sorted({cell[0] for cell in cells}):
        first = {}
        for row in rows:
            if cells[row][0] == id_:
                first.setdefault(cells[row][1], row)
        slow.append([first[key] for key in sorted(first)])
    assert found == [slow] * 3


@pytest.mark.parametrize("compared", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("keys", "edges", "expected"),
    [
        ([1, 2, 3, 1, 2], [0, 3], True),
        ([1, 2, 2, 1, 2], [0, 3], False),
        ([1, 3, 2, 1, 2], [0, 3], False),
        ([5, 4, 3], [0, 1, 2], True),
        ([5], [0], True),
        ([], [], True),
    ],
)
def test_keys_that_ascend(keys, edges, expected, compared, monkeypatch):
    monkeypatch.setattr(ordering, "COMPARED_ROWS", compared)
    assert strictly_ascend(np.array(keys), np.array(edges, np.int64)) is expected


def test_pieces_cover_all_rows_once(monkeypatch):
    monkeypatch.setattr(ordering, "COMPARED_ROWS", 4)
    assert [(piece.start, piece.stop) for piece in pieces(10, 1)] == [(1, 5), (5, 9), (9, 10)]
    assert list(pieces(1, 1)) == []


def test_keys_of_the_input_are_not_written_to():
    keys = np.array([3, 2, 1, 0])
    keys.flags.writeable = False
    grid_layout(np.array([0, 1, 0, 1]), 2, keys)
