"""Compare what a sink shows with its records: files, sizes and rows, or every byte.

Nothing is written. A quick look reads the table's log, its records and the footers of its files; a
deep one reads everything and compares SHA-256 and the digest of the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from tidemill.errors import DamagedFileError
from tidemill.model.counts import counted
from tidemill.model.digests import RowSum, content_digest, table_sum
from tidemill.model.ids import id_fields
from tidemill.storage.delta import INTERVAL, open_table
from tidemill.storage.dropped import not_dropped
from tidemill.storage.intervals import IntervalRecord, PartFile, interval_names, labels_of_names
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import recorded
from tidemill.storage.part_files import file_fault
from tidemill.storage.publish import Published, read_pointer
from tidemill.storage.read_matrix import nothing_published, read_file
from tidemill.storage.record import damaged_records, history
from tidemill.storage.shown_files import ShownFile, shown_files
from tidemill.storage.stores import Store
from tidemill.storage.table_faults import UNRECORDED, read_with_faults
from tidemill.storage.tables import open_parquet, open_whole
from tidemill.storage.transient import is_transient, translated

__all__ = ["TableFault", "Verified", "verify_table"]

#: What makes a table or file without intervals whole again.
EXTRACT = "run tidemill extract again with the same arguments; only damaged parts are calculated"
#: What makes an interval whole that the next look finds due.
DUE = "run tidemill backfill for it, with the other arguments of its runs"
#: What makes an interval whole whose record and place in the table are right.
RECALCULATE = "run tidemill backfill --recalculate for it, with the other arguments of its runs"

_READERS = 8


@dataclass(frozen=True, slots=True)
class TableFault:
    """One thing that is not as recorded."""

    place: str  # an interval or a file, for people
    fault: str
    remedy: str


@dataclass(slots=True)
class Verified:
    """What was compared, and what was found."""

    sink: str
    deep: bool
    intervals: int = 0
    files: int = 0
    rows: int = 0
    bytes: int = 0
    faults: list[TableFault] = field(default_factory=list)


def verify_table(layout: SinkLayout, *, deep: bool = False) -> Verified:
    """Compare what a sink shows with its records.

    Parameters
    ----------
    layout : the sink
    deep : read every file, and compare its SHA-256 and the digest of the rows

    Raises
    ------
    SinkError
        If nothing is published there, or the table's log cannot be read.
    """
    result = Verified(layout.url, deep)
    result.faults += _state_faults(layout)
    if layout.kind == "file":
        _verify_file(layout, result)
        return result
    table = open_table(layout)
    if table is None:
        raise nothing_published(layout)
    if INTERVAL in table.metadata().partition_columns:
        _verify_intervals(layout, table, result)
    else:
        _verify_plain(layout, table, result)
    return result


def _state_faults(layout: SinkLayout) -> Iterator[TableFault]:
    """Damaged files of the state that no interval depends on."""
    try:
        read_pointer(layout)
    except ValueError as error:
        yield TableFault(layout.published, f"is damaged ({error})", "the next run writes it anew")
    for path in damaged_records(layout):
        yield TableFault(f"records/{path}", "is damaged", "delete it: nothing depends on it")


def _pointer(layout: SinkLayout) -> Published | None:
    try:
        return read_pointer(layout)
    except ValueError:
        return None


# One file


def _verify_file(layout: SinkLayout, result: Verified) -> None:
    try:
        entry = layout.home.info(layout.name)
    except FileNotFoundError:
        raise nothing_published(layout) from None
    result.files, result.bytes = 1, entry.size
    try:
        shown = read_pointer(layout)
    except ValueError:
        return  # named already
    if shown is None:
        fault = "nothing is recorded of it, so it cannot be compared"
        result.faults.append(TableFault(layout.name, fault, EXTRACT))
        return
    result.rows = shown.rows
    if fault := _file_sink_fault(layout, shown, entry.size, deep=result.deep):
        result.faults.append(TableFault(layout.name, fault, EXTRACT))


def _file_sink_fault(layout: SinkLayout, shown: Published, size: int, *, deep: bool) -> str:
    if shown.size and size != shown.size:
        return f"has {size:,} bytes, {shown.size:,} were written"
    if layout.format == "parquet" and (fault := _rows_fault(layout.home, layout.name, shown.rows)):
        return fault
    if not deep:
        return ""
    rows = (
        _tables(layout.home, [layout.name])
        if layout.format == "parquet"
        else (read_file(layout) for _ in range(1))
    )
    return _digest_fault(rows, shown.digest)


# A table without intervals


def _verify_plain(layout: SinkLayout, table: DeltaTable, result: Verified) -> None:
    checksums = _known_checksums(layout) if result.deep else {}
    files = [replace(one, checksum=checksums.get(one.path, "")) for one in shown_files(table)]
    faults = _compare_files(layout, files, result)
    result.faults += [TableFault(path, fault, EXTRACT) for path, fault in faults.items()]
    if not result.deep or faults or not files:
        return
    shown = _pointer(layout)
    tables = _tables(layout.home, [one.path for one in files])
    if shown is not None and (fault := _digest_fault(tables, shown.digest)):
        result.faults.append(TableFault("the rows", fault, EXTRACT))


def _known_checksums(layout: SinkLayout) -> dict[str, str]:
    """File to SHA-256, of the markers of the published result or of the run records."""
    found: dict[str, str] = {}
    for record in reversed(history(layout)):
        found |= record.part_checksums
    shown = _pointer(layout)
    if shown is not None:
        markers = recorded(layout.key(shown.result_key)).values()
        found |= {one.path: one.checksum for one in markers}
    return found


# A table of intervals


def _verify_intervals(layout: SinkLayout, table: DeltaTable, result: Verified) -> None:
    shown: dict[str, list[ShownFile]] = {}
    for one in shown_files(table):
        shown.setdefault(one.interval, []).append(one)
    names = sorted({*shown, *not_dropped(layout, interval_names(layout), shown)})
    known, faults = read_with_faults(layout, names)
    result.intervals = len(names)
    sound = {name: record for name, record in known.items() if not faults.get(name)}
    made = {one.path: one for record in sound.values() for one in record.parts}
    files = [_as_recorded(one, made) for name in names for one in shown.get(name, ())]
    damaged = _compare_files(layout, files, result)
    found: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        paths = [one.path for one in shown.get(name, ())]
        told = [] if name in sound else [(faults.get(name) or UNRECORDED, DUE)]
        told += [(f"{one} {damaged[one]}", RECALCULATE) for one in paths if one in damaged]
        if result.deep and name in sound:
            is_whole = damaged.keys().isdisjoint(paths)
            told += _deep_faults(layout, sound[name], paths if is_whole else [])
        if told:
            found[name] = told
    labels = labels_of_names(layout, found, known) if found else {}
    for name, told in found.items():
        result.faults += [TableFault(f"interval {labels[name]}", *one) for one in told]


def _deep_faults(
    layout: SinkLayout, record: IntervalRecord, paths: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """What only reading all files of an interval tells, and the remedy of each."""
    yield from ((told, RECALCULATE) for told in _beside_faults(layout, record))
    if paths and (told := _digest_fault(_tables(layout.home, paths), record.digest)):
        yield told, RECALCULATE


def _as_recorded(file: ShownFile, made: Mapping[str, PartFile]) -> ShownFile:
    one = made.get(file.path)
    if one is None:
        return file
    return replace(file, bytes=one.bytes, rows=one.rows, checksum=one.checksum)


def _beside_faults(layout: SinkLayout, record: IntervalRecord) -> Iterator[str]:
    """What is wrong with the files that belong to a record."""
    places = {
        "figures": (layout.figures, f"{record.name}.npz"),
        "coverage": (layout.coverage, f"{record.name}.arrow"),
    }
    for name, sha256 in record.checksums.items():
        if name in places and (fault := file_fault(*places[name], sha256)):
            yield f"its {name} file {fault}"


# All


def _compare_files(
    layout: SinkLayout, files: Sequence[ShownFile], result: Verified
) -> dict[str, str]:
    """Path to what is wrong with a file."""
    with ThreadPoolExecutor(_READERS, "tidemill-verify") as pool:
        faults = list(pool.map(lambda one: _fault(layout.home, one, deep=result.deep), files))
    result.files += len(files)
    result.bytes += sum(one.bytes for one in files)
    result.rows += sum(one.rows or 0 for one in files)
    return {one.path: fault for one, fault in zip(files, faults, strict=True) if fault}


def _fault(store: Store, file: ShownFile, *, deep: bool) -> str:
    try:
        size = store.info(file.path).size
    except FileNotFoundError:
        return "is missing"
    if size != file.bytes:
        return f"has {size:,} bytes, {file.bytes:,} were written"
    if fault := _rows_fault(store, file.path, file.rows):
        return fault
    return file_fault(store, file.path, file.checksum) if deep and file.checksum else ""


def _rows_fault(store: Store, path: str, rows: int | None) -> str:
    """What is wrong with the footer of a Parquet file; "" if it names so many rows."""
    try:
        with translated(store.url_of(path)), store.open_input(path) as file:
            found = pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as error:
        if is_transient(error):
            raise
        return f"cannot be read ({_first_line(error)})"
    if rows is None or found == rows:
        return ""
    return f"has {counted(found, 'row')}, {counted(rows, 'was', 'were')} written"


def _tables(store: Store, paths: Iterable[str]) -> Iterator[pa.Table]:
    """The rows of Parquet files, one row group at a time."""
    for path in paths:
        with open_whole(store, path) as source, open_parquet(source) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, use_threads=False)


def _digest_fault(tables: Iterable[pa.Table], digest: str) -> str:
    """What is wrong with rows that should have this digest."""
    total, schema = RowSum(), None
    try:
        for table in tables:
            total, schema = total + table_sum(table), table.schema
    except (DamagedFileError, pa.ArrowException, OSError) as error:
        if is_transient(error):
            raise
        return f"cannot be read ({_first_line(error)})"
    if schema is None:
        return "has no rows"
    ids = id_fields(schema)
    types = "; ".join(str(one.type) for one in ids)
    same = content_digest([total], schema.names[len(ids) :], types) == digest
    return "" if same else "its rows are not those that its record names (another digest)"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:160]
