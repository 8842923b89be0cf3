"""The files of the partition step: their names, their content, and reading a part from them.

Every map task reads a share of the input and writes one Arrow IPC file: in each round one record
batch per bucket, empty ones too, so that batch ``round * n_buckets + bucket`` is known without an
index. A bucket holds consecutive parts; where it holds several, a batch's rows lie grouped by
part and its metadata say how many rows each has. The marker ``00012.json``, created exclusively,
names the file of map task 12: what has no marker does not exist.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.errors import ResourceError
from tidemill.plan import Part, Plan, Source, Span
from tidemill.storage.stores import Store

__all__ = ["MAX_BUCKETS", "SpillFolder", "SpillMarker", "map_tasks", "read_spilled", "row_width"]

#: A record batch costs about 30 us to write and 300 bytes in the file's footer.
MAX_BUCKETS = 500
#: Bytes of input, in memory, that one map task reads.
TASK_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class SpillMarker:
    """What one map task wrote."""

    task: int
    name: str  # of the Arrow IPC file, in the spill folder
    rounds: int
    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SpillFolder:
    """Where the spill of one plan lies; plans with other parts have other folders."""

    store: Store
    n_tasks: int
    n_parts: int

    @classmethod
    def of(cls, plan: Plan, spill_dir: str) -> SpillFolder:
        """The spill folder of ``plan`` below ``spill_dir``."""
        bounds = [part.lower for part in plan.parts]
        facts = json.dumps([plan.source.fingerprint, bounds])
        digest = hashlib.sha256(facts.encode()).hexdigest()[:16]
        store = Store.open(spill_dir, _options(plan.source, spill_dir)).child(f"spill-{digest}")
        return cls(store, len(map_tasks(plan.source)), len(plan.parts))

    @property
    def n_buckets(self) -> int:
        """Record batches per round."""
        return min(self.n_parts, MAX_BUCKETS)

    def buckets(self) -> npt.NDArray[np.int64]:
        """Bucket of every part, ascending, int64[n_parts]."""
        return np.arange(self.n_parts) * self.n_buckets // self.n_parts

    def find_marker(self, task: int) -> SpillMarker | None:
        """The marker of a map task, if it is complete."""
        try:
            return SpillMarker(**json.loads(self.store.read(f"{task:05d}.json")))
        except FileNotFoundError:
            return None

    def mark(self, marker: SpillMarker) -> SpillMarker:
        """Create the marker; if another attempt was faster, delete this file, give its marker."""
        text = json.dumps(asdict(marker)).encode()
        if self.store.create(f"{marker.task:05d}.json", text):
            return marker
        self.store.delete(marker.name)
        earlier = self.find_marker(marker.task)
        assert earlier is not None, "an exclusive creation failed, so the marker exists"
        return earlier


def _options(source: Source, location: str) -> Mapping[str, str]:
    return source.storage_options if "://" in location else {}


def row_width(source: Source) -> int:
    """Bytes of one row in memory; a string counts 16."""
    columns = source.columns
    fixed = 8 * (len(columns.values) + (columns.sort is not None)) + 4 * (columns.kind is not None)
    return fixed + (16 if source.id_type == "string" else 8)


def map_tasks(source: Source, task_bytes: int = TASK_BYTES) -> tuple[tuple[Span, ...], ...]:
    """The spans that each map task reads: about ``task_bytes`` in memory, in the input's order.

    Rows are taken to lie evenly over a file's row groups, so the tasks follow from the source.

    Examples
    --------
    >>> from tidemill.plan import Columns, SourceFile
    >>> files = [SourceFile(f"{i}.parquet", 1, "", "", rows=100, groups=4) for i in range(3)]
    >>> source = Source("/data", "parquet", tuple(files), Columns("id", None, None, ("x",)),
    ...                 "int64", ("x",), {}, "")
    >>> [[(s.file, s.first, s.last) for s in task] for task in map_tasks(source, 16 * 150)]
    [[(0, 0, 4), (1, 0, 2)], [(1, 2, 4), (2, 0, 4)]]
    """
    tasks: list[list[Span]] = [[]]
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


def _append(spans: list[Span], file: int, group: int) -> None:
    if spans and spans[-1].file == file and spans[-1].last == group:
        spans[-1] = Span(file, spans[-1].first, group + 1)
    else:
        spans.append(Span(file, group, group + 1))


def merge_groups(groups: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
    """Spans of (file, group) pairs, in their order; neighbours become one span.

    Examples
    --------
    >>> merge_groups([(0, 1), (0, 2), (1, 0)])
    (Span(file=0, first=1, last=3), Span(file=1, first=0, last=1))
    """
    spans: list[Span] = []
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
            f"part {part.index} lies in the spill of the partition step, but no spill_dir is given"
        )
    folder = SpillFolder.of(plan, spill_dir)
    try:
        return _read(folder, part, _markers(folder), plan.source)
    except FileNotFoundError:
        _markers.cache_clear()  # spilled anew by another attempt since
    try:
        return _read(folder, part, _markers(folder), plan.source)
    except FileNotFoundError as error:
        raise _missing(folder, str(error)) from error


@lru_cache(maxsize=4)
def _markers(folder: SpillFolder) -> tuple[SpillMarker, ...]:
    """The markers of all map tasks, read once per process."""
    found = [folder.find_marker(task) for task in range(folder.n_tasks)]
    complete = tuple(marker for marker in found if marker is not None)
    if len(complete) < folder.n_tasks:
        raise _missing(folder, f"{len(complete)} of {folder.n_tasks} map tasks are complete")
    return complete


def _missing(folder: SpillFolder, what: str) -> ResourceError:
    return ResourceError(
        f"the spill in {folder.store.url} is incomplete ({what}): run the partition step again, "
        "with a work_dir that all workers reach under the same path"
    )


def _read(
    folder: SpillFolder, part: Part, markers: Sequence[SpillMarker], source: Source
) -> pa.Table:
    batches = [batch for marker in markers for batch in _part_batches(folder, part, marker)]
    table = pa.Table.from_batches(batches)
    kind = source.columns.kind
    if kind is None:
        return table
    place = table.schema.get_field_index(kind)
    return table.set_column(place, kind, _named_kinds(table.column(place), source.kinds))


def _part_batches(folder: SpillFolder, part: Part, marker: SpillMarker) -> Iterator[pa.RecordBatch]:
    buckets = folder.buckets()
    bucket = int(buckets[part.index])
    first = int(np.searchsorted(buckets, bucket))
    file = folder.store.open_input(marker.name, memory_map=True)
    with file, pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
        for step in range(marker.rounds):
            number = step * folder.n_buckets + bucket
            batch, metadata = reader.get_batch_with_custom_metadata(number)
            if metadata is None or b"rows" not in metadata:
                yield batch
                continue
            ends = np.cumsum([0, *json.loads(metadata[b"rows"])])
            place = part.index - first
            yield batch.slice(ends[place], ends[place + 1] - ends[place])


def _named_kinds(codes: pa.ChunkedArray, kinds: Sequence[str]) -> pa.ChunkedArray:
    names = pa.array(kinds, pa.string())
    chunks = [pa.DictionaryArray.from_arrays(chunk, names) for chunk in codes.chunks]
    return pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string()))
