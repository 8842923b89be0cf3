"""Files of a store as tables, on disk and remote."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidemill.storage.tables import aligned, open_whole, read_each, read_parquet, read_parquets

SCHEMA = pa.schema([("id", pa.int64()), ("x", pa.float64())])


def put(store, name: str, table: pa.Table) -> str:
    with store.open_output(name) as file:
        pq.write_table(table, file)
    return name


def test_files_are_read_in_the_order_that_is_asked_for(store):
    names = [put(store, f"{n}.parquet", pa.table({"id": [n], "x": [n / 2]})) for n in range(20)]
    wanted = names[::-1]
    found = read_parquets(store, wanted, SCHEMA)
    assert found["id"].to_pylist() == list(range(20))[::-1]
    assert [one["id"][0].as_py() for one in read_each(store, wanted)] == list(range(20))[::-1]


def test_types_become_those_of_the_schema(store):
    name = put(store, "a.parquet", pa.table({"id": pa.array([1], pa.int8()), "x": [1]}))
    assert read_parquets(store, [name], SCHEMA).schema.types == SCHEMA.types
    assert read_parquet(store, name).schema.types == [pa.int8(), pa.int64()]


def test_no_files_make_an_empty_table(store):
    assert read_parquets(store, [], SCHEMA) == SCHEMA.empty_table()
    assert read_each(store, []) == []


def test_a_missing_file_is_named(store):
    put(store, "a.parquet", pa.table({"id": [1]}))
    with pytest.raises(FileNotFoundError):
        read_each(store, ["a.parquet", "gone.parquet"])


def test_any_file_can_be_opened_whole(store):
    store.write("a.csv", b"id\n1\n")
    with open_whole(store, "a.csv") as file:
        assert file.size() == 5
        assert file.read() == b"id\n1\n"


def test_columns_are_put_in_order_and_missing_ones_are_null():
    table = pa.table({"b": [1, 2], "extra": ["x", "y"]})
    wanted = pa.schema([("a", pa.string()), ("b", pa.float64())])
    found = aligned(table, wanted)
    assert found.schema == wanted
    assert found.to_pydict() == {"a": [None, None], "b": [1.0, 2.0]}


def test_a_value_that_the_schema_cannot_hold_is_an_error():
    with pytest.raises(pa.ArrowInvalid):
        aligned(pa.table({"b": ["word"]}), pa.schema([("b", pa.float64())]))


def test_many_columns_are_found_by_name_wherever_they_stand():
    names = [f"c{place}" for place in range(20_000)]
    table = pa.Table.from_arrays([pa.array([place]) for place in range(20_000)], names)
    wanted = pa.schema([(name, pa.float64()) for name in [*names[::-1], "new"]])
    found = aligned(table, wanted)
    assert found.schema == wanted
    assert [column[0].as_py() for column in found.columns] == [*range(19_999, -1, -1), None]


def test_the_schema_of_the_table_wins_even_where_types_are_equal(store):
    marked = pa.schema([SCHEMA.field("id").with_metadata({"tidemill": "id"}), SCHEMA.field("x")])
    name = put(store, "a.parquet", pa.table({"id": [1], "x": [0.5]}, SCHEMA))
    found = read_parquets(store, [name], marked)
    assert found.schema.equals(marked, check_metadata=True)
