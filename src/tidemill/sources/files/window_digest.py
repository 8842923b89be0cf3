"""Read the window of an interval once, to count and identify its rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import pyarrow as pa

from tidemill.model.digests import RowSum, table_sum
from tidemill.model.plan import GroupSpan
from tidemill.model.source import Source
from tidemill.sources.files.open import check_keys, kinds_of, scan_files, with_kinds
from tidemill.sources.files.read import read_span
from tidemill.sources.files.schema import input_columns

__all__ = ["read_window"]


def read_window(source: Source) -> Source:
    """Read the rows of a window once: their number, their kinds, and what identifies them.

    The fingerprint depends on the rows only, not on their order or files. Bad files are set aside
    if the source says so.
    """
    scanned, source = scan_files(source, lambda index: _scan_window(source, index))
    sums = [total for total, _ in scanned]
    files = [replace(f, rows=total.rows) for f, total in zip(source.files, sums, strict=True)]
    total = sum(sums, start=RowSum())
    facts: list[object] = [total.text, asdict(source.columns), source.id_type]
    if source.reading.given:
        facts.append(source.reading.given)
    source = replace(
        source,
        files=tuple(files),
        fingerprint=hashlib.sha256(json.dumps(facts).encode()).hexdigest(),
    )
    return with_kinds(source, set().union(*(kinds for _, kinds in scanned)))


def _scan_window(source: Source, index: int) -> tuple[RowSum, set[str]]:
    total, kinds = RowSum(), pa.array([], pa.string())
    column = source.columns.kind
    span = GroupSpan(index, 0, source.files[index].groups)
    for batch in read_span(source, span, input_columns(source.columns)):
        check_keys(source, index, batch)
        total += table_sum(_own_columns(source, batch))
        if column is not None:
            kinds = pa.concat_arrays([kinds, kinds_of(source, index, batch)]).unique()
    return total, set(kinds.to_pylist())


def _own_columns(source: Source, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without the columns that its file lacks: other files do not change its digest."""
    lacked = {name for name in source.lacking if batch.column(name).null_count == batch.num_rows}
    names = [name for name in batch.schema.names if name not in lacked]
    return batch.select(names) if lacked else batch
