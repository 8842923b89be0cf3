"""Check the roles that the user gave to columns against the schemas of all files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import SourceError, shorten
from tidemill.model.id_types import id_type
from tidemill.model.source import ColumnRoles
from tidemill.sources.files.file_format import Format
from tidemill.sources.files.schema import input_columns, plain_type
from tidemill.sources.rows.casts import as_float64, check_kinds

__all__ = ["common_schema", "find_id_type", "find_roles"]

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def find_roles(
    schema: pa.Schema,
    column_id: str | Sequence[str],
    column_sort: str | None,
    column_kind: str | None,
    column_value: str | Sequence[str] | None,
) -> ColumnRoles:
    """The roles of the columns, checked against the first file."""
    values = [column_value] if isinstance(column_value, str) else list(column_value or [])
    ids = (column_id,) if isinstance(column_id, str) else tuple(column_id)
    named = {"column_sort": column_sort, "column_kind": column_kind}
    roles = [("column_id", name) for name in ids]
    roles += [(role, name) for role, name in named.items() if name is not None]
    roles += [("column_value", name) for name in values]
    _check_named(schema, roles)
    if not values:
        taken = {name for _, name in roles}
        rest = [name for name in schema.names if name not in taken]
        values = [name for name in rest if not _PANDAS_INDEX.fullmatch(name)]
    if column_kind is not None and len(values) != 1:
        raise SourceError(
            f"the long format (column_kind={column_kind!r}) has one column of values, but these "
            f"could be: {shorten(map(repr, values))}; name it in column_value"
        )
    if not values:
        raise SourceError(f"no column of values is left besides {shorten(n for _, n in roles)}")
    columns = ColumnRoles(ids[0] if len(ids) == 1 else ids, column_sort, column_kind, tuple(values))
    if len(ids) > 1 and columns.key in input_columns(columns):
        raise SourceError(f"column {columns.key!r} has the name of the composite id; rename it")
    return columns


def _check_named(schema: pa.Schema, roles: Sequence[tuple[str, str]]) -> None:
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    seen: dict[str, str] = {}
    for role, name in roles:
        if name not in schema.names:
            near = difflib.get_close_matches(name, schema.names, n=3) or schema.names
            raise SourceError(
                f"{role}={name!r} is not a column of the input; nearest: {shorten(map(repr, near))}"
            )
        if name in twice:
            raise SourceError(f"{role}={name!r}: several columns have this name; rename them")
        if name in seen:
            raise SourceError(f"{seen[name]} and {role} are both {name!r}; name different columns")
        seen[name] = role


def common_schema(
    files: Sequence[tuple[str, pa.Schema]], format_: Format, columns: ColumnRoles
) -> pa.Schema:
    """The types of the used columns, which must be the same in all files.

    Parameters
    ----------
    files : name and schema of each file
    format_ : their format
    columns : the roles of the columns

    Raises
    ------
    SourceError
        If a file lacks a column or has another type, or a type does not fit its role.
    """
    first = next((schema for _, schema in files if pa.null() not in schema.types), files[0][1])
    expected = _used(first, format_, columns)
    for name, schema in files:
        if not schema.equals(first):
            _compare(name, schema, expected, format_, columns)
    _check_types(expected, columns)
    return expected


def _used(schema: pa.Schema, format_: Format, columns: ColumnRoles) -> pa.Schema:
    """The used columns with the types in which they are read, spilled and compared."""
    typed = format_.read_types(schema, columns)
    names = input_columns(columns)
    return pa.schema([(name, plain_type(typed.field(name).type)) for name in names])


def _compare(
    name: str, schema: pa.Schema, expected: pa.Schema, format_: Format, columns: ColumnRoles
) -> None:
    missing = [column for column in expected.names if column not in schema.names]
    if missing:
        raise SourceError(
            f"{name} has no column {shorten(map(repr, missing))}, which another file has; all "
            "files need the same columns"
        )
    for field in _used(schema, format_, columns):
        wanted = expected.field(field.name).type
        unknown = not format_.is_self_describing and pt.is_null(schema.field(field.name).type)
        if field.type != wanted and not unknown:  # types are inferred from rows, and there is none
            raise SourceError(
                f"{name}: column {field.name!r} has type {field.type}, but {wanted} in another "
                "file; write all files with one type"
            )


def _check_types(schema: pa.Schema, columns: ColumnRoles) -> None:
    for name in columns.values:
        as_float64(pa.array([], schema.field(name).type), name)
    if columns.kind is None:
        check_kinds(columns.values, "the columns of values")
    elif not _is_kind(schema.field(columns.kind).type):
        raise SourceError(
            f"column {columns.kind!r} has type {schema.field(columns.kind).type}, but kinds are "
            "names: cast it to strings"
        )
    for name in [] if columns.sort is None else [columns.sort]:
        sort_type = schema.field(name).type
        if pt.is_nested(sort_type) or pt.is_null(sort_type):
            raise SourceError(f"column {name!r} has type {sort_type}, which has no order")


def _is_kind(type_: pa.DataType) -> bool:
    return bool(pt.is_string(type_) or pt.is_integer(type_))


def find_id_type(schema: pa.Schema, columns: ColumnRoles) -> str | tuple[str, ...]:
    """The type of the ids in the result; of composite ids, one per column."""
    types = tuple(_type_of_ids(schema, name) for name in columns.ids)
    return types[0] if len(types) == 1 else types


def _type_of_ids(schema: pa.Schema, name: str) -> str:
    try:
        return str(id_type(schema.field(name).type))
    except SourceError as error:
        raise SourceError(f"column {name!r}: {error}") from None
