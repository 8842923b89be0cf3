"""CSV files as record batches of one schema, streamed.

The types come from the first block of the first file; values are read as float64, so that a
column that starts with whole numbers may go on with fractions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.types as pt

from tidemill.errors import DataError, SourceError
from tidemill.model.plan import GroupSpan
from tidemill.model.source import ColumnRoles, Reading, Source, Window
from tidemill.sources.files.access import check_row_count, file_name, open_planned
from tidemill.sources.files.file_format import Description, Format, GroupBounds
from tidemill.sources.files.schema import read_schema

__all__ = ["CSV", "csv_schema", "read_csv", "value_types"]

#: Bytes parsed at a time; the types are inferred from the first block.
BLOCK_BYTES = 4 * 2**20


def csv_schema(file: pa.NativeFile, name: str) -> pa.Schema:
    """Infer the column names and types of a CSV file.

    Raises
    ------
    SourceError
        If the file is empty or is not a table.

    Examples
    --------
    >>> data = pa.BufferReader(chr(10).join(["id,x", "1,0.5"]).encode())
    >>> csv_schema(data, "a.csv").types
    [DataType(int64), DataType(double)]
    """
    read = pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
    try:
        with pacsv.open_csv(_decompressed(file, name), read_options=read) as reader:
            return reader.schema
    except pa.ArrowInvalid as error:
        raise SourceError(f"{name} cannot be read as CSV: {error}") from error


def value_types(schema: pa.Schema, columns: ColumnRoles) -> pa.Schema:
    """Turn whole numbers in value columns into float64, and columns without a type into text.

    Examples
    --------
    >>> inferred = pa.schema({"id": pa.null(), "x": pa.int64()})
    >>> value_types(inferred, ColumnRoles("id", None, None, ("x",))).types
    [DataType(string), DataType(double)]
    """
    return pa.schema([_typed(field, is_value=field.name in columns.values) for field in schema])


def _typed(field: pa.Field, *, is_value: bool) -> pa.Field:
    if is_value and (pt.is_integer(field.type) or pt.is_null(field.type)):
        return field.with_type(pa.float64())
    return field.with_type(pa.string()) if pt.is_null(field.type) else field


def read_csv(
    file: pa.NativeFile, name: str, schema: pa.Schema, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Stream columns of a CSV file with the given types.

    Raises
    ------
    SourceError
        If a value does not have its column's type; the message names row and column.
    DataError
        If a text column that is not a value is empty in a row.

    Examples
    --------
    >>> data = pa.BufferReader(chr(10).join(["id,x", "1,0.5", "2,oops"]).encode())
    >>> schema = pa.schema({"id": pa.int64(), "x": pa.float64()})
    >>> list(read_csv(data, "a.csv", schema, ["id", "x"]))
    Traceback (most recent call last):
    tidemill.errors.SourceError: a.csv: In CSV column #1: Row #3: CSV conversion error to double: \
invalid value 'oops'; the types of columns come from the first rows of the first file: fix the \
value, or write Parquet, which states its types
    """
    reader = None
    try:
        reader = pacsv.open_csv(
            _decompressed(file, name),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            convert_options=pacsv.ConvertOptions(
                column_types=schema, include_columns=list(columns), strings_can_be_null=False
            ),
        )
        for batch in reader:
            _refuse_empty_text(batch, name)
            yield batch
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise SourceError(
            f"{name}: {error}; the types of columns come from the first rows of the first file: "
            "fix the value, or write Parquet, which states its types"
        ) from error
    finally:
        if reader is not None:
            reader.close()


def _refuse_empty_text(batch: pa.RecordBatch, name: str) -> None:
    """Refuse empty text: it is a missing id, sort value or kind, which Arrow reads as ''."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pt.is_string(field.type):
            empty = pc.sum(pc.equal(column, "")).as_py()
            if empty:
                raise DataError(
                    f"{name}: column {field.name!r} is empty in {empty} rows; every row needs an "
                    "id, and a sort value and kind where these are named: drop these rows or fill "
                    "them in"
                )


def _decompressed(file: pa.NativeFile, name: str) -> pa.NativeFile:
    return pa.CompressedInputStream(file, "gzip") if name.lower().endswith(".gz") else file


# A CSV file is one group.


def _describe(file: pa.NativeFile, name: str, size: int, reading: Reading) -> Description:
    del size, reading
    return Description(csv_schema(file, name), rows=0, groups=1)


def _scan(
    file: pa.NativeFile, name: str, size: int, reading: Reading, columns: ColumnRoles
) -> Description:
    del size, reading
    found = csv_schema(file, name)
    typed = value_types(found, columns)
    keys = [one if pt.is_null(one.type) else typed.field(one.name) for one in found]
    return Description(pa.schema(keys), rows=0, groups=1)


def _touches(window: Window, columns: ColumnRoles, reading: Reading, metadata: Any) -> bool:
    """Say that any file may hold rows of the window: only reading it tells."""
    del window, columns, reading, metadata
    return True


def _group_bounds(source: Source, index: int) -> list[GroupBounds]:
    return [GroupBounds(0, source.files[index].rows, None)]


def _read_groups(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int
) -> Iterator[pa.RecordBatch]:
    """Stream columns of a file; the size of batches follows from that of the parsed blocks."""
    del rows
    name = file_name(source, span.file)
    # 0 while they are being counted; the rows of a window are counted elsewhere
    counted = source.files[span.file].rows if source.window is None else 0
    with open_planned(source, span.file) as file:
        own = frozenset(csv_schema(file, name).names)
    wanted = [column for column in columns if column in own] or sorted(own)[:1]  # for its rows
    schema = _text_for_times(read_schema(source))
    with open_planned(source, span.file) as file:
        batches = read_csv(file, name, schema, wanted)
        yield from check_row_count(batches, counted, name) if counted else batches


def _text_for_times(schema: pa.Schema) -> pa.Schema:
    """The types to read: times as they are written, for :mod:`tidemill.sources.rows.times`."""
    fields = (
        field.with_type(pa.string()) if pt.is_timestamp(field.type) else field for field in schema
    )
    return pa.schema(list(fields))


CSV = Format(
    suffixes=(".csv", ".csv.gz"),
    is_self_describing=False,
    describe=_describe,
    touches=_touches,
    group_bounds=_group_bounds,
    read_groups=_read_groups,
    scan=_scan,
)
