"""Parquet files: footers, statistics of row groups, and rows through small buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tidemill.errors import DataError
from tidemill.model.counts import counted
from tidemill.model.id_types import from_key, id_type, parse_type
from tidemill.model.ids import encode
from tidemill.model.plan import GroupSpan
from tidemill.model.source import Reading, Source
from tidemill.sources.files.access import check_row_count, file_name, located, open_planned
from tidemill.sources.files.conform import constant_value
from tidemill.sources.files.file_format import Description, Format, GroupBounds
from tidemill.sources.files.schema import plain_type, read_schema
from tidemill.sources.files.window_rows import covers, time_spans
from tidemill.sources.rows.id_keys import plain, read_keys

__all__ = ["PARQUET"]

#: Bytes at the end of a Parquet file that hold most footers.
TAIL_BYTES = 2**16
#: Bytes that one column reads ahead in a local file; measured: 2**16 is 10 % slower.
LOCAL_BUFFER = 2**20
REMOTE_BUFFER = 2**23


def _describe(file: pa.NativeFile, name: str, size: int, reading: Reading) -> Description:
    del name, reading
    footer = _footer(file, size)
    metadata = pq.read_metadata(pa.BufferReader(footer))
    schema = metadata.schema.to_arrow_schema()
    return Description(schema, metadata.num_rows, metadata.num_row_groups, footer, metadata)


def _footer(stream: pa.NativeFile, size: int) -> bytes:
    """The footer and the eight bytes behind it, in one read where they fit."""
    tail: bytes = stream.read_at(min(size, TAIL_BYTES), max(size - TAIL_BYTES, 0))
    if len(tail) < 12 or tail[-4:] != b"PAR1":
        raise pa.ArrowInvalid("it does not end like a Parquet file")
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > size:
        raise pa.ArrowInvalid("its footer is longer than the file")
    if length > len(tail):
        return bytes(stream.read_at(length, size - length))
    return tail[-length:]


@contextmanager
def _open_parquet(source: Source, index: int) -> Iterator[pq.ParquetFile]:
    """Open one input file so that memory stays flat; string ids come as dictionaries."""
    local = "://" not in source.url
    keys = [name for name in (*source.columns.ids, source.columns.kind) if name is not None]
    with open_planned(source, index) as file:
        metadata = pq.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
        coded = [name for name in keys if _is_text(schema, name)]
        with pq.ParquetFile(
            file,
            metadata=metadata,
            read_dictionary=coded,
            pre_buffer=False,
            buffer_size=LOCAL_BUFFER if local else REMOTE_BUFFER,
        ) as parquet:
            yield parquet


def _is_text(schema: pa.Schema, name: str) -> bool:
    place = schema.get_field_index(name)
    return bool(place >= 0 and pt.is_string(plain_type(schema.field(place).type)))


def _read_groups(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int
) -> Iterator[pa.RecordBatch]:
    """Stream columns of some row groups; those outside the window are skipped."""
    name = file_name(source, span.file)
    with located(name), _open_parquet(source, span.file) as parquet:
        names = parquet.schema_arrow.names
        own = frozenset(names)
        wanted = [column for column in columns if column in own] or names[:1]  # for its rows
        for group in range(span.first, span.last):
            if _lies_in_window(source, parquet.metadata.row_group(group)) is False:
                continue
            batches = parquet.iter_batches(rows, [group], wanted, use_threads=False)
            yield from check_row_count(batches, parquet.metadata.row_group(group).num_rows, name)


def _lies_in_window(source: Source, group: pq.RowGroupMetaData) -> bool | None:
    """Whether all rows of a row group are in the window, or none; None if unknown."""
    if source.window is None:
        return True
    return covers(source.window, group, str(source.columns.sort), source.reading)


# Bounds of the ids


def _group_bounds(source: Source, index: int) -> Iterator[GroupBounds]:
    """Bounds from statistics, of the row groups that may hold rows of the window."""
    where = file_name(source, index)
    with located(where), _open_parquet(source, index) as parquet:
        metadata, schema = parquet.metadata, parquet.schema_arrow
    for group in range(metadata.num_row_groups):
        facts = metadata.row_group(group)
        is_inside = _lies_in_window(source, facts)
        if is_inside is False or not facts.num_rows:
            continue
        found = [_id_bounds(source, index, name, schema, facts) for name in source.columns.ids]
        bounds = _key_bounds(found, [parse_type(name) for name in source.id_types])
        yield GroupBounds(group, facts.num_rows, bounds if is_inside else None)


def _id_bounds(
    source: Source, index: int, name: str, schema: pa.Schema, group: pq.RowGroupMetaData
) -> tuple[Any, Any] | None:
    """Lowest and highest key of one id column in a row group; None if unknown."""
    type_ = parse_type(source.id_types[source.columns.ids.index(name)])
    place = schema.get_field_index(name)
    if place < 0:
        field = read_schema(source).field(name)
        text = dict(source.files[index].constants).get(name)
        key = plain(read_keys(constant_value(text, field, source.reading), name).values[0])
        return key, key
    own = id_type(schema.field(place).type)
    if own != type_ and not (pt.is_integer(own) and pt.is_integer(type_)):
        return None  # the keys are of another type
    return _bounds(group.column(_column_index(group, name)), own, file_name(source, index))


def _key_bounds(
    found: Sequence[tuple[Any, Any] | None], types: Sequence[pa.DataType]
) -> tuple[Any, ...] | None:
    """Lowest and highest key of a row group, and whether they are wide; None if unknown.

    No row is below the tuple of the columns' lowest values, or above that of the highest. This
    range is exact if all columns but the last have only one value.
    """
    if len(found) == 1:
        return found[0]
    known = [bounds for bounds in found if bounds is not None]
    if len(known) < len(found):
        return None
    try:
        lower, upper = (_tuple_key(side, types) for side in zip(*known, strict=True))
    except (
        ValueError,
        OverflowError,
    ):  # reading such ids raises a clear error
        return None
    return lower, upper, any(low != high for low, high in known[:-1])


def _tuple_key(keys: Sequence[Any], types: Sequence[pa.DataType]) -> str:
    return str(encode([pa.array([from_key(*one)]) for one in zip(keys, types, strict=True)])[0])


def _column_index(group: pq.RowGroupMetaData, name: str) -> int:
    paths = (group.column(place).path_in_schema for place in range(group.num_columns))
    return next(place for place, path in enumerate(paths) if path == name)


def _bounds(
    column: pq.ColumnChunkMetaData, type_: pa.DataType, where: str
) -> tuple[Any, Any] | None:
    """Lowest and highest key of a row group; None if its statistics lack them."""
    statistics = column.statistics
    if statistics is None:
        return None
    if statistics.has_null_count and statistics.null_count:
        raise DataError(
            f"{where}: column {column.path_in_schema!r} is null in "
            f"{counted(statistics.null_count, 'row')}; every row needs an id: drop these rows"
        )
    if not statistics.has_min_max:
        return None
    try:
        low, high = (_bound_key(bound, type_) for bound in (statistics.min, statistics.max))
    except (ValueError, OverflowError):  # text cut within a character, dates beyond year 9999
        return None
    return None if low is None or high is None else (low, high)


def _bound_key(bound: object, type_: pa.DataType) -> int | float | str | None:
    if pt.is_temporal(type_):
        return plain(read_keys(pa.array([bound], type_), "id").values[0])
    if isinstance(bound, bool):
        return int(bound)
    return bound if isinstance(bound, int | float | str) else None


PARQUET = Format(
    suffixes=(".parquet", ".pq"),
    is_self_describing=True,
    describe=_describe,
    time_spans=time_spans,
    group_bounds=_group_bounds,
    read_groups=_read_groups,
)
