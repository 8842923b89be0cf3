"""Check the roles that the user gave to columns against the columns of all files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import pyarrow as pa

from tidemill.errors import SourceError, shorten
from tidemill.model.id_types import id_type
from tidemill.model.source import ColumnRoles
from tidemill.sources.files.schema import input_columns

__all__ = ["find_id_type", "find_roles"]

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def find_roles(
    names: Sequence[str],
    constants: Sequence[str],
    column_id: str | Sequence[str],
    column_sort: str | None,
    column_kind: str | None,
    column_value: str | Sequence[str] | None,
) -> ColumnRoles:
    """The roles of the columns, checked against those of all files.

    Parameters
    ----------
    names : columns of the files, of which all without a role are kinds by default
    constants : columns with one value for each file, which have a role only if they are named
    column_id, column_sort, column_kind, column_value : the roles
    """
    values = [column_value] if isinstance(column_value, str) else list(column_value or [])
    ids = (column_id,) if isinstance(column_id, str) else tuple(column_id)
    named = {"column_sort": column_sort, "column_kind": column_kind}
    roles = [("column_id", name) for name in ids]
    roles += [(role, name) for role, name in named.items() if name is not None]
    roles += [("column_value", name) for name in values]
    _check_named([*names, *constants], roles)
    if not values:
        taken = {name for _, name in roles}
        rest = [name for name in names if name not in taken]
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


def _check_named(names: Sequence[str], roles: Sequence[tuple[str, str]]) -> None:
    known = frozenset(names)
    seen: dict[str, str] = {}
    for role, name in roles:
        if name not in known:
            near = difflib.get_close_matches(name, names, n=3) or names
            raise SourceError(
                f"{role}={name!r} is not a column of the input; nearest: {shorten(map(repr, near))}"
            )
        if name in seen:
            raise SourceError(f"{seen[name]} and {role} are both {name!r}; name different columns")
        seen[name] = role


def find_id_type(schema: pa.Schema, columns: ColumnRoles) -> str | tuple[str, ...]:
    """The type of the ids in the result; of composite ids, one per column."""
    types = tuple(_type_of_ids(schema, name) for name in columns.ids)
    return types[0] if len(types) == 1 else types


def _type_of_ids(schema: pa.Schema, name: str) -> str:
    try:
        return str(id_type(schema.field(name).type))
    except SourceError as error:
        raise SourceError(f"column {name!r}: {error}") from None
