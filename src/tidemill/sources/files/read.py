"""Read input files as record batches, and parts as batches of complete ids.

One thread reads one part. Parquet comes column by column through small buffers, so that memory
does not depend on the size of a row group.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tidemill.errors import DataError, SourceChangedError, SourceError
from tidemill.model.id_types import parse_type
from tidemill.model.plan import GroupSpan, Part, Plan
from tidemill.model.policies import Policies
from tidemill.model.series import Batch
from tidemill.model.source import ColumnRoles, Source
from tidemill.sources.files.csv import read_csv
from tidemill.sources.files.fingerprint import check_file_unchanged
from tidemill.sources.files.spill_files import read_spilled, row_width
from tidemill.sources.files.window_rows import covers, inside, with_time
from tidemill.sources.rows.assemble import assemble
from tidemill.sources.rows.composite_ids import join_ids
from tidemill.sources.rows.id_keys import read_keys
from tidemill.storage.stores import Store

__all__ = [
    "batch_rows",
    "counts",
    "file_name",
    "input_columns",
    "memory_schema",
    "open_parquet",
    "read_part",
    "read_span",
    "time_zone",
    "to_batch",
    "used_columns",
]

#: The time zone of timestamps that have none.
NAIVE = "naive, taken as UTC"
#: Rows of a batch, and bytes that lower them where there are many columns.
BATCH_ROWS = 2**20
BATCH_BYTES = 64 * 2**20
#: Bytes that one column reads ahead in a local file; measured: 2**16 is 10 % slower.
LOCAL_BUFFER = 2**20
REMOTE_BUFFER = 2**23


def read_part(
    plan: Plan, part: Part, spill_dir: str | None = None, *, needs_times: bool
) -> Iterator[Batch]:
    """Stream one part as batches of complete ids, ascending from batch to batch.

    Parameters
    ----------
    plan, part : what to read
    spill_dir : folder of the partition step; needed if ``plan.layout`` is ``"spilled"``
    needs_times : keep the sort column in the blocks

    Yields
    ------
    Batch
        About ``2**20`` rows, or a whole row group or id where these are larger; in the
        spilled layout all rows of the part. Over all parts of a plan, ``input_rows`` adds up to
        the rows of the input.

    Raises
    ------
    SourceChangedError
        If a file changed since the plan.
    DataError
        If the rows break a policy; the message names file and column.
    """
    if plan.layout == "spilled":
        table = read_spilled(plan, part, spill_dir)
        if table.num_rows:
            yield to_batch(
                plan.source, plan.policies, table, plan.source.url, needs_times=needs_times
            )
        return
    for where, table in _complete_tables(plan.source, part):
        yield to_batch(plan.source, plan.policies, table, where, needs_times=needs_times)


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
    """What the times of an input are in; "" where the sort column holds no timestamps."""
    if source.columns.sort is None:
        return ""
    type_ = read_schema(source).field(source.columns.sort).type
    return (type_.tz or NAIVE) if pt.is_timestamp(type_) else ""


def memory_schema(source: Source) -> pa.Schema:
    """Names and plain types of the columns in memory: a composite id is one of text."""
    schema = read_schema(source)
    if len(source.columns.ids) == 1:
        return schema
    others = (schema.field(name) for name in _other_columns(source.columns))
    return pa.schema([pa.field(source.columns.key, pa.string()), *others])


def batch_rows(source: Source) -> int:
    """Rows of a batch of about 64 MiB, at most ``2**20``."""
    return max(1, min(BATCH_ROWS, BATCH_BYTES // row_width(source)))


def file_name(source: Source, index: int) -> str:
    """Full path or URL of an input file."""
    return f"{source.url}/{source.files[index].path}"


def read_span(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Stream columns of some groups of one file, in batches of at most ``rows`` rows.

    Of a source with a window these are the rows of the window. Several columns of ids come as one.
    """
    roles = source.columns
    if len(roles.ids) == 1 or roles.key not in columns:
        yield from _read_rows(source, span, columns, rows)
        return
    others = [name for name in columns if name != roles.key]
    with located(file_name(source, span.file)):
        for batch in _read_rows(source, span, [*roles.ids, *others], rows):
            yield _with_key(batch, roles, columns)


def _with_key(batch: pa.RecordBatch, roles: ColumnRoles, columns: Sequence[str]) -> pa.RecordBatch:
    """The batch with its columns of ids joined into one."""
    ids = join_ids([batch.column(name) for name in roles.ids], roles.ids)
    arrays = [ids if name == roles.key else batch.column(name) for name in columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _read_rows(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int | None
) -> Iterator[pa.RecordBatch]:
    if source.window is None:
        yield from _read_span(source, span, columns, rows)
    else:
        names = with_time(columns, source.columns)
        with located(file_name(source, span.file)):
            batches = _read_span(source, span, names, rows)
            yield from inside(source.window, batches, columns, source.columns)


def _read_span(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int | None
) -> Iterator[pa.RecordBatch]:
    rows = rows or batch_rows(source)
    name = file_name(source, span.file)
    if source.format == "csv":
        # 0 while they are being counted; those of a window are counted elsewhere
        counted = source.files[span.file].rows if source.window is None else 0
        with _opened(source, span.file) as file:
            batches = read_csv(file, name, read_schema(source), columns)
            yield from _counted(batches, counted, name) if counted else batches
        return
    with located(name), open_parquet(source, span.file) as parquet:
        for group in range(span.first, span.last):
            if counts(source, parquet.metadata.row_group(group)) is False:
                continue
            batches = parquet.iter_batches(rows, [group], list(columns), use_threads=False)
            yield from _counted(batches, parquet.metadata.row_group(group).num_rows, name)


def counts(source: Source, group: pq.RowGroupMetaData) -> bool | None:
    """Whether all rows of a row group count, or none; None if only reading them tells."""
    if source.window is None:
        return True
    return covers(source.window, group, str(source.columns.sort))


def _counted(batches: Iterator[pa.RecordBatch], n_rows: int, name: str) -> Iterator[pa.RecordBatch]:
    """Pass batches on; they must have ``n_rows`` rows in all."""
    read = 0
    for batch in batches:
        read += batch.num_rows
        yield batch
    if read != n_rows:
        raise SourceError(
            f"{name} gave {read} rows where it should have {n_rows}; the file is damaged: write "
            "it anew, or take it out of the input"
        )


@contextmanager
def open_parquet(source: Source, index: int) -> Iterator[pq.ParquetFile]:
    """One input file, opened so that memory stays flat; string ids come as dictionaries."""
    local = "://" not in source.url
    schema = read_schema(source)
    keys = [name for name in (*source.columns.ids, source.columns.kind) if name is not None]
    coded = [name for name in keys if pt.is_string(schema.field(name).type)]
    with (
        _opened(source, index) as file,
        pq.ParquetFile(
            file,
            read_dictionary=coded,
            pre_buffer=False,
            buffer_size=LOCAL_BUFFER if local else REMOTE_BUFFER,
        ) as parquet,
    ):
        yield parquet


@contextmanager
def _opened(source: Source, index: int) -> Iterator[pa.NativeFile]:
    """One input file as it was planned; what fails because it changed meanwhile says so."""
    planned = source.files[index]
    store = Store.open(source.url, source.storage_options)
    try:
        file = store.open_input(planned.path)
    except FileNotFoundError as error:
        name = file_name(source, index)
        raise SourceChangedError(f"{name} is gone since the run was planned") from error
    with file:
        check_file_unchanged(store, planned)
        try:
            yield file
        except (pa.ArrowException, OSError, SourceError, DataError):
            # Bytes of two versions do not fit together; they say nothing about either.
            check_file_unchanged(store, planned)
            raise


@contextmanager
def located(where: str) -> Iterator[None]:
    """Name the file in errors that come from inside it."""
    try:
        yield
    except (SourceError, DataError) as error:
        if str(error).startswith(where):
            raise
        raise type(error)(f"{where}: {error}") from error
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{where} cannot be read ({error}); the file is damaged or incomplete: write it "
            "anew, or take it out of the input"
        ) from error


# Clustered parts: row group after row group, the last id held back


def _complete_tables(source: Source, part: Part) -> Iterator[tuple[str, pa.Table]]:
    """Tables of complete ids. Ranges of row groups touch at most at one id (see planning)."""
    limit = batch_rows(source)
    closed: list[pa.Table] = []
    open_: list[pa.Table] = []
    open_key: object = None
    where = source.url
    for span in part.spans:
        where = file_name(source, span.file)
        for group in range(span.first, span.last):
            rows = _group_rows(source, GroupSpan(span.file, group, group + 1), part)
            if rows is None:
                continue
            below, last, key = _split_last(rows, source.columns.key)
            if key != open_key:
                closed, open_, open_key = closed + open_, [], key
            closed.append(below)
            open_.append(last)
            if sum(table.num_rows for table in closed) >= limit:
                yield where, pa.concat_tables(closed)
                closed = []
    if closed or open_:
        yield where, pa.concat_tables(closed + open_)


def _group_rows(source: Source, span: GroupSpan, part: Part) -> pa.Table | None:
    """The rows of one row group whose ids lie in the part's range; None if there are none."""
    names = used_columns(source.columns)
    kept: list[pa.RecordBatch] = []
    for batch in read_span(source, span, names):
        ids = batch.column(source.columns.key)
        mask = read_keys(ids, source.columns.key).within(part.lower, part.upper)
        rows = batch if mask is None else select_rows(batch, mask)
        if rows.num_rows:  # an empty slice would keep all rows of its batch in memory
            kept.append(rows)
    if not kept:
        return None
    return pa.Table.from_batches(kept).select(names).unify_dictionaries()


def select_rows(batch: pa.RecordBatch, mask: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """The rows where ``mask`` is true; a view if they lie together."""
    rows = int(np.count_nonzero(mask))
    first = int(mask.argmax()) if rows else 0
    if rows == 0 or mask[first : first + rows].all():
        return batch.slice(first, rows)
    return batch.filter(pa.array(mask))


def _split_last(table: pa.Table, column: str) -> tuple[pa.Table, pa.Table, object]:
    """Rows below the highest id, its rows, and its key."""
    key, mask = read_keys(table.column(column), column).last()
    rows = int(np.count_nonzero(mask))
    if mask[len(mask) - rows :].all():
        cut = len(mask) - rows
        return table.slice(0, cut), table.slice(cut), key
    return table.filter(pa.array(~mask)), table.filter(pa.array(mask)), key


def to_batch(
    source: Source, policies: Policies, table: pa.Table, where: str, *, needs_times: bool
) -> Batch:
    """The series of a table of complete ids."""
    columns = source.columns
    several = len(columns.ids) > 1
    return assemble(
        table.column(columns.key),
        table.column(columns.sort) if columns.sort is not None else None,
        table.column(columns.kind) if columns.kind is not None else None,
        {name: table.column(name) for name in columns.values},
        kinds=source.kinds,
        policies=policies,
        needs_times=needs_times,
        where=where,
        names=columns,
        id_types=[parse_type(name) for name in source.id_types] if several else (),
    )
