"""The files of the partition step: their names, their content, and reading a part from them.

Every map task reads a share of the input and writes one Arrow IPC file: in each round one record
batch per bucket, empty ones too, so that batch ``round * n_buckets + bucket`` is known without an
index. A bucket holds consecutive parts; where it holds several, a batch's rows lie grouped by
part. Its metadata say how many rows each part has, and hold a sum: who reads a batch does not read
the file, whose checksum is compared before a later attempt uses it.

The marker ``00012.json``, created exclusively, names the file of map task 12: what has no marker
does not exist. Others may clean up work folders, too: a marker that is damaged, or whose file is
missing or cut short, is replaced by ``00012-1.json``, and so on.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.errors import ResourceError
from tidemill.model.plan import GroupSpan, Part, Plan
from tidemill.model.source import Source
from tidemill.sources.files.batch_sums import batch_sum
from tidemill.storage.sealed import seal, unseal
from tidemill.storage.stores import Store
from tidemill.storage.tables import is_of_system

__all__ = [
    "MAX_BUCKETS",
    "SPILL_FORMAT",
    "SpillFolder",
    "SpillMarker",
    "batch_facts",
    "check_rows",
    "complete_markers",
    "find_markers",
    "map_tasks",
    "read_spilled",
    "row_width",
    "text_width",
]

#: Part of the folder's name; increase it when the layout of the files changes.
SPILL_FORMAT = 2

#: A record batch costs about 30 us to write and 300 bytes in the file's footer.
MAX_BUCKETS = 500
#: Bytes of input, in memory, that one map task reads.
TASK_BYTES = 256 * 2**20
#: Threads that read markers; they wait for the network, not for the processor.
READERS = 16


@dataclass(frozen=True, slots=True)
class SpillMarker:
    """What one map task wrote."""

    task: int
    name: str  # of the Arrow IPC file, in the spill folder
    rounds: int
    rows: int
    bytes: int
    seconds: float
    checksum: str = ""  # SHA-256 of the file; "": written by an older version


@dataclass(frozen=True, slots=True)
class SpillFolder:
    """Where the spill of one plan lies. All that determines its files is hashed into the name.

    So only a later attempt at the same plan that distributes its rows in the same way reuses it.
    """

    store: Store
    n_tasks: int
    n_parts: int
    n_rows: int  # of the input

    @classmethod
    def of(cls, plan: Plan, spill_dir: str) -> SpillFolder:
        """The spill folder of ``plan`` below ``spill_dir``."""
        tasks = map_tasks(plan.source)
        bounds = [part.lower for part in plan.parts]
        spans = [[(span.file, span.first, span.last) for span in task] for task in tasks]
        made_of = [plan.result_key, plan.source.fingerprint, bounds]
        dealt_as = [SPILL_FORMAT, spans, _n_buckets(len(plan.parts))]
        digest = hashlib.sha256(json.dumps([*made_of, *dealt_as]).encode()).hexdigest()[:16]
        store = Store.open(spill_dir, _options(plan.source, spill_dir)).child(f"spill-{digest}")
        return cls(store, len(tasks), len(plan.parts), plan.source.rows)

    @property
    def n_buckets(self) -> int:
        """Record batches per round."""
        return _n_buckets(self.n_parts)

    def buckets(self) -> npt.NDArray[np.int64]:
        """Bucket of every part, ascending, int64[n_parts]."""
        return np.arange(self.n_parts) * self.n_buckets // self.n_parts

    def find_marker(self, task: int) -> SpillMarker | None:
        """The marker of a map task, if it is complete and its file is there."""
        for n in itertools.count():
            try:
                marker = self._read_marker(task, n)
            except FileNotFoundError:
                return None
            if marker is not None and self._file_matches_marker(marker):
                return marker
        return None

    def mark(self, marker: SpillMarker) -> SpillMarker:
        """Create the marker; if another attempt came first, delete this file, return its marker."""
        content = seal(asdict(marker))
        n = 0
        while not self.store.create(self.marker_path(marker.task, n), content):
            try:
                earlier = self._read_marker(marker.task, n)
            except FileNotFoundError:  # deleted just now
                continue
            if earlier is not None and earlier.name == marker.name:
                return marker  # an earlier try of this very call succeeded, its answer was lost
            if earlier is not None and self._file_matches_marker(earlier):
                self.store.delete(marker.name)
                return earlier
            n += 1
        return marker

    @staticmethod
    def marker_path(task: int, n: int = 0) -> str:
        """File of a task's marker; ``n`` counts earlier ones that are no longer valid."""
        return f"{task:05d}-{n}.json" if n else f"{task:05d}.json"

    def _read_marker(self, task: int, n: int) -> SpillMarker | None:
        """A marker, or None if it is damaged (a power failure, an editor)."""
        try:
            return SpillMarker(**unseal(self.store.read(self.marker_path(task, n))))
        except (ValueError, TypeError):
            return None

    def _file_matches_marker(self, marker: SpillMarker) -> bool:
        try:
            return self.store.info(marker.name).size == marker.bytes
        except FileNotFoundError:
            return False


def _n_buckets(n_parts: int) -> int:
    return min(n_parts, MAX_BUCKETS)


def _options(source: Source, location: str) -> Mapping[str, str]:
    return source.storage_options if "://" in location else {}


def row_width(source: Source) -> int:
    """Bytes of one row in memory; a string counts 16, as does each column of a composite id."""
    columns = source.columns
    fixed = 8 * (len(columns.values) + (columns.sort is not None)) + 4 * (columns.kind is not None)
    if len(columns.ids) > 1:
        return fixed + 4 + text_width(source)
    return fixed + (16 if source.id_type == "string" else 8)


def text_width(source: Source) -> int:
    """Bytes of text that :func:`row_width` counts for an id that is text in memory."""
    several = len(source.columns.ids)
    return 12 if several == 1 else 16 * several


def map_tasks(source: Source, task_bytes: int = TASK_BYTES) -> tuple[tuple[GroupSpan, ...], ...]:
    """The spans that each map task reads: about ``task_bytes`` in memory, in the input's order.

    A file's row groups are assumed to have equally many rows, so the tasks follow from the source.

    Examples
    --------
    >>> from tidemill.model.source import ColumnRoles, SourceFile
    >>> files = [SourceFile(f"{i}.parquet", 1, "", "", rows=100, groups=4) for i in range(3)]
    >>> source = Source("/data", "parquet", tuple(files), ColumnRoles("id", None, None, ("x",)),
    ...                 "int64", ("x",), {}, "")
    >>> [[(s.file, s.first, s.last) for s in task] for task in map_tasks(source, 16 * 150)]
    [[(0, 0, 4), (1, 0, 2)], [(1, 2, 4), (2, 0, 4)]]
    """
    tasks: list[list[GroupSpan]] = [[]]
    room = float(task_bytes)
    width = row_width(source)
    for index, file in enumerate(source.files):
        for group in range(file.groups):
            group_bytes = width * file.rows / file.groups
            if group_bytes > room and tasks[-1]:
                tasks.append([])
                room = float(task_bytes)
            room -= group_bytes
            _append(tasks[-1], index, group)
    return tuple(tuple(task) for task in tasks)


def _append(spans: list[GroupSpan], file: int, group: int) -> None:
    if spans and spans[-1].file == file and spans[-1].last == group:
        spans[-1] = GroupSpan(file, spans[-1].first, group + 1)
    else:
        spans.append(GroupSpan(file, group, group + 1))


def merge_groups(groups: Sequence[tuple[int, int]]) -> tuple[GroupSpan, ...]:
    """Spans of (file, group) pairs, in their order; neighbours become one span.

    Examples
    --------
    >>> merge_groups([(0, 1), (0, 2), (1, 0)])
    (GroupSpan(file=0, first=1, last=3), GroupSpan(file=1, first=0, last=1))
    """
    spans: list[GroupSpan] = []
    for file, group in groups:
        _append(spans, file, group)
    return tuple(spans)


def read_spilled(plan: Plan, part: Part, spill_dir: str | None) -> pa.Table:
    """All rows of a part, in the order of the input.

    Raises
    ------
    ResourceError
        If a file is missing.
    """
    if spill_dir is None:
        raise ResourceError(
            f"part {part.index} was spilled by the partition step, but no spill_dir is given"
        )
    folder = SpillFolder.of(plan, spill_dir)
    try:
        return _read(folder, part, _markers(folder), plan.source)
    except FileNotFoundError:
        _markers.cache_clear()  # another attempt has spilled again since
    try:
        return _read(folder, part, _markers(folder), plan.source)
    except FileNotFoundError as error:
        raise _missing(folder, str(error)) from error


@lru_cache(maxsize=4)
def _markers(folder: SpillFolder) -> tuple[SpillMarker, ...]:
    """The markers of all map tasks, read and checked once per process."""
    markers = complete_markers(folder)
    check_rows(folder, markers)
    return markers


def complete_markers(folder: SpillFolder) -> tuple[SpillMarker, ...]:
    """The markers of all map tasks, in their order.

    Raises
    ------
    ResourceError
        If a task has none.
    """
    found = find_markers(folder)
    if len(found) < folder.n_tasks:
        raise _missing(folder, f"{len(found)} of {folder.n_tasks} map tasks are complete")
    return found


def find_markers(folder: SpillFolder) -> tuple[SpillMarker, ...]:
    """The markers of the map tasks that are complete, in their order."""
    with ThreadPoolExecutor(READERS, "tidemill-spill-markers") as pool:
        found = list(pool.map(folder.find_marker, range(folder.n_tasks)))
    return tuple(marker for marker in found if marker is not None)


def check_rows(folder: SpillFolder, markers: Sequence[SpillMarker]) -> None:
    """Check that the map tasks wrote as many rows as the input has.

    Raises
    ------
    ResourceError
        If they did not.
    """
    rows = sum(marker.rows for marker in markers)
    if rows != folder.n_rows:
        raise ResourceError(
            f"the spill in {folder.store.url} holds {rows} rows, but the input has "
            f"{folder.n_rows}: delete this folder, if it is still there, and run again"
        )


def _missing(folder: SpillFolder, what: str) -> ResourceError:
    return ResourceError(
        f"the spill in {folder.store.url} is incomplete ({what}): run the partition step again, "
        "with a work_dir that all workers reach under the same path"
    )


def _read(
    folder: SpillFolder, part: Part, markers: Sequence[SpillMarker], source: Source
) -> pa.Table:
    batches: list[pa.RecordBatch] = []
    for marker in markers:
        with _undamaged(folder, marker):
            batches += _part_batches(folder, part, marker)
    table = pa.Table.from_batches(batches)
    kind = source.columns.kind
    if kind is None:
        return table
    place = table.schema.get_field_index(kind)
    return table.set_column(place, kind, _named_kinds(table.column(place), source.kinds))


@contextmanager
def _undamaged(folder: SpillFolder, marker: SpillMarker) -> Iterator[None]:
    """Name the file in errors of Arrow; blocks that do not decompress are plain OSErrors."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if is_of_system(error):
            raise
        raise ResourceError(
            f"{folder.store.url_of(marker.name)} is damaged ({error}): delete this file and run "
            "again, which rewrites it"
        ) from error


def _part_batches(folder: SpillFolder, part: Part, marker: SpillMarker) -> Iterator[pa.RecordBatch]:
    buckets = folder.buckets()
    bucket = int(buckets[part.index])
    first = int(np.searchsorted(buckets, bucket))
    file = folder.store.open_input(marker.name, memory_map=True)
    with file, pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
        for step in range(marker.rounds):
            number = step * folder.n_buckets + bucket
            batch, metadata = reader.get_batch_with_custom_metadata(number)
            ends = np.cumsum([0, *_rows_of_parts(batch, metadata)])
            place = part.index - first
            yield batch.slice(ends[place], ends[place + 1] - ends[place])


def batch_facts(batch: pa.RecordBatch, rows: Sequence[int]) -> dict[str, str]:
    """Metadata of a batch: the rows of each of its parts, and the sum of all this."""
    counts = json.dumps(rows)
    return {"rows": counts, "sum": _sum(batch, counts.encode())}


def _rows_of_parts(batch: pa.RecordBatch, facts: Mapping[bytes, bytes] | None) -> list[int]:
    """The rows of each part in a batch, which has to be the one that was written."""
    facts = facts or {}
    counts = facts.get(b"rows", b"")
    if facts.get(b"sum") != _sum(batch, counts).encode():
        raise pa.ArrowInvalid("its rows are not those that were written")
    rows: list[int] = json.loads(counts)
    return rows


def _sum(batch: pa.RecordBatch, counts: bytes) -> str:
    return f"{batch_sum(batch)} {zlib.crc32(counts)}"


def _named_kinds(codes: pa.ChunkedArray, kinds: Sequence[str]) -> pa.ChunkedArray:
    names = pa.array(kinds, pa.string())
    chunks = [pa.DictionaryArray.from_arrays(chunk, names) for chunk in codes.chunks]
    return pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string()))
