"""The columns of an input that are read, by name and type, and how they look in memory."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.types as pt

from tidemill.model.id_types import parse_type
from tidemill.model.source import ColumnRoles, Source

__all__ = [
    "NAIVE",
    "concatenated",
    "input_columns",
    "memory_schema",
    "plain_type",
    "read_schema",
    "serialize",
    "time_zone",
    "used_columns",
    "with_id_types",
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


def serialize(schema: pa.Schema) -> str:
    """A schema as a source holds it."""
    return base64.b64encode(schema.serialize()).decode()


def read_schema(source: Source) -> pa.Schema:
    """Names and plain types of the columns that are read."""
    return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(source.schema)))


def time_zone(source: Source) -> str:
    """The time zone of an input; "" if the sort column does not hold timestamps."""
    if source.columns.sort is None:
        return ""
    if source.reading.input_timezone is not None:
        return source.reading.input_timezone
    type_ = read_schema(source).field(source.columns.sort).type
    return (type_.tz or NAIVE) if pt.is_timestamp(type_) else ""


def with_id_types(source: Source, types: Sequence[str]) -> Source:
    """The source with ids of the types that a table has already, where numbers can be cast to them.

    Files of one input may hold ids in integers of several widths; a table has one type.
    """
    own = source.id_types
    if len(types) != len(own) or tuple(types) == own:
        return source
    wanted = [parse_type(text) for text in types]
    if not all(map(_are_numbers, map(parse_type, own), wanted)):
        return source
    schema = read_schema(source)
    for name, type_ in zip(source.columns.ids, wanted, strict=True):
        schema = schema.set(schema.get_field_index(name), pa.field(name, type_))
    kept = types[0] if len(types) == 1 else tuple(types)
    return replace(source, schema=serialize(schema), id_type=kept)


def _are_numbers(own: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether ids of one type may be read as another one."""
    return own == wanted or all(pt.is_integer(one) or pt.is_floating(one) for one in (own, wanted))


def memory_schema(source: Source) -> pa.Schema:
    """Names and plain types of the columns in memory: a composite id is one text column."""
    schema = read_schema(source)
    if len(source.columns.ids) == 1:
        return schema
    others = (schema.field(name) for name in _other_columns(source.columns))
    return pa.schema([pa.field(source.columns.key, pa.string()), *others])


def concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of equal columns as one, whether text is coded or not.

    Examples
    --------
    >>> coded = pa.table({"id": pa.array(["a"]).dictionary_encode()})
    >>> concatenated([coded, pa.table({"id": ["b"]})]).to_pydict()
    {'id': ['a', 'b']}
    """
    first = tables[0].schema
    if all(table.schema.equals(first) for table in tables[1:]):
        return pa.concat_tables(tables)
    plain = pa.schema([pa.field(one.name, plain_type(one.type)) for one in first])
    return pa.concat_tables([table.cast(plain) for table in tables])
