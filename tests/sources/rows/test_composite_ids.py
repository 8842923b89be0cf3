"""Composite ids: joined and split they are the same, and they sort as tuples do."""

import itertools

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import DataError, SourceError
from tidemill.sources.rows.composite_ids import join_ids, split_ids

NAMES = ["plant", "unit", "share"]
TYPES = [pa.string(), pa.int64(), pa.float64()]
ROWS = st.lists(
    st.tuples(
        st.text("ab\x00é", max_size=3),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False).map(lambda one: one + 0.0),
    ),
    min_size=1,
    max_size=20,
)


@given(ROWS)
def test_what_is_joined_can_be_split_and_keeps_the_order(rows):
    columns = [
        pa.array(column, type_)
        for column, type_ in zip(zip(*rows, strict=True), TYPES, strict=True)
    ]
    joined = join_ids(columns, NAMES)
    assert len(joined.dictionary) == len(set(rows))
    parts = split_ids(joined.dictionary, NAMES, TYPES).take(joined.indices)
    assert [tuple(one.values()) for one in parts.to_pylist()] == rows
    order = pc.array_sort_indices(joined.dictionary_decode()).to_pylist()
    assert [rows[place] for place in order] == sorted(rows)


def test_many_columns_of_many_ids_do_not_overflow():
    n = 2_000
    columns = [pa.array(range(n)) for _ in range(8)]  # the product of the numbers of ids is 2e26
    assert len(join_ids(columns, list("abcdefgh")).dictionary) == n


def test_every_combination_is_an_id_of_its_own():
    pairs = list(itertools.product(["a", "b"], [1, 2]))
    columns = [pa.array(column) for column in zip(*pairs, strict=True)]
    assert len(join_ids(columns, ["x", "y"]).dictionary) == 4


def test_errors_name_the_column():
    with pytest.raises(DataError, match="column 'unit' is null in 1 of 2 rows"):
        join_ids([pa.array(["a", "b"]), pa.array([1, None])], ["plant", "unit"])
    with pytest.raises(SourceError, match="column 'plant': ids of type list"):
        join_ids([pa.array([[1]]), pa.array([1])], ["plant", "unit"])


def test_no_rows():
    joined = join_ids([pa.array([], pa.string()), pa.array([], pa.int64())], ["plant", "unit"])
    assert len(joined) == len(joined.dictionary) == 0
