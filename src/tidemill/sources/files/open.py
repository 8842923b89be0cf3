"""Open an input: find its files, check their schema, and freeze what identifies them.

Parquet is judged by its footers, CSV by its first block; only the kinds of the long format
need a column to be read.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tidemill.errors import SourceError, shorten
from tidemill.model.id_types import id_type
from tidemill.model.plan import GroupSpan
from tidemill.model.source import ColumnRoles, Source, SourceFile
from tidemill.sources.files.csv import csv_schema, value_types
from tidemill.sources.files.discovery import FoundFile, InputLocation, discover
from tidemill.sources.files.fingerprint import (
    check_part_unchanged,
    check_unchanged,
    content_digest,
    in_threads,
)
from tidemill.sources.files.read import (
    file_name,
    input_columns,
    located,
    plain_type,
    read_span,
)
from tidemill.sources.files.window_rows import make_window, touches
from tidemill.sources.rows.casts import as_float64, check_kinds, check_nulls
from tidemill.storage.stores import Store

__all__ = [
    "check_part_unchanged",
    "check_unchanged",
    "find_files",
    "kinds_of",
    "open_source",
    "with_kinds",
]

#: Local input up to this size is identified by its whole content (a quarter of a second): a value
#: mended in place can leave size and footer of a Parquet file as they were. Above, the
#: modification time counts, and a copy of the input is another input.
DIGEST_BYTES = 256 * 2**20
#: Bytes at the end of a Parquet file that hold most footers.
TAIL_BYTES = 2**16

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, slots=True)
class _Facts:
    """One file's digest, rows, groups and schema."""

    file: SourceFile
    schema: pa.Schema
    metadata: pq.FileMetaData | None = None


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
    """The files of an input and their schema, from footers and first blocks.

    With ``span``, ``[first, stop)`` in UTC nanoseconds, those that may hold rows of that window.
    """
    url, format_, found = discover(location, storage_options)
    options = dict(storage_options or {})
    store = Store.open(url, options)
    by_content = span is None and _is_small(store, found)
    digest = _digest_by_content if by_content else _digest_by_version
    read = _parquet_facts if format_ == "parquet" else _csv_facts
    if span is not None:  # the next interval looks at the same files
        facts = in_threads(lambda one: _facts_of(read, store, one), found, store)
    else:
        facts = in_threads(lambda file: read(store, file, digest), found, store)
    columns = _roles(facts[0].schema, *roles)
    schema = _one_schema(store, facts, format_, columns)
    window = make_window(schema, columns, *span) if span else None
    files = [one.file for one in facts if window is None or touches(window, columns, one.metadata)]
    return Source(
        url=store.url,
        format=format_,
        files=tuple(files),
        columns=columns,
        id_type=_id_type(schema, columns),
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


#: Files whose facts are kept in a process: a backfill looks at all files for each interval.
KEPT_FACTS = 4096
_KEPT: OrderedDict[tuple[str, FoundFile], _Facts] = OrderedDict()
_KEPT_LOCK = Lock()


def _facts_of(
    read: Callable[[Store, FoundFile, Digest], _Facts], store: Store, file: FoundFile
) -> _Facts:
    """The facts of one version of a file, read once."""
    key = (store.url, file)
    with _KEPT_LOCK:
        if (facts := _KEPT.get(key)) is not None:
            _KEPT.move_to_end(key)
            return facts
    facts = read(store, file, _digest_by_version)
    with _KEPT_LOCK:
        _KEPT[key] = facts
        while len(_KEPT) > KEPT_FACTS:
            _KEPT.popitem(last=False)
    return facts


def _parquet_facts(store: Store, file: FoundFile, digest: Digest) -> _Facts:
    name = store.url_of(file.path)
    with located(name), store.open_input(file.path) as stream:
        tail = _footer(stream, file.size)
        metadata = pq.read_metadata(pa.BufferReader(tail))
        schema = metadata.schema.to_arrow_schema()
    facts = SourceFile(
        path=file.path,
        size=file.size,
        version=file.version,
        digest=digest(store, file, tail),
        rows=metadata.num_rows,
        groups=metadata.num_row_groups,
    )
    return _Facts(facts, schema, metadata)


def _footer(stream: pa.NativeFile, size: int) -> bytes:
    """The footer and the eight bytes behind it, in one read where they fit."""
    tail: bytes = stream.read_at(min(size, TAIL_BYTES), max(size - TAIL_BYTES, 0))
    if len(tail) < 12 or tail[-4:] != b"PAR1":
        raise pa.ArrowInvalid("it does not end as Parquet does")
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > size:
        raise pa.ArrowInvalid("its footer is longer than the file")
    if length > len(tail):
        return bytes(stream.read_at(length, size - length))
    return tail[-length:]


def _csv_facts(store: Store, file: FoundFile, digest: Digest) -> _Facts:
    name = store.url_of(file.path)
    with located(name), store.open_input(file.path) as stream:
        schema = csv_schema(stream, name)
    facts = SourceFile(
        path=file.path,
        size=file.size,
        version=file.version,
        digest=digest(store, file, b""),
        rows=0,
        groups=1,
    )
    return _Facts(facts, schema)


def _roles(
    schema: pa.Schema,
    column_id: str | Sequence[str],
    column_sort: str | None,
    column_kind: str | None,
    column_value: str | Sequence[str] | None,
) -> ColumnRoles:
    """The roles of the columns, checked against the first file."""
    values = [column_value] if isinstance(column_value, str) else list(column_value or [])
    ids = (column_id,) if isinstance(column_id, str) else tuple(column_id)
    named = {"column_sort": column_sort, "column_kind": column_kind}
    roles = [("column_id", name) for name in ids]
    roles += [(role, name) for role, name in named.items() if name is not None]
    roles += [("column_value", name) for name in values]
    _check_named(schema, roles)
    if not values:
        taken = {name for _, name in roles}
        rest = [name for name in schema.names if name not in taken]
        values = [name for name in rest if not _PANDAS_INDEX.fullmatch(name)]
    if column_kind is not None and len(values) != 1:
        raise SourceError(
            f"the long format (column_kind={column_kind!r}) has one column of values, but these "
            f"could be: {shorten(map(repr, values))}; name it in column_value"
        )
    if not values:
        raise SourceError(f"no column is left for values beside {shorten(n for _, n in roles)}")
    columns = ColumnRoles(ids[0] if len(ids) == 1 else ids, column_sort, column_kind, tuple(values))
    if len(ids) > 1 and columns.key in input_columns(columns):
        raise SourceError(f"column {columns.key!r} is named as the id would be; rename it")
    return columns


def _check_named(schema: pa.Schema, roles: Sequence[tuple[str, str]]) -> None:
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    seen: dict[str, str] = {}
    for role, name in roles:
        if name not in schema.names:
            near = difflib.get_close_matches(name, schema.names, n=3) or schema.names
            raise SourceError(
                f"{role}={name!r} is no column of the input; nearest: {shorten(map(repr, near))}"
            )
        if name in twice:
            raise SourceError(f"{role}={name!r}: several columns have this name; rename them")
        if name in seen:
            raise SourceError(f"{seen[name]} and {role} are both {name!r}; name different columns")
        seen[name] = role


def _one_schema(
    store: Store, facts: Sequence[_Facts], format_: str, columns: ColumnRoles
) -> pa.Schema:
    """The types of the used columns, which must be the same in all files."""
    first = next((one for one in facts if pa.null() not in one.schema.types), facts[0])
    expected = _used(first.schema, format_, columns)
    for one in facts:
        if not one.schema.equals(first.schema):
            _compare(store.url_of(one.file.path), one.schema, expected, format_, columns)
    _check_types(expected, columns)
    return expected


def _used(schema: pa.Schema, format_: str, columns: ColumnRoles) -> pa.Schema:
    """The used columns with the types in which they are read, spilled and compared."""
    typed = value_types(schema, columns) if format_ == "csv" else schema
    names = input_columns(columns)
    return pa.schema([(name, plain_type(typed.field(name).type)) for name in names])


def _compare(
    name: str, schema: pa.Schema, expected: pa.Schema, format_: str, columns: ColumnRoles
) -> None:
    missing = [column for column in expected.names if column not in schema.names]
    if missing:
        raise SourceError(
            f"{name} has no column {shorten(map(repr, missing))}, which another file has; all "
            "files need the same columns"
        )
    for field in _used(schema, format_, columns):
        wanted = expected.field(field.name).type
        unknown = format_ == "csv" and pt.is_null(schema.field(field.name).type)
        if field.type != wanted and not unknown:  # a CSV file without rows has no types
            raise SourceError(
                f"{name}: column {field.name!r} has type {field.type}, but {wanted} in another "
                "file; write all files with one type"
            )


def _check_types(schema: pa.Schema, columns: ColumnRoles) -> None:
    for name in columns.values:
        as_float64(pa.array([], schema.field(name).type), name)
    if columns.kind is None:
        check_kinds(columns.values, "the columns of values")
    elif not _is_kind(schema.field(columns.kind).type):
        raise SourceError(
            f"column {columns.kind!r} has type {schema.field(columns.kind).type}, but kinds are "
            "names: cast it to strings"
        )
    for name in [] if columns.sort is None else [columns.sort]:
        sort_type = schema.field(name).type
        if pt.is_nested(sort_type) or pt.is_null(sort_type):
            raise SourceError(f"column {name!r} has type {sort_type}, which has no order")


def _is_kind(type_: pa.DataType) -> bool:
    return bool(pt.is_string(type_) or pt.is_integer(type_))


def _id_type(schema: pa.Schema, columns: ColumnRoles) -> str | tuple[str, ...]:
    types = tuple(_type_of_ids(schema, name) for name in columns.ids)
    return types[0] if len(types) == 1 else types


def _type_of_ids(schema: pa.Schema, name: str) -> str:
    try:
        return str(id_type(schema.field(name).type))
    except SourceError as error:
        raise SourceError(f"column {name!r}: {error}") from None


# What only the rows tell


def _with_rows_and_kinds(source: Source) -> Source:
    """Count the rows of CSV files, and find the kinds of the long format."""
    if source.format == "csv" or source.columns.kind is not None:
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
    """The source with the kinds of the long format that were found."""
    if source.columns.kind is None:
        return source
    where = f"column_kind={source.columns.kind!r}"
    return replace(source, kinds=check_kinds(sorted(found), where))


def _scan(source: Source, index: int) -> tuple[int, set[str]]:
    """Rows of a file and its kinds, from one column."""
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
