"""The partition step: bring the rows of each id together, out of core.

Map tasks stream shares of the input and deal its rows into buckets; for the files see
:mod:`tidemill.sources.files.spill_files`. A task that finds its marker does nothing, so an attempt
resumes where the last one stopped.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import ResourceError, SourceChangedError
from tidemill.model.aliases import IdKey
from tidemill.model.digests import HashingFile
from tidemill.model.id_types import parse_type
from tidemill.model.logs import engine_log
from tidemill.model.plan import GroupSpan, Plan
from tidemill.model.source import Source
from tidemill.sources.files.access import file_name, located
from tidemill.sources.files.fingerprint import check_unchanged
from tidemill.sources.files.read import read_span
from tidemill.sources.files.schema import memory_schema, used_columns
from tidemill.sources.files.spill_files import (
    SpillFolder,
    SpillMarker,
    batch_facts,
    check_rows,
    complete_markers,
    find_markers,
    map_tasks,
    row_width,
)
from tidemill.sources.rows.casts import normal_ids
from tidemill.sources.rows.id_keys import KeyArray, read_keys
from tidemill.storage.part_files import file_fault

__all__ = [
    "check_space",
    "check_spill",
    "drop_spill",
    "run_spill_task",
    "spill_bytes",
    "spill_tasks",
]

log = engine_log(__name__)

#: Rows are dealt in rounds of this many bytes.
ROUND_BYTES = 32 * 2**20
#: LZ4 saves a third to two thirds of the disk space at no cost: at 1e7 rows of 24 bytes the map
#: side takes 57 ns of a core a row with it and 60 without, the read side 34 and 28.
OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
#: Cells of the table that finds a number's part: 128 KiB, which stays in a core's cache.
CELLS = 2**16
#: Number of boundaries from which the table pays.
LEAST_KEYS = 16


def spill_tasks(plan: Plan) -> list[int]:
    """Numbers of the map tasks; none if the plan's parts are read from the input.

    Examples
    --------
    >>> from tidemill.model.source import ColumnRoles
    >>> from tidemill.model.policies import Policies
    >>> source = Source(
    ...     "/d", "parquet", (), ColumnRoles("id", None, None, ("x",)), "int64", ("x",), {}, ""
    ... )
    >>> spill_tasks(Plan("key", source, {}, Policies(), "clustered", (), (), {}))
    []
    """
    return list(range(len(map_tasks(plan.source)))) if plan.layout == "spilled" else []


def run_spill_task(plan: Plan, task: int, spill_dir: str) -> dict[str, Any]:
    """Carry out one map task, unless it is already done.

    Returns
    -------
    dict
        ``task``, ``name``, ``rounds``, ``rows``, ``bytes`` and ``seconds`` of the spill file, and
        ``reused``: whether an earlier attempt wrote it.

    Raises
    ------
    DataError
        If ids are null or of an unsupported type; the message names the file.
    SourceChangedError
        If a file changed since the plan.
    ResourceError
        If the disk is full.
    """
    folder = SpillFolder.of(plan, spill_dir)
    marker = folder.find_marker(task)
    if marker is not None and _is_whole(folder, marker):
        return asdict(marker) | {"reused": True}
    started = time.perf_counter()
    name = f"{task:05d}-{uuid.uuid4().hex[:12]}.arrow"
    spans = map_tasks(plan.source)[task]
    with folder.store.open_output(name) as sink:
        file = HashingFile(sink)
        rounds, rows = _deal(plan, folder, spans, file)
        check_unchanged(plan.source, {span.file for span in spans})  # else nothing becomes visible
    seconds = time.perf_counter() - started
    written = SpillMarker(task, name, rounds, rows, file.size, seconds, file.checksum)
    return asdict(folder.mark(written)) | {"reused": False}


def _is_whole(folder: SpillFolder, marker: SpillMarker) -> bool:
    """Whether the file of an earlier attempt is the one that was written; else it is deleted."""
    fault = file_fault(folder.store, marker.name, marker.checksum) if marker.checksum else ""
    if fault:
        log.warning("%s %s; it is written again", folder.store.url_of(marker.name), fault)
        folder.store.delete(marker.name)
    return not fault


def check_spill(plan: Plan, spill_dir: str) -> None:
    """Check after the last map task that the spill holds every row of the input.

    A spill with another number of rows is deleted, so that the next attempt writes it again.

    Raises
    ------
    ResourceError
        If it does not, or if a map task is not complete.
    """
    if plan.layout != "spilled":
        return
    folder = SpillFolder.of(plan, spill_dir)
    markers = complete_markers(folder)
    try:
        check_rows(folder, markers)
    except ResourceError:
        folder.store.delete_all()
        raise


def drop_spill(plan: Plan, spill_dir: str) -> None:
    """Delete all spill files of a plan, and nothing else below ``spill_dir``."""
    SpillFolder.of(plan, spill_dir).store.delete_all()


def spill_bytes(source: Source) -> int:
    """Approximate bytes of an input's spill."""
    return source.rows * row_width(source)


def check_space(plan: Plan, spill_dir: str) -> None:
    """Check that the spill yet to be written fits onto the disk.

    Raises
    ------
    ResourceError
        If it does not; names the bytes needed and free, and the folder.
    """
    folder = SpillFolder.of(plan, spill_dir)
    path = folder.store.local_path()
    if plan.layout != "spilled" or path is None:
        return
    written = sum(marker.rows for marker in find_markers(folder))
    needed = max(plan.source.rows - written, 0) * row_width(plan.source)
    free = shutil.disk_usage(_existing(path)).free
    if needed > free:
        raise ResourceError(
            f"partitioning needs about {needed} bytes in {spill_dir}, where {free} are free: give "
            "a work_dir on a larger disk that all workers reach, or an input that is sorted by id, "
            "which needs no partitioning"
        )


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


# One map task


def _deal(
    plan: Plan, folder: SpillFolder, spans: Sequence[GroupSpan], sink: Any
) -> tuple[int, int]:
    """Write all rounds of a task; the numbers of rounds and rows."""
    schema = _spill_schema(plan.source)
    dealer = _Dealer(plan, folder)
    rounds = rows = 0
    with pa.ipc.new_file(sink, schema, options=OPTIONS) as writer:
        for batches, parts in _rounds(plan.source, schema, spans, dealer.boundaries):
            dealer.write(writer, batches, parts)
            rounds += 1
            rows += len(parts)
    return rounds, rows


def _spill_schema(source: Source) -> pa.Schema:
    """Columns of the spill: ids as in the sink or as text, kinds as positions."""
    special = {}
    if isinstance(source.id_type, str):
        special[source.columns.key] = parse_type(source.id_type)
    if source.columns.kind is not None:
        special[source.columns.kind] = pa.int32()
    fields = memory_schema(source)
    return pa.schema([(field.name, special.get(field.name, field.type)) for field in fields])


def _rounds(
    source: Source, schema: pa.Schema, spans: Sequence[GroupSpan], boundaries: Boundaries
) -> Iterator[tuple[list[pa.RecordBatch], npt.NDArray[np.int32]]]:
    """Rows in the order of the input, with the part of each, about 64 MiB at a time."""
    limit = max(ROUND_BYTES // row_width(source), 1)
    key = source.columns.key
    batches: list[pa.RecordBatch] = []
    parts: list[npt.NDArray[np.int32]] = []
    for span in spans:
        for batch in read_span(source, span, used_columns(source.columns), min(limit, 2**20)):
            with located(file_name(source, span.file)):
                parts.append(boundaries.parts(batch.column(key), key))
                batches.append(_spill_batch(source, batch, schema))
            if sum(map(len, parts)) >= limit:
                yield batches, np.concatenate(parts)
                batches, parts = [], []
    if batches:
        yield batches, np.concatenate(parts)


def _spill_batch(source: Source, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for field in schema:
        column = batch.column(field.name)
        if field.name == source.columns.key:
            column = normal_ids(column, field.name)
        elif field.name == source.columns.kind:
            column = _kind_places(column, source.kinds, field.name)
        elif column.type != field.type:
            column = column.cast(field.type)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _kind_places(kind: pa.Array, kinds: Sequence[str], name: str) -> pa.Array:
    coded = kind if pt.is_dictionary(kind.type) else kind.dictionary_encode()
    places = pc.index_in(coded.dictionary.cast(pa.string()), pa.array(kinds, pa.string()))
    found = places.take(coded.indices)
    if found.null_count:
        raise SourceChangedError(
            f"column {name!r} holds a kind that was not there when the run was planned, or null; "
            "start a new run, which plans anew"
        )
    return found


class _Dealer:
    """Writes rounds: rows grouped by part, one record batch per bucket."""

    def __init__(self, plan: Plan, folder: SpillFolder) -> None:
        self.boundaries = Boundaries([part.lower for part in plan.parts[1:]])
        self._n_parts = len(plan.parts)
        # First part of every bucket, and the end.
        buckets = np.arange(folder.n_buckets + 1)
        self._firsts = np.searchsorted(folder.buckets(), buckets)

    def write(
        self,
        writer: pa.ipc.RecordBatchFileWriter,
        batches: list[pa.RecordBatch],
        parts: npt.NDArray[np.int32],
    ) -> None:
        """Write one round. Arrow's counting sort is stable: parts keep the input's order."""
        order = pc.array_sort_indices(pa.array(parts))
        rows = np.bincount(parts, minlength=self._n_parts)
        ends = np.concatenate([[0], np.cumsum(rows)])
        table = pa.Table.from_batches(batches)
        columns = [column.combine_chunks().take(order) for column in table.itercolumns()]
        grouped = pa.RecordBatch.from_arrays(columns, schema=table.schema)
        for first, last in zip(self._firsts, self._firsts[1:], strict=False):
            piece = grouped.slice(ends[first], ends[last] - ends[first])
            facts = batch_facts(piece, rows[first:last].tolist())
            writer.write_batch(piece, custom_metadata=facts)


class Boundaries:
    """Finds the part of every id: boundary ``i`` is the first id of part ``i + 1``.

    For numbers in random order, a binary search among 500 boundaries takes 58 ns per row. A table
    of 65,536 cells takes 4 ns, and leaves the search to the few cells that hold a boundary.

    Examples
    --------
    >>> Boundaries([10, 20]).parts(pa.array([5, 10, 25]), "id")
    array([0, 1, 2], dtype=int32)
    """

    def __init__(self, lowers: Sequence[IdKey]) -> None:
        as_text = bool(lowers) and isinstance(lowers[0], str)
        self._keys: KeyArray = np.array(lowers, dtype=object if as_text else None)
        self._cells = _make_cells(self._keys)

    def parts(self, ids: pa.Array, column: str) -> npt.NDArray[np.int32]:
        """Part of every row, int32[n]."""
        keys = read_keys(ids, column)
        if not len(self._keys):
            return np.zeros(len(ids), np.int32)
        found = self._search(keys.values)
        return found if keys.codes is None else found[keys.codes]

    def _search(self, values: KeyArray) -> npt.NDArray[np.int32]:
        if self._cells is None:
            return np.searchsorted(self._keys, values, side="right").astype(np.int32)
        cell_of, table = self._cells
        parts = table.take(cell_of(values))
        undecided = np.flatnonzero(parts < 0)
        parts[undecided] = np.searchsorted(self._keys, values[undecided], side="right")
        return parts


CellOf = Callable[[KeyArray], npt.NDArray[np.int64]]


def _make_cells(keys: KeyArray) -> tuple[CellOf, npt.NDArray[np.int32]] | None:
    """A monotonic function from numbers to cells, and the part of each cell.

    The part is -1 if a boundary lies within the cell. None if a search is as fast.
    """
    if len(keys) < LEAST_KEYS or keys.dtype.kind not in "if":
        return None
    return _integer_cells(keys) if keys.dtype.kind == "i" else _float_cells(keys)


def _integer_cells(keys: KeyArray) -> tuple[CellOf, npt.NDArray[np.int32]] | None:
    first, last = int(keys[0]), int(keys[-1])
    shift = max((last - first).bit_length() - CELLS.bit_length() + 1, 0)
    base, top = first - 2**shift, last + 2**shift
    if base < -(2**62) or top > 2**62:
        return None
    lowest = base + (np.arange(((top - base) >> shift) + 1) << shift)
    low, high = (
        np.searchsorted(keys, at, side="right") for at in (lowest, lowest + (2**shift - 1))
    )
    low[-1] = high[-1]  # also holds everything above

    def cell_of(values: KeyArray) -> npt.NDArray[np.int64]:
        cells: npt.NDArray[np.int64] = np.clip(values, base, top).astype(np.int64) - base
        return cells >> shift

    return cell_of, np.where(low == high, low, -1).astype(np.int32)


def _float_cells(keys: KeyArray) -> tuple[CellOf, npt.NDArray[np.int32]] | None:
    first, last = float(keys[0]), float(keys[-1])
    if not (np.isfinite(last - first) and np.isfinite(scale := CELLS / (last - first))):
        return None

    def cell_of(values: KeyArray) -> npt.NDArray[np.int64]:
        with np.errstate(over="ignore"):  # an infinite value is beyond the last boundary anyway
            return (np.clip((values - first) * scale, -1, CELLS + 1) + 1).astype(np.int64)

    held = np.bincount(cell_of(keys), minlength=CELLS + 3)
    return cell_of, np.where(held, -1, np.cumsum(held)).astype(np.int32)
