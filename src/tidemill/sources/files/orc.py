"""ORC files; a group is a stripe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from tidemill.errors import SourceError
from tidemill.model.plan import GroupSpan
from tidemill.model.source import Reading, Source
from tidemill.sources.files.access import check_row_count, file_name, located, open_planned
from tidemill.sources.files.file_format import Description, Format, GroupBounds, any_times

__all__ = ["ORC"]


def _open(file: pa.NativeFile, name: str) -> Any:
    try:
        from pyarrow.orc import ORCFile
    except ImportError as error:
        raise SourceError(
            f"{name} cannot be read: this build of pyarrow has no ORC; install another, or write "
            "Parquet"
        ) from error
    return ORCFile(file)


def _describe(file: pa.NativeFile, name: str, size: int, reading: Reading) -> Description:
    del reading
    if not size:
        raise SourceError(f"{name} is empty: write it again, or remove it from the input")
    orc = _open(file, name)
    facts = f"{orc.nrows} {orc.nstripes} {orc.schema}".encode()
    return Description(orc.schema, orc.nrows, orc.nstripes, facts)


def _stripes(orc: Any, columns: Sequence[str], first: int, last: int) -> Iterator[pa.RecordBatch]:
    """Those of the columns that a file has; without any, the first, for the number of rows."""
    names = orc.schema.names
    own = frozenset(names)
    wanted = [name for name in columns if name in own] or names[:1]
    for stripe in range(first, last):
        yield orc.read_stripe(stripe, columns=wanted).select(wanted)


def _group_bounds(source: Source, index: int) -> Iterator[GroupBounds]:
    """The rows of every stripe; their ids have to be read."""
    name, groups = file_name(source, index), source.files[index].groups
    with located(name), open_planned(source, index) as file:
        for group, batch in enumerate(_stripes(_open(file, name), (), 0, groups)):
            yield GroupBounds(group, batch.num_rows, None)


def _read_groups(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int
) -> Iterator[pa.RecordBatch]:
    """Stream columns of some stripes, cut where they are longer than ``rows``."""
    name, planned = file_name(source, span.file), source.files[span.file]
    with located(name), open_planned(source, span.file) as file:
        batches = _stripes(_open(file, name), columns, span.first, span.last)
        if (span.first, span.last) == (0, planned.groups) and source.window is None:
            batches = check_row_count(batches, planned.rows, name)
        for batch in batches:
            for first in range(0, batch.num_rows, rows):
                yield batch.slice(first, rows)


ORC = Format(
    suffixes=(".orc",),
    is_self_describing=True,
    describe=_describe,
    time_spans=any_times,
    group_bounds=_group_bounds,
    read_groups=_read_groups,
)
