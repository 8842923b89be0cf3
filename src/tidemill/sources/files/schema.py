"""The columns of an input that are read, by name and type, and how they look in memory."""

from __future__ import annotations

import base64

import pyarrow as pa
import pyarrow.types as pt

from tidemill.model.source import ColumnRoles, Source

__all__ = [
    "input_columns",
    "memory_schema",
    "plain_type",
    "read_schema",
    "time_zone",
    "used_columns",
]

#: The time zone of timestamps that have none.
NAIVE = "naive, taken as UTC"


def used_columns(columns: ColumnRoles) -> tuple[str, ...]:
    """Names of all columns in memory: id, sort, kind and values."""
    return (columns.key, *_other_columns(columns))


def input_columns(columns: ColumnRoles) -> tuple[str, ...]:
    """Names of all columns that are read from the input: those of the id, and the others."""
    return (*columns.ids, *_other_columns(columns))


def _other_columns(columns: ColumnRoles) -> tuple[str, ...]:
    roles = (columns.sort, columns.kind)
    return (*(name for name in roles if name is not None), *columns.values)


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type without dictionary, and one type for all kinds of text.

    Examples
    --------
    >>> plain_type(pa.dictionary(pa.int8(), pa.large_string()))
    DataType(string)
    """
    if pt.is_dictionary(type_):
        return plain_type(type_.value_type)
    is_text = pt.is_large_string(type_) or pt.is_string_view(type_)
    return pa.string() if is_text else type_


def read_schema(source: Source) -> pa.Schema:
    """Names and plain types of the columns that are read."""
    return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(source.schema)))


def time_zone(source: Source) -> str:
    """The time zone of an input; "" if the sort column does not hold timestamps."""
    if source.columns.sort is None:
        return ""
    type_ = read_schema(source).field(source.columns.sort).type
    return (type_.tz or NAIVE) if pt.is_timestamp(type_) else ""


def memory_schema(source: Source) -> pa.Schema:
    """Names and plain types of the columns in memory: a composite id is one text column."""
    schema = read_schema(source)
    if len(source.columns.ids) == 1:
        return schema
    others = (schema.field(name) for name in _other_columns(source.columns))
    return pa.schema([pa.field(source.columns.key, pa.string()), *others])
