"""Read input files as record batches, and parts as batches of complete ids.

One thread reads one part. Parquet comes column by column through small buffers, so that memory
does not depend on the size of a row group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.model.id_types import parse_type
from tidemill.model.plan import GroupSpan, Part, Plan
from tidemill.model.policies import Policies
from tidemill.model.series import Batch
from tidemill.model.source import ColumnRoles, Source
from tidemill.sources.files.access import file_name, located
from tidemill.sources.files.conform import conform
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.schema import concatenated, used_columns
from tidemill.sources.files.spill_files import read_spilled, row_width
from tidemill.sources.files.window_rows import inside, with_time
from tidemill.sources.rows.assemble import assemble
from tidemill.sources.rows.casts import normal_ids, sound_ids
from tidemill.sources.rows.composite_ids import join_ids
from tidemill.sources.rows.id_keys import read_keys
from tidemill.sources.rows.join_kinds import join_kinds

__all__ = ["batch_rows", "read_part", "read_span", "select_rows", "to_batch"]

#: Most rows of a batch, and most bytes, which count where there are many columns.
BATCH_ROWS = 2**20
BATCH_BYTES = 64 * 2**20


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
                plan.source, plan.policies, table, plan.source.shown, needs_times=needs_times
            )
        return
    for where, table in _complete_tables(plan.source, part):
        yield to_batch(plan.source, plan.policies, table, where, needs_times=needs_times)


def batch_rows(source: Source) -> int:
    """Rows of a batch of about 64 MiB, at most ``2**20``."""
    return max(1, min(BATCH_ROWS, BATCH_BYTES // row_width(source)))


def read_span(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Stream columns of some groups of one file, in batches of at most ``rows`` rows.

    If the source has a window, only its rows are read. Several id columns are joined into one.
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
    """Join the id columns of a batch into one."""
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
    batches = FORMATS[source.format].read_groups(source, span, columns, rows)
    with located(file_name(source, span.file)):
        yield from conform(source, span.file, batches, columns)


# Clustered parts: row group after row group, the last id held back


def _complete_tables(source: Source, part: Part) -> Iterator[tuple[str, pa.Table]]:
    """Tables of complete ids; ranges of row groups share at most one id (see planning)."""
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
                yield where, concatenated(closed)
                closed = []
    if closed or open_:
        yield where, concatenated(closed + open_)


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
    """Select the rows where ``mask`` is true; a view if they are contiguous."""
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
    """Make series of a table of complete ids.

    A row whose file lacks a column of values is no row of that kind: kinds that lack different rows
    are assembled one after the other, and joined.
    """
    groups = _by_missing_rows(source, table)
    if len(groups) == 1 and groups[0][1] is None:
        return _assembled(source, policies, table, source.columns.values, where, needs_times)
    batches = [
        _assembled(
            source,
            policies,
            table if missing is None else table.filter(pa.array(~missing)),
            names,
            where,
            needs_times,
        )
        for names, missing in groups
    ]
    joined = join_kinds(batches, source.kinds, _all_keys(source, table))
    return replace(joined, input_rows=table.num_rows)


def _all_keys(source: Source, table: pa.Table) -> pa.Array:
    """The ids of all rows; composite ones as text."""
    name = source.columns.key
    sound = sound_ids(table.column(name), name).unique()
    return normal_ids(sound, name)


def _by_missing_rows(
    source: Source, table: pa.Table
) -> list[tuple[tuple[str, ...], npt.NDArray[np.bool_] | None]]:
    """Groups of value columns, and the rows that all columns of each lack; None: none."""
    groups: dict[bytes, tuple[list[str], npt.NDArray[np.bool_] | None]] = {}
    lacking = frozenset(source.lacking)
    for name in source.columns.values:
        missing = None
        if name in lacking and table.column(name).null_count:
            missing = table.column(name).is_null().combine_chunks().to_numpy(zero_copy_only=False)
        key = b"" if missing is None else np.packbits(missing).tobytes()
        groups.setdefault(key, ([], missing))[0].append(name)
    return [(tuple(names), missing) for names, missing in groups.values()]


def _assembled(
    source: Source,
    policies: Policies,
    table: pa.Table,
    values: Sequence[str],
    where: str,
    needs_times: bool,  # noqa: FBT001 (private)
) -> Batch:
    """Series of some columns of values."""
    columns = source.columns
    several = len(columns.ids) > 1
    return assemble(
        table.column(columns.key),
        table.column(columns.sort) if columns.sort is not None else None,
        table.column(columns.kind) if columns.kind is not None else None,
        {name: table.column(name) for name in values},
        kinds=source.kinds if columns.kind is not None else tuple(values),
        policies=policies,
        needs_times=needs_times,
        where=where,
        names=replace(columns, values=tuple(values)),
        id_types=[parse_type(name) for name in source.id_types] if several else (),
    )
