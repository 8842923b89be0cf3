"""Roles of columns are checked against the schemas of all files."""

import pyarrow as pa
import pytest

from tidemill.errors import SourceError
from tidemill.model.source import ColumnRoles
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.roles import common_schema, find_id_type, find_roles

SCHEMA = pa.schema({"id": pa.int32(), "time": pa.int64(), "x": pa.float64(), "y": pa.float64()})
ROLES = ColumnRoles("id", "time", None, ("x", "y"))
PARQUET, CSV = FORMATS["parquet"], FORMATS["csv"]


def test_values_are_what_has_no_role():
    assert find_roles(SCHEMA, "id", "time", None, None) == ROLES
    assert find_roles(SCHEMA, ["id", "time"], None, None, "y").ids == ("id", "time")
    with_index = SCHEMA.append(pa.field("__index_level_0__", pa.int64()))
    assert find_roles(with_index, "id", "time", None, None) == ROLES


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (("ID", None, None, None), "column_id='ID' is not a column of the input; nearest: 'id'"),
        (("id", "id", None, None), "column_id and column_sort are both 'id'"),
        (("id", None, "time", None), r"column_kind='time'.* one column of values, .*'x', 'y'"),
        ((["id", "time", "x", "y"], None, None, None), "no column of values is left besides"),
    ],
)
def test_roles_that_do_not_fit(roles, message):
    with pytest.raises(SourceError, match=message):
        find_roles(SCHEMA, *roles)


def test_a_name_that_two_columns_have_is_refused():
    twice = pa.schema([*SCHEMA, pa.field("id", pa.int64())])
    with pytest.raises(SourceError, match="column_id='id': several columns have this name"):
        find_roles(twice, "id", None, None, "x")


def test_only_used_columns_need_one_type():
    other = SCHEMA.append(pa.field("note", pa.string()))
    assert common_schema([("a", SCHEMA), ("b", other)], PARQUET, ROLES) == SCHEMA
    narrow = SCHEMA.set(2, pa.field("x", pa.float32()))
    with pytest.raises(SourceError, match="b: column 'x' has type float, but double in another"):
        common_schema([("a", SCHEMA), ("b", narrow)], PARQUET, ROLES)
    with pytest.raises(SourceError, match="b has no column 'y'"):
        common_schema([("a", SCHEMA), ("b", SCHEMA.remove(3))], PARQUET, ROLES)


def test_inferred_types_may_be_missing_where_there_are_no_rows():
    untyped = pa.schema([(name, pa.null()) for name in SCHEMA.names])
    assert common_schema([("a", untyped), ("b", SCHEMA)], CSV, ROLES) == SCHEMA
    with pytest.raises(SourceError, match="a: column 'id' has type null"):
        common_schema([("a", untyped), ("b", SCHEMA)], PARQUET, ROLES)


def test_whole_numbers_of_csv_are_values_too():
    whole = SCHEMA.set(2, pa.field("x", pa.int64()))
    assert common_schema([("a", whole), ("b", SCHEMA)], CSV, ROLES) == SCHEMA


def test_a_sort_column_needs_an_order():
    nested = SCHEMA.set(1, pa.field("time", pa.list_(pa.int64())))
    with pytest.raises(SourceError, match=r"column 'time' has type list.* no order"):
        common_schema([("a", nested)], PARQUET, ROLES)


def test_types_of_ids():
    assert find_id_type(SCHEMA, ROLES) == "int32"
    both = ColumnRoles(("id", "time"), None, None, ("x",))
    assert find_id_type(SCHEMA, both) == ("int32", "int64")
    with pytest.raises(SourceError, match="column 'id': ids of type list"):
        find_id_type(SCHEMA.set(0, pa.field("id", pa.list_(pa.int8()))), ROLES)
