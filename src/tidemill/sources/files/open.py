"""Open an input: find its files, check their schemas, and record what identifies them.

Parquet footers and the first block of CSV files suffice, except that rows of CSV files are counted,
and kinds of the long format are read from their column.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from threading import Lock

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import SourceError
from tidemill.model.plan import GroupSpan
from tidemill.model.source import ColumnRoles, Source, SourceFile
from tidemill.sources.files.access import file_name, located
from tidemill.sources.files.discovery import FoundFile, InputLocation, discover
from tidemill.sources.files.file_format import Description, Format
from tidemill.sources.files.fingerprint import (
    check_part_unchanged,
    check_unchanged,
    content_digest,
    in_threads,
)
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.read import read_span
from tidemill.sources.files.roles import common_schema, find_id_type, find_roles
from tidemill.sources.files.window_rows import make_window
from tidemill.sources.rows.casts import check_kinds, check_nulls
from tidemill.storage.stores import Store

__all__ = [
    "check_part_unchanged",
    "check_unchanged",
    "find_files",
    "kinds_of",
    "open_source",
    "with_kinds",
]

#: Local input up to this size is identified by its content (a quarter of a second): a value
#: changed in place can leave size and footer of a Parquet file as they were. Above, the
#: modification time counts, and a copy of the input is another input.
DIGEST_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class _InputFile:
    """What identifies a file, and its description."""

    file: SourceFile
    description: Description

    @property
    def schema(self) -> pa.Schema:
        return self.description.schema


def open_source(
    location: InputLocation,
    *,
    column_id: str | Sequence[str],
    column_sort: str | None = None,
    column_kind: str | None = None,
    column_value: str | Sequence[str] | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Source:
    """Find and check the files of an input.

    Parameters
    ----------
    location : path, folder, glob, Delta table or URL, or a list of them
        Parquet (``.parquet``, ``.pq``) or CSV (``.csv``, ``.csv.gz``), not mixed. Names that
        start with ``_`` or ``.`` are skipped in folders.
    column_id, column_sort, column_kind, column_value : str
        Roles of the columns. With ``column_kind`` the format is long; without, it is wide, and
        every other column (or those named in ``column_value``) is a kind. Several columns in
        ``column_id`` make up an id.
    storage_options : mapping, optional
        Option of the object store to the *name* of the environment variable that holds it.

    Raises
    ------
    SourceError
        If nothing is found, a file is unreadable, columns are missing or of the wrong type, files
        differ in their schema, or there is no row.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow.parquet as pq
    >>> folder = tempfile.mkdtemp()
    >>> pq.write_table(pa.table({"id": [1, 1], "x": [0.5, 1.5]}), f"{folder}/a.parquet")
    >>> source = open_source(folder, column_id="id")
    >>> source.kinds, source.id_type, [(file.path, file.rows) for file in source.files]
    (('x',), 'int64', [('a.parquet', 2)])
    """
    roles = column_id, column_sort, column_kind, column_value
    return _with_rows_and_kinds(find_files(location, roles, storage_options))


def find_files(
    location: InputLocation,
    roles: tuple[str | Sequence[str], str | None, str | None, str | Sequence[str] | None],
    storage_options: Mapping[str, str] | None,
    span: tuple[int, int] | None = None,
) -> Source:
    """Find the files of an input and their schema, from footers and first blocks.

    With ``span``, ``[first, stop)`` in UTC nanoseconds, only those that may hold rows of it.
    """
    url, format_, found = discover(location, storage_options)
    options = dict(storage_options or {})
    store = Store.open(url, options)
    by_content = span is None and _is_small(store, found)
    digest = _digest_by_content if by_content else _digest_by_version
    reader = FORMATS[format_]
    if span is not None:  # the next interval looks at the same files
        inputs = in_threads(lambda file: _read_once(reader, store, file), found, store)
    else:
        inputs = in_threads(lambda file: _described(reader, store, file, digest), found, store)
    columns = find_roles(inputs[0].schema, *roles)
    named = [(store.url_of(one.file.path), one.schema) for one in inputs]
    schema = common_schema(named, reader, columns)
    window = make_window(schema, columns, *span) if span else None
    files = [
        one.file
        for one in inputs
        if window is None or reader.touches(window, columns, one.description.metadata)
    ]
    return Source(
        url=store.url,
        format=format_,
        files=tuple(files),
        columns=columns,
        id_type=find_id_type(schema, columns),
        kinds=columns.values,
        storage_options=options,
        fingerprint=_fingerprint(files, columns),
        schema=base64.b64encode(schema.serialize()).decode(),
        window=window,
    )


# What identifies a file

Digest = Callable[[Store, FoundFile, bytes], str]


def _is_small(store: Store, found: Sequence[FoundFile]) -> bool:
    return store.is_local and sum(file.size for file in found) <= DIGEST_BYTES


def _digest_by_content(store: Store, file: FoundFile, tail: bytes) -> str:
    del tail
    path = store.local_path(file.path)
    assert path is not None, "only local files are read in full"
    return content_digest(path)


def _digest_by_version(store: Store, file: FoundFile, tail: bytes) -> str:
    del store
    facts = hashlib.sha256(f"{file.size} {file.version} ".encode() + tail)
    return f"version:{facts.hexdigest()}"


def _fingerprint(files: Sequence[SourceFile], columns: ColumnRoles) -> str:
    facts = [[(file.path, file.size, file.digest) for file in files], asdict(columns)]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


# Footers and schemas


#: Descriptions kept in a process: a backfill looks at all files for each interval.
KEPT_FILES = 4096
_KEPT: OrderedDict[tuple[str, FoundFile], _InputFile] = OrderedDict()
_KEPT_LOCK = Lock()


def _read_once(format_: Format, store: Store, file: FoundFile) -> _InputFile:
    """The description of one version of a file, read once per process."""
    key = (store.url, file)
    with _KEPT_LOCK:
        if (known := _KEPT.get(key)) is not None:
            _KEPT.move_to_end(key)
            return known
    described = _described(format_, store, file, _digest_by_version)
    with _KEPT_LOCK:
        _KEPT[key] = described
        while len(_KEPT) > KEPT_FILES:
            _KEPT.popitem(last=False)
    return described


def _described(format_: Format, store: Store, file: FoundFile, digest: Digest) -> _InputFile:
    name = store.url_of(file.path)
    with located(name), store.open_input(file.path) as stream:
        description = format_.describe(stream, name, file.size)
    identified = SourceFile(
        path=file.path,
        size=file.size,
        version=file.version,
        digest=digest(store, file, description.footer),
        rows=description.rows,
        groups=description.groups,
    )
    return _InputFile(identified, description)


# Kinds and rows


def _with_rows_and_kinds(source: Source) -> Source:
    """Count the rows of CSV files, and find the kinds of the long format."""
    if not FORMATS[source.format].is_self_describing or source.columns.kind is not None:
        store = Store.open(source.url, source.storage_options)
        scanned = in_threads(lambda i: _scan(source, i), range(len(source.files)), store)
        rows = [n_rows for n_rows, _ in scanned]
        files = [replace(file, rows=n) for file, n in zip(source.files, rows, strict=True)]
        source = replace(source, files=tuple(files))
        source = with_kinds(source, set().union(*(kinds for _, kinds in scanned)))
    if not any(file.rows for file in source.files):
        raise SourceError(f"the input at {source.url} has no rows")
    return source


def with_kinds(source: Source, found: set[str]) -> Source:
    """Add the kinds that were found to a source in the long format."""
    if source.columns.kind is None:
        return source
    where = f"column_kind={source.columns.kind!r}"
    return replace(source, kinds=check_kinds(sorted(found), where))


def _scan(source: Source, index: int) -> tuple[int, set[str]]:
    """Count the rows of a file and collect its kinds, from one column."""
    column = source.columns.kind or source.columns.ids[0]
    rows, kinds = 0, pa.array([], pa.string())
    for batch in read_span(source, GroupSpan(index, 0, source.files[index].groups), [column]):
        rows += batch.num_rows
        if column == source.columns.kind:
            kinds = pa.concat_arrays([kinds, kinds_of(source, index, batch)]).unique()
    return rows, set(kinds.to_pylist())


def kinds_of(source: Source, index: int, batch: pa.RecordBatch) -> pa.Array:
    """The kinds in a batch of one file, long format."""
    column = str(source.columns.kind)
    with located(file_name(source, index)):
        check_nulls(batch.column(column), column, "every row needs a kind; drop these rows")
    return _names(batch.column(column).unique())


def _names(kinds: pa.Array) -> pa.Array:
    plain = kinds.dictionary_decode() if pt.is_dictionary(kinds.type) else kinds
    return plain.cast(pa.string())
