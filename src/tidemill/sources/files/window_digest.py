"""Read the window of an interval once, to count and identify its rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

import pyarrow as pa

from tidemill.model.digests import RowSum, table_sum
from tidemill.model.plan import GroupSpan
from tidemill.model.source import Source
from tidemill.sources.files.fingerprint import in_threads
from tidemill.sources.files.open import kinds_of, with_kinds
from tidemill.sources.files.read import read_span
from tidemill.sources.files.schema import input_columns
from tidemill.storage.stores import Store

__all__ = ["read_window"]


def read_window(source: Source) -> Source:
    """Read the rows of a window once: their number, their kinds, and what identifies them.

    The fingerprint depends on the rows only, not on their order or files.
    """
    store = Store.open(source.url, source.storage_options)
    scanned = in_threads(lambda i: _scan_window(source, i), range(len(source.files)), store)
    sums = [total for total, _ in scanned]
    files = [replace(f, rows=total.rows) for f, total in zip(source.files, sums, strict=True)]
    total = sum(sums, start=RowSum())
    facts = [total.text, asdict(source.columns), source.id_type]
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
        total += table_sum(batch)
        if column is not None:
            kinds = pa.concat_arrays([kinds, kinds_of(source, index, batch)]).unique()
    return total, set(kinds.to_pylist())
