"""The files that a table shows, as its log tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable

from tidemill.storage.delta import INTERVAL

__all__ = ["ShownFile", "shown_files"]


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file that a table shows, and what is recorded of it."""

    path: str  # below the table's folder
    bytes: int
    rows: int | None  # None: not known
    interval: str = ""  # name; "": the table has none
    checksum: str = ""  # SHA-256; "": not known


def shown_files(table: DeltaTable) -> Iterator[ShownFile]:
    """The files of a table's version; their checksums are not in its log."""
    actions = pa.table(table.get_add_actions(flatten=True))
    unknown = [None] * len(actions)
    names = ("path", "size_bytes", "num_records", f"partition.{INTERVAL}")
    columns = (
        actions[one].to_pylist() if one in actions.schema.names else unknown for one in names
    )
    for path, size, rows, interval in zip(*columns, strict=True):
        yield ShownFile(path, size, rows, interval or "")
