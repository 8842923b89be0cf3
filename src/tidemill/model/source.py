"""The input of a run: its files, the roles of its columns, and its time window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ColumnRoles", "Source", "SourceFile", "Window"]


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """The roles of the input's columns."""

    id: str | tuple[str, ...]  # several columns may make up an id
    sort: str | None
    kind: str | None  # long format only
    values: tuple[str, ...]  # wide: one per kind, in column order; long: exactly one

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that make up an id."""
        return (self.id,) if isinstance(self.id, str) else self.id

    @property
    def key(self) -> str:
        """The single id column in memory: :mod:`tidemill.model.ids` joins several into one.

        Examples
        --------
        >>> ColumnRoles(("plant", "sensor"), None, None, ("x",)).key
        '(plant, sensor)'
        """
        return self.id if isinstance(self.id, str) else f"({', '.join(self.id)})"


@dataclass(frozen=True, slots=True)
class Window:
    """The rows to read: those whose sort value is in ``[first, stop)``, in its own unit."""

    first: int
    stop: int
    unit: str  # "s", "ms", "us" or "ns", since 1970 in UTC


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One input file and what identifies its content."""

    path: str  # relative to Source.url
    size: int  # bytes
    version: str  # etag, or modification time in nanoseconds
    digest: str  # of the Parquet footer; of the whole file for CSV
    rows: int  # of the window, if there is one
    groups: int  # row groups (Parquet) or record batches (Arrow IPC)


@dataclass(frozen=True, slots=True)
class Source:
    """The input of a run: files with one schema."""

    url: str  # folder or object-store prefix of the paths
    format: str  # "parquet" or "csv"
    files: tuple[SourceFile, ...]
    columns: ColumnRoles
    id_type: str | tuple[str, ...]  # Arrow type of the id column or columns, as written to the sink
    kinds: tuple[str, ...]  # column order (wide) or sorted (long)
    storage_options: Mapping[str, str]  # option -> name of the environment variable that holds it
    fingerprint: str  # sha256 over files and columns
    schema: str = ""  # of the used columns as they are read: Arrow IPC, base64
    window: Window | None = None  # None: all rows are read

    @property
    def id_types(self) -> tuple[str, ...]:
        """The types of the columns that make up an id."""
        return (self.id_type,) if isinstance(self.id_type, str) else self.id_type

    @property
    def rows(self) -> int:
        """Rows of all files: by the footers, or as counted (CSV)."""
        return sum(file.rows for file in self.files)
