"""What a file format has to provide; :mod:`tidemill.sources.files.formats` lists the formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from tidemill.model.plan import GroupSpan
from tidemill.model.source import ColumnRoles, Reading, Source

__all__ = ["Description", "Format", "GroupBounds", "TimeBounds", "any_times"]

#: The first and the last time of some rows, or bounds of these: nanoseconds since 1970 in UTC.
TimeBounds: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a file without reading its rows, or after one pass over them."""

    schema: pa.Schema  # the file's own columns; scanned ones without any value have the type null
    rows: int  # 0 if only reading them tells
    groups: int  # parts of the file that can be read on their own
    footer: bytes = b""  # goes into the digest of files too large to be hashed in full
    metadata: Any = None  # for the format's own ``time_spans``
    kinds: frozenset[str] | None = None  # of the long format, if the rows were read


class GroupBounds(NamedTuple):
    """One group of a file and the keys between which its ids lie."""

    group: int
    rows: int
    bounds: tuple[Any, ...] | None  # lower, upper, optionally is_wide; None: read the ids


@dataclass(frozen=True, slots=True)
class Format:
    """One file format, as functions; a file is divided into groups, numbered from 0.

    A file that is self-describing states the types and the number of its rows. Of others,
    ``describe`` tells only the names of columns, and ``scan`` reads all rows for the types that
    their roles allow.
    """

    suffixes: tuple[str, ...]  # of file names, in lower case
    is_self_describing: bool
    describe: Callable[[pa.NativeFile, str, int, Reading], Description]  # file, name, bytes
    # Of each group, by the description's metadata; None: only reading it tells.
    time_spans: Callable[[ColumnRoles, Reading, Any], Sequence[TimeBounds | None]]
    group_bounds: Callable[[Source, int], Iterable[GroupBounds]]  # of the file at this index
    # Those of the columns that the file has, of some groups, in batches of at most so many rows.
    read_groups: Callable[[Source, GroupSpan, Sequence[str], int], Iterator[pa.RecordBatch]]
    scan: Callable[[pa.NativeFile, str, int, Reading, ColumnRoles], Description] | None = None


def any_times(columns: ColumnRoles, reading: Reading, metadata: Any) -> Sequence[TimeBounds | None]:
    """Say that a file may hold rows of any time, where only reading it tells."""
    del columns, reading, metadata
    return (None,)
