"""The names of all files below a sink.

A Delta table holds its parts, and tidemill's state beside them::

    <sink>/part-<key16>-<index>-<unique>.parquet     a part
    <sink>/_delta_log/                                Delta's
    <sink>/_tidemill/                                 state: ignored by Delta readers and vacuum

A single file has its state, and its parts until it is published, in a folder beside it::

    <folder>/<name>.parquet
    <folder>/_<name>.parquet.tidemill/                state
    <folder>/_<name>.parquet.tidemill/parts-<key16>/  parts

The state is the same in both::

    lease/<generation>.json                           who writes the sink
    lease/<interval>/<generation>.json                who works on one of its intervals
    published.json
    dropped.json                                      which intervals were dropped on purpose
    records/<started>-<run id>.json
    reports/<run id>.html                             the report of a run, for people
    untold/<flow run id>.json                         which process a run is, or how it ended
    intervals/<interval>.json                         what its published rows were made from
    figures/<interval>.npz                            mean, spread and NaN of its columns
    coverage/<interval>.arrow                         number of its values per id and kind
    keys/<key16>/plan.json
    keys/<key16>/parts/<index>-<n>.json               commit markers; the highest n counts
    keys/<key16>/coverage/<index>-<unique>.arrow      values per id and kind of a part
    keys/<key16>/attempts/<index>-<unique>.json       attempt marks
    keys/<key16>/work/                                what the partition step spills
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

from tidemill.errors import SinkError
from tidemill.storage.stores import Store

__all__ = ["KeyLayout", "SinkLayout"]

FILE_SUFFIXES = (".parquet", ".csv")

_INDEXED = re.compile(r"(?:.*/)?(\d+)-([0-9a-f]+)\.json")
_PART = re.compile(r"(?:.*/)?part-([0-9a-f]{1,16})-(\d+)-[0-9a-f]+\.parquet")


@dataclass(frozen=True, slots=True)
class SinkLayout:
    """Paths of one sink's files."""

    url: str  # the sink: folder of a Delta table, or one file
    kind: Literal["delta", "file"]
    home: Store  # delta: the table's folder; file: the folder that holds the file
    state: Store  # tidemill's own files
    name: str  # file sinks: the file's name in ``home``; "" for a Delta table

    @classmethod
    def of(
        cls, sink: str | os.PathLike[str], storage_options: Mapping[str, str] | None = None
    ) -> Self:
        """The layout of a sink; nothing is read or written.

        Raises
        ------
        SinkError
            If the sink has no name, such as the root of a bucket or of the file system.
        ArgumentError
            If the URL or the storage options cannot be used.

        Examples
        --------
        >>> SinkLayout.of("/data/matrix").state
        Store('/data/matrix/_tidemill')
        >>> SinkLayout.of("s3://bucket/x/matrix.csv").state
        Store('s3://bucket/x/_matrix.csv.tidemill')
        """
        whole = Store.open(sink, storage_options)
        folder, slash, name = whole.url.rpartition("/")
        if not slash or not name or folder.endswith(":/"):
            raise SinkError(
                f"the sink {whole.url!r} has no name of its own; give a folder or a file below it"
            )
        if not name.lower().endswith(FILE_SUFFIXES):
            return cls(whole.url, "delta", whole, whole.child("_tidemill"), "")
        home = Store(folder or "/", storage_options)
        return cls(whole.url, "file", home, home.child(f"_{name}.tidemill"), name)

    @property
    def format(self) -> Literal["delta", "parquet", "csv"]:
        """Format in which the sink is written."""
        if self.kind == "delta":
            return "delta"
        return "csv" if self.name.lower().endswith(".csv") else "parquet"

    @property
    def lease(self) -> Store:
        """Folder of the lease's generations; its requests end long before a lease is stale."""
        return self.state.child("lease").impatient()

    def lease_of(self, interval: str | None) -> Store:
        """Folder of the lease of one interval, or of the whole sink."""
        return self.lease.child(interval) if interval else self.lease

    @property
    def records(self) -> Store:
        """Folder of the run records."""
        return self.state.child("records")

    @property
    def reports(self) -> Store:
        """Folder of the reports of runs, HTML files for people."""
        return self.state.child("reports")

    @property
    def untold(self) -> Store:
        """Folder of ends of runs that Prefect's server could not be told."""
        return self.state.child("untold")

    @property
    def intervals(self) -> Store:
        """Folder of the records of published intervals."""
        return self.state.child("intervals")

    @property
    def figures(self) -> Store:
        """Folder of the column figures of published intervals."""
        return self.state.child("figures")

    @property
    def coverage(self) -> Store:
        """Folder of the values per id and kind of published intervals."""
        return self.state.child("coverage")

    @property
    def spill_prefix(self) -> str:
        """What the names of its spill folders in a work folder start with; sinks may share one."""
        return f"tidemill-{hashlib.sha256(self.url.encode()).hexdigest()[:8]}-"

    @property
    def published(self) -> str:
        """Path below ``state`` of the pointer to the last published result."""
        return "published.json"

    def key(self, result_key: str) -> KeyLayout:
        """The layout of one result."""
        parts = self.home
        if self.kind == "file":
            parts = self.state.child(f"parts-{result_key[:16]}")
        return KeyLayout(result_key, self.state.child(f"keys/{result_key[:16]}"), parts)

    def forget(self, keep: str) -> None:
        """Delete the state of all results but the one with the result key ``keep``.

        Markers go first: they mean nothing without their plan. Part files in a Delta table stay,
        because its history may still show them; a full vacuum deletes them in time.
        """
        keys = self.state.child("keys")
        for folder in keys.folder()[1]:
            if folder != keep[:16]:
                keys.delete_all(f"{folder}/{KeyLayout.markers}")
                keys.delete_all(folder)
        for folder in self.state.folder()[1]:
            if folder.startswith("parts-") and folder != f"parts-{keep[:16]}":
                self.state.delete_all(folder)


@dataclass(frozen=True, slots=True)
class KeyLayout:
    """Paths of the files of one result (one ``result_key``).

    Examples
    --------
    >>> key = SinkLayout.of("/data/matrix").key("0123456789abcdef" * 4)
    >>> key.marker(3, 0), key.marker(3, 1)
    ('parts/000003-0.json', 'parts/000003-1.json')
    >>> key.is_part("part-0123456789abcdef-000003-9f.parquet"), key.is_part("other.parquet")
    (True, False)
    """

    result_key: str
    state: Store  # markers, attempts, plan
    data: Store  # the part files

    plan = "plan.json"
    markers = "parts"
    attempts = "attempts"

    @property
    def work(self) -> Store:
        """Folder for spill files of the partition step."""
        return self.state.child("work")

    def part(self, index: int) -> str:
        """A new, unique name below ``data`` for the file of part ``index``."""
        return f"part-{self.result_key[:16]}-{index:06d}-{_unique()}.parquet"

    @property
    def part_pattern(self) -> str:
        """Pattern that the names of all its part files match."""
        return f"part-{self.result_key[:16]}-*.parquet"

    @property
    def part_span(self) -> dict[str, str]:
        """What the names of all its part files lie between, for :meth:`Store.names`."""
        start = f"part-{self.result_key[:16]}-"
        return {"after": start, "before": f"{start}~"}

    def is_part(self, path: str) -> bool:
        """Whether a path below ``data`` is a part file of this result.

        The key in the name must not be shorter: part files of a result without a marker are
        deleted, and of the many keys of a table's intervals two would soon begin alike.
        """
        found = _PART.fullmatch(path)
        return found is not None and found[1] == self.result_key[:16]

    def marker(self, index: int, n: int) -> str:
        """Path below ``state`` of the ``n``-th commit marker of a part."""
        return f"{self.markers}/{index:06d}-{n}.json"

    def coverage(self, index: int) -> str:
        """A new, unique path below ``state`` for the values per id and kind of a part."""
        return f"coverage/{index:06d}-{_unique()}.arrow"

    def attempt(self, index: int) -> str:
        """A new, unique path below ``state`` for an attempt mark."""
        return f"{self.attempts}/{index:06d}-{_unique()}.json"


def indexed(path: str) -> tuple[int, str] | None:
    """Split a name ``<index>-<rest>.json`` into the part's index and the rest; None for others.

    Examples
    --------
    >>> indexed("parts/000012-1.json"), indexed("parts/readme.txt")
    ((12, '1'), None)
    """
    found = _INDEXED.fullmatch(path)
    return (int(found[1]), found[2]) if found else None


def _unique() -> str:
    return uuid.uuid4().hex[:16]
