"""Roles of columns are checked against the columns of all files."""

import pyarrow as pa
import pytest

from tidemill.errors import SourceError
from tidemill.model.source import ColumnRoles
from tidemill.sources.files.roles import find_id_type, find_roles

SCHEMA = pa.schema({"id": pa.int32(), "time": pa.int64(), "x": pa.float64(), "y": pa.float64()})
ROLES = ColumnRoles("id", "time", None, ("x", "y"))


def test_values_are_what_has_no_role():
    assert find_roles(SCHEMA.names, [], "id", "time", None, None) == ROLES
    assert find_roles(SCHEMA.names, [], ["id", "time"], None, None, "y").ids == ("id", "time")
    with_index = SCHEMA.append(pa.field("__index_level_0__", pa.int64()))
    assert find_roles(with_index.names, [], "id", "time", None, None) == ROLES


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
        find_roles(SCHEMA.names, [], *roles)


def test_constants_have_a_role_only_if_they_are_named():
    names, constants = SCHEMA.names, ["site"]
    assert find_roles(names, constants, "id", "time", None, None) == ROLES
    assert find_roles(names, constants, ["site", "id"], "time", None, None).ids == ("site", "id")
    with pytest.raises(SourceError, match="nearest: 'site'"):
        find_roles(names, constants, "sites", None, None, None)


def test_types_of_ids():
    assert find_id_type(SCHEMA, ROLES) == "int32"
    both = ColumnRoles(("id", "time"), None, None, ("x",))
    assert find_id_type(SCHEMA, both) == ("int32", "int64")
    with pytest.raises(SourceError, match="column 'id': ids of type list"):
        find_id_type(SCHEMA.set(0, pa.field("id", pa.list_(pa.int8()))), ROLES)
