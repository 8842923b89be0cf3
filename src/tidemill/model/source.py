"""The input of a run: its files, the roles of its columns, and its time window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

__all__ = ["BadFile", "ColumnRoles", "Reading", "Source", "SourceFile", "Window"]


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
class Reading:
    """How to read files that do not say so themselves; None: told from their first lines."""

    csv_delimiter: str | None = None
    csv_decimal: str | None = None
    csv_thousands: str | None = None
    csv_encoding: str | None = None
    csv_comment: str | None = None
    csv_null: tuple[str, ...] = ()  # further words for a missing value
    columns: tuple[str, ...] = ()  # names of the columns of files without a header
    time_format: str | None = None  # of times that are text, in strptime's directives
    time_unit: str | None = None  # of times that are integers since 1970: "s", "ms", "us", "ns"
    input_timezone: str | None = None  # of times without a zone; None: UTC
    id_from_path: str | None = None  # pattern with column names, such as "{site}/{id}.csv"
    on_bad_file: str = "raise"  # or "quarantine"

    @property
    def given(self) -> dict[str, Any]:
        """What is set and can change the rows that are read.

        Examples
        --------
        >>> Reading(csv_decimal=",", on_bad_file="quarantine").given
        {'csv_decimal': ','}
        """
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: v for name, v in values.items() if v and name != "on_bad_file"}


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file of the input that cannot be read and was left out."""

    path: str  # relative to Source.url
    size: int  # bytes
    identity: str  # its digest, or if it could not be described, its version
    reason: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One input file and what identifies its content."""

    path: str  # relative to Source.url
    size: int  # bytes
    version: str  # etag, or modification time in nanoseconds
    digest: str  # of the Parquet footer; of the whole file for CSV
    rows: int  # of the window, if there is one
    groups: int  # row groups (Parquet) or record batches (Arrow IPC)
    # Columns of one value each, as text: from the names of folders, a table's log, or the path.
    constants: tuple[tuple[str, str | None], ...] = ()
    state: str = ""  # host, inode and ctime of a local file: for this run, not for its result


@dataclass(frozen=True, slots=True)
class Source:
    """The input of a run: files, and the union of their schemas."""

    url: str  # folder or object-store prefix of the paths
    format: str  # a name in tidemill.sources.files.formats
    files: tuple[SourceFile, ...]
    columns: ColumnRoles
    id_type: str | tuple[str, ...]  # Arrow type of the id column or columns, as written to the sink
    kinds: tuple[str, ...]  # column order (wide) or sorted (long)
    storage_options: Mapping[str, str]  # option -> name of the environment variable that holds it
    fingerprint: str  # sha256 over files and columns
    schema: str = ""  # of the used columns in memory, whatever the files hold: Arrow IPC, base64
    window: Window | None = None  # None: all rows are read
    lacking: tuple[str, ...] = ()  # value columns that some file lacks: null there, else NaN
    reading: Reading = Reading()
    bad_files: tuple[BadFile, ...] = ()  # left out
    origin: str = ""  # the database that the files are a snapshot of; "": they are the input

    @property
    def shown(self) -> str:
        """How messages and records name the input."""
        return self.origin or self.url

    @property
    def id_types(self) -> tuple[str, ...]:
        """The types of the columns that make up an id."""
        return (self.id_type,) if isinstance(self.id_type, str) else self.id_type

    @property
    def rows(self) -> int:
        """Rows of all files: by the footers, or as counted (CSV)."""
        return sum(file.rows for file in self.files)
