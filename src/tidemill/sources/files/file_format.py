"""What a file format has to provide; :mod:`tidemill.sources.files.formats` lists the formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from tidemill.model.plan import GroupSpan
from tidemill.model.source import ColumnRoles, Reading, Source, Window

__all__ = ["Description", "Format", "GroupBounds", "touches_perhaps"]


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a file without reading its rows, or after one pass over them."""

    schema: pa.Schema  # the file's own columns; scanned ones without any value have the type null
    rows: int  # 0 if only reading them tells
    groups: int  # parts of the file that can be read on their own
    footer: bytes = b""  # goes into the digest of files too large to be hashed in full
    metadata: Any = None  # for the format's own ``touches``
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
    touches: Callable[[Window, ColumnRoles, Reading, Any], bool]  # may it hold rows of the window?
    group_bounds: Callable[[Source, int], Iterable[GroupBounds]]  # of the file at this index
    # Those of the columns that the file has, of some groups, in batches of at most so many rows.
    read_groups: Callable[[Source, GroupSpan, Sequence[str], int], Iterator[pa.RecordBatch]]
    scan: Callable[[pa.NativeFile, str, int, Reading, ColumnRoles], Description] | None = None


def touches_perhaps(window: Window, columns: ColumnRoles, reading: Reading, metadata: Any) -> bool:
    """Say that any file may hold rows of the window, where only reading it tells."""
    del window, columns, reading, metadata
    return True
