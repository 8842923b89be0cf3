"""Snapshots: the rows of a table or query, read once and written as a Parquet file.

Each lies in a folder of its own, with the process that owns it::

    <folder>/snapshots/<unique>/owner.json
    <folder>/snapshots/<unique>/rows-<unique>.parquet

A snapshot is deleted when its run is finished, at the latest when its process ends. Those of killed
processes are deleted by the next run; of processes on other machines, after a week.
"""

from __future__ import annotations

import atexit
import json
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.storage.processes import Process
from tidemill.storage.stores import Store

__all__ = ["drop_orphans", "drop_snapshot", "write_snapshot"]

#: A row group is written when it has so many rows or bytes.
GROUP_ROWS, GROUP_BYTES = 2**20, 64 * 2**20
#: Seconds after which the snapshot of a process on another machine is an orphan.
ORPHAN_SECONDS = 7 * 86_400.0
FOLDER = "snapshots"

_OWNER = "owner.json"
_mine: dict[Store, list[Path]] = {}  # of this process, with the folders made for them
_changing = Lock()


def write_snapshot(
    folder: Store, schema: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> tuple[Store, str]:
    """Write rows as they come; memory stays flat.

    Parameters
    ----------
    folder : the work folder of the run, which all workers reach
    schema : of a result without rows
    batches : the rows

    Returns
    -------
    Store, str
        The snapshot's folder, and the name of the file in it.

    Examples
    --------
    >>> import tempfile
    >>> rows = pa.record_batch({"id": [1, 2], "x": [0.5, 1.5]})
    >>> made, name = write_snapshot(Store.open(tempfile.mkdtemp()), rows.schema, [rows])
    >>> pq.read_table(f"{made.url}/{name}").num_rows
    2
    >>> drop_snapshot(made)
    >>> made.list()
    []
    """
    unique = uuid.uuid4().hex[:16]
    made, name = folder.child(f"{FOLDER}/{unique}"), f"rows-{unique}.parquet"
    with _changing:
        _mine[made] = _missing_folders(made)
    made.write(_OWNER, json.dumps(asdict(Process.current())).encode())
    try:
        _write(made, name, schema, batches)
    except BaseException:
        drop_snapshot(made)
        raise
    return made, name


def drop_snapshot(made: Store) -> None:
    """Delete a snapshot, and the folders that were made for it and are empty then."""
    with _changing:
        missed = _mine.pop(made, [])
    made.delete_all()
    path = made.local_path()
    if path is not None:
        try:
            for folder in dict.fromkeys([path.parent, *missed]):
                folder.rmdir()
        except OSError:  # others are there
            return


def drop_orphans(folder: Store) -> None:
    """Delete the snapshots of processes that are gone."""
    place = folder.child(FOLDER)
    for name in place.folder()[1]:
        if _is_orphan(place, f"{name}/{_OWNER}"):
            drop_snapshot(place.child(name))


def _missing_folders(made: Store) -> list[Path]:
    """The folders above a snapshot that do not exist yet, the innermost first."""
    path = made.local_path()
    above = [] if path is None else list(path.parents)
    return list(takewhile(lambda folder: not folder.exists(), above))


def _is_orphan(place: Store, owner: str) -> bool:
    try:
        process = Process(**json.loads(place.read(owner)))
        written = place.info(owner).modified
    except (FileNotFoundError, ValueError, TypeError):
        return False
    if process.is_here:
        return not process.is_alive
    return time.time() - written > ORPHAN_SECONDS


def _write(made: Store, name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    groups = _groups(batches)
    first = next(groups, None)
    if first is None:
        first = schema.empty_table()
    with made.open_output(name) as file, pq.ParquetWriter(file, first.schema) as writer:
        writer.write_table(first, row_group_size=max(first.num_rows, 1))
        for group in groups:
            writer.write_table(group, row_group_size=group.num_rows)


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches, brought together to row groups of a good size."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in (one for one in batches if one.num_rows):
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield pa.Table.from_batches(waiting)


@atexit.register
def _drop_mine() -> None:
    for made in list(_mine):
        try:
            drop_snapshot(made)
        except OSError:  # the next run deletes it
            continue
