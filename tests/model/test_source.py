"""Ids of one column and of several look alike to those who read a source."""

from __future__ import annotations

import pytest

from tidemill.model.source import ColumnRoles, Source, SourceFile


@pytest.mark.parametrize(
    ("id_", "ids", "key"),
    [
        ("id", ("id",), "id"),
        (("plant", "sensor"), ("plant", "sensor"), "(plant, sensor)"),
        (("a", "b, c"), ("a", "b, c"), "(a, b, c)"),
    ],
)
def test_ids_are_a_tuple_and_their_key_one_name(id_, ids, key):
    roles = ColumnRoles(id_, "time", None, ("x",))
    assert (roles.ids, roles.key) == (ids, key)


def test_rows_and_types_of_a_source():
    files = tuple(SourceFile(f"{rows}.csv", 1, "", "", rows, 1) for rows in (3, 0, 4))
    roles = ColumnRoles("id", None, None, ("x",))
    source = Source("/in", "csv", files, roles, "int64", ("x",), {}, "")
    assert (source.rows, source.id_types) == (7, ("int64",))
    pair = Source("/in", "csv", (), roles, ("string", "int64"), ("x",), {}, "")
    assert (pair.rows, pair.id_types) == (0, ("string", "int64"))
