"""Arrow IPC files (Feather) and streams; a group is a record batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from tidemill.errors import SourceError
from tidemill.model.plan import GroupSpan
from tidemill.model.source import Reading, Source
from tidemill.sources.files.access import check_row_count, file_name, located, open_planned
from tidemill.sources.files.file_format import Description, Format, GroupBounds, any_times

__all__ = ["ARROW_IPC"]

#: The first bytes of files whose batches can be read in any order; streams have none.
FILE_MARK = b"ARROW1"
#: The end of a stream.
END = b"\xff\xff\xff\xff\0\0\0\0"
#: The first bytes of Feather's first version, which is no Arrow IPC.
OLD_MARK = b"FEA1"


def _batches(
    file: pa.NativeFile, columns: Sequence[str] | None, first: int, last: int | None
) -> Iterator[pa.RecordBatch]:
    """Record batches ``first`` to ``last`` (exclusive) with those of the columns that it has.

    Without any of them, and with None, a batch has the first column, for the number of rows.
    """
    if not _starts_with(file, FILE_MARK):
        with pa.ipc.open_stream(file) as stream:
            names = _present(stream.schema, columns)
            for place, batch in enumerate(stream):
                if place >= first and (last is None or place < last):
                    yield batch.select(names)
        return
    with pa.ipc.open_file(file) as reader:
        names, schema = _present(reader.schema, columns), reader.schema
    options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(one) for one in names])
    file.seek(0)
    with pa.ipc.open_file(file, options=options) as reader:
        for place in range(first, reader.num_record_batches if last is None else last):
            yield reader.get_batch(place).select(names)


def _starts_with(file: pa.NativeFile, mark: bytes) -> bool:
    file.seek(0)
    start = file.read(len(mark))
    file.seek(0)
    return bool(start == mark)


def _present(schema: pa.Schema, columns: Sequence[str] | None) -> list[str]:
    own = frozenset(schema.names)
    return [name for name in columns or () if name in own] or schema.names[:1]


def _schema(file: pa.NativeFile) -> pa.Schema:
    opened = pa.ipc.open_file if _starts_with(file, FILE_MARK) else pa.ipc.open_stream
    with opened(file) as reader:
        return reader.schema


def _describe(file: pa.NativeFile, name: str, size: int, reading: Reading) -> Description:
    """Schema and rows; the batches are looked at, as nothing else tells their rows."""
    del reading
    if _starts_with(file, OLD_MARK):
        raise SourceError(f"{name} is of Feather's first version: write it again with version 2")
    if not size:
        raise SourceError(f"{name} is empty: write it again, or remove it from the input")
    _refuse_open_end(file, name, size)
    rows = [batch.num_rows for batch in _batches(file, None, 0, None)]
    file.seek(0)
    schema = _schema(file)
    return Description(schema, sum(rows), len(rows), str(rows).encode(), tuple(rows))


def _refuse_open_end(file: pa.NativeFile, name: str, size: int) -> None:
    """Refuse a stream without its end: Arrow takes one that was cut between batches for whole."""
    if _starts_with(file, FILE_MARK):
        return
    file.seek(max(size - len(END), 0))
    end = file.read()
    file.seek(0)
    if end != END:
        raise SourceError(
            f"{name} does not end like an Arrow stream: it is cut off or something else; write it "
            "again, or remove it from the input"
        )


def _group_bounds(source: Source, index: int) -> Iterator[GroupBounds]:
    """The rows of every batch; their ids have to be read."""
    name, groups = file_name(source, index), source.files[index].groups
    with located(name), open_planned(source, index) as file:
        for group, batch in enumerate(_batches(file, None, 0, groups)):
            yield GroupBounds(group, batch.num_rows, None)


def _read_groups(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int
) -> Iterator[pa.RecordBatch]:
    """Stream columns of some batches, cut where they are longer than ``rows``."""
    name, planned = file_name(source, span.file), source.files[span.file]
    with located(name), open_planned(source, span.file) as file:
        batches = _batches(file, columns, span.first, span.last)
        if (span.first, span.last) == (0, planned.groups) and source.window is None:
            batches = check_row_count(batches, planned.rows, name)
        for batch in batches:
            for first in range(0, batch.num_rows, rows):
                yield batch.slice(first, rows)


ARROW_IPC = Format(
    suffixes=(".feather", ".arrow", ".arrows", ".ipc"),
    is_self_describing=True,
    describe=_describe,
    time_spans=any_times,
    group_bounds=_group_bounds,
    read_groups=_read_groups,
)
