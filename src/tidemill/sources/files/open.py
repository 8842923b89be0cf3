"""Open an input: find its files, unite their schemas, and record what identifies them.

Parquet footers suffice. Formats that do not state types are read once, and so are the kinds of the
long format, and all rows if bad files are to be set aside.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import DataError, SourceError
from tidemill.model.plan import GroupSpan
from tidemill.model.source import BadFile, ColumnRoles, Reading, Source, SourceFile, Window
from tidemill.sources.files.access import file_name, located
from tidemill.sources.files.categories import find_categories
from tidemill.sources.files.describe import (
    Files,
    InputFile,
    digest_by_content,
    digest_by_version,
    none_readable,
)
from tidemill.sources.files.discovery import FoundFile, InputLocation, discover
from tidemill.sources.files.file_format import TimeBounds
from tidemill.sources.files.fingerprint import (
    check_part_unchanged,
    check_unchanged,
    in_threads,
)
from tidemill.sources.files.formats import FORMATS
from tidemill.sources.files.read import read_span
from tidemill.sources.files.roles import find_id_type, find_roles
from tidemill.sources.files.schema import input_columns, serialize
from tidemill.sources.files.text_times import with_text_times
from tidemill.sources.files.union import all_columns, unite
from tidemill.sources.files.window_rows import constant_touches, make_window, touches
from tidemill.sources.rows.casts import check_kinds, check_nulls, sound_ids
from tidemill.sources.rows.categories import mark_categories
from tidemill.storage.stores import Store

__all__ = [
    "InputLook",
    "check_keys",
    "check_part_unchanged",
    "check_unchanged",
    "files_of_span",
    "find_files",
    "kinds_of",
    "look_at_input",
    "open_source",
    "scan_files",
    "with_kinds",
]

T = TypeVar("T")

#: Local input up to this size is identified by its content (a quarter of a second): a value
#: changed in place can leave size and footer of a Parquet file as they were. Above, the
#: modification time counts, and a copy of the input is another input.
DIGEST_BYTES = 256 * 2**20

#: Columns of the roles id, sort, kind and value, as the user names them.
NamedRoles = tuple[str | Sequence[str], str | None, str | None, str | Sequence[str] | None]


def open_source(
    location: InputLocation,
    *,
    column_id: str | Sequence[str],
    column_sort: str | None = None,
    column_kind: str | None = None,
    column_value: str | Sequence[str] | None = None,
    storage_options: Mapping[str, str] | None = None,
    reading: Reading = Reading(),  # noqa: B008 (frozen)
) -> Source:
    """Find and check the files of an input.

    Parameters
    ----------
    location : path, folder, glob, Delta table or URL, or a list of them
        Files of one format. Names that start with ``_`` or ``.`` are skipped in folders.
    column_id, column_sort, column_kind, column_value : str
        Roles of the columns. With ``column_kind`` the format is long; without, it is wide, and
        every other column (or those named in ``column_value``) is a kind. Several columns in
        ``column_id`` make up an id. Columns in the names of folders have a role if it is named.
    storage_options : mapping, optional
        Option of the object store to the *name* of the environment variable that holds it.
    reading : how to read what the files do not say themselves

    Raises
    ------
    SourceError
        If nothing is found, a file is unreadable, columns are missing or of types that do not go
        together, or there is no row.

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
    look = _look(location, roles, storage_options, reading)
    source = _with_rows_and_kinds(*_united(look))
    if not source.files:
        raise none_readable(source.bad_files)
    if not any(file.rows for file in source.files):
        raise SourceError(f"the input at {source.url} has no rows")
    return source


@dataclass(frozen=True, slots=True)
class InputLook:
    """What one look at an input has found: all its files, described."""

    source: Source  # of all files, before their schemas are united
    inputs: Sequence[InputFile]
    declared: pa.Schema  # of a table's log
    column_value: str | Sequence[str] | None  # as given
    spans: Sequence[Sequence[TimeBounds | None]] = ()  # of the groups of each file


def find_files(
    location: InputLocation,
    roles: NamedRoles,
    storage_options: Mapping[str, str] | None,
    span: tuple[int, int],
    reading: Reading = Reading(),  # noqa: B008 (frozen)
) -> Source:
    """Find the files that may hold rows of a span, and the union of their schemas.

    ``span`` is ``[first, stop)`` in UTC nanoseconds.
    """
    return files_of_span(look_at_input(location, roles, storage_options, reading), span)


def look_at_input(
    location: InputLocation,
    roles: NamedRoles,
    storage_options: Mapping[str, str] | None,
    reading: Reading = Reading(),  # noqa: B008 (frozen)
) -> InputLook:
    """Find and describe all files once, to say which of them may hold rows of many spans."""
    look = _look(location, roles, storage_options, reading, by_span=True)
    columns, spans_of = look.source.columns, FORMATS[look.source.format].time_spans
    spans = [spans_of(columns, reading, one.description.metadata) for one in look.inputs]
    return replace(look, spans=spans)


def files_of_span(look: InputLook, span: tuple[int, int]) -> Source:
    """The files that may hold rows of a span, as :func:`find_files` finds them."""
    return _united(look, span)[0]


def _look(
    location: InputLocation,
    roles: NamedRoles,
    storage_options: Mapping[str, str] | None,
    reading: Reading,
    *,
    by_span: bool = False,
) -> InputLook:
    options = dict(storage_options or {})
    input_ = discover(location, options, reading.id_from_path)
    store = Store.open(input_.url, options)
    by_content = not by_span and _is_small(store, input_.files)
    digest = digest_by_content if by_content else digest_by_version
    # The next interval looks at the same files.
    files = Files(store, FORMATS[input_.format], reading, digest, keep=by_span)
    described, bad = files.describe(input_.files)
    with_rows = [one for one in described if one.file.rows] or described
    names, constants = all_columns((one.columns for one in with_rows), input_.declared)
    columns = find_roles(names, constants, *roles)
    inputs, unreadable = files.scan(described, columns)
    source = Source(
        url=store.url,
        format=input_.format,
        files=tuple(one.file for one in inputs),
        columns=columns,
        id_type="",
        kinds=columns.values,
        storage_options=options,
        fingerprint="",
        reading=reading,
        bad_files=(*bad, *unreadable),
    )
    return InputLook(source, inputs, input_.declared, roles[3])


def _united(
    look: InputLook, span: tuple[int, int] | None = None
) -> tuple[Source, Sequence[InputFile]]:
    """The source with the union of schemas; with a span, of the files that may hold its rows."""
    source, inputs = look.source, look.inputs
    inside = inputs if span is None else _touching(look, span)
    inputs = inside or inputs  # if nothing is read, all files say what there is
    inputs = [one for one in inputs if one.file.rows] or inputs  # types of no rows say nothing
    if look.column_value is None and span is not None:
        source = replace(source, columns=_with_values_of(inputs, source.columns))
    provisional = _provisional(source, inputs)
    own = [one.columns for one in inputs]
    categories = None
    if span is None:  # intervals are cut by times
        own, categories = find_categories(provisional, own)
    schemas = with_text_times(provisional, own)
    union = unite(
        schemas,
        source.columns,
        source.reading,
        look.declared,
        needs_times=span is not None,
        is_typed=FORMATS[source.format].is_self_describing,
    )
    schema = mark_categories(union.schema, source.columns.sort, categories)
    files = tuple(one.file for one in inside)
    return replace(
        source,
        files=files,
        kinds=source.columns.values,
        id_type=find_id_type(union.schema, source.columns),
        schema=serialize(schema),
        lacking=union.lacking,
        fingerprint=_fingerprint(files, source.columns, source.reading),
        window=None if span is None else make_window(union.schema, source.columns, *span),
    ), inside


def _touching(look: InputLook, span: tuple[int, int]) -> list[InputFile]:
    """The files that may hold rows of a span."""
    source = look.source
    if source.columns.sort is None:
        raise SourceError("column_time=None is not allowed; name the column of timestamps")
    window, name, reading = Window(*span, "ns"), source.columns.sort, source.reading
    return [
        one
        for one, spans in zip(look.inputs, look.spans, strict=True)
        if touches(window, spans) and constant_touches(window, one.file.constants, name, reading)
    ]


def _with_values_of(inputs: Sequence[InputFile], columns: ColumnRoles) -> ColumnRoles:
    """Leave out columns of values that no file has."""
    present = {name for one in inputs for name in one.description.schema.names}
    values = tuple(name for name in columns.values if name in present)
    return replace(columns, values=values or columns.values)


def _provisional(source: Source, inputs: Sequence[InputFile]) -> Source:
    """A source whose files can be read before the types of all are known."""
    known = {field.name: field for one in inputs for field in one.description.schema}
    fields = [
        known.get(name, pa.field(name, pa.string())) for name in input_columns(source.columns)
    ]
    files = tuple(one.file for one in inputs)
    return replace(source, files=files, schema=serialize(pa.schema(fields)))


def _is_small(store: Store, found: Sequence[FoundFile]) -> bool:
    return store.is_local and sum(file.size for file in found) <= DIGEST_BYTES


def _fingerprint(files: Sequence[SourceFile], columns: ColumnRoles, reading: Reading) -> str:
    facts: list[object] = [[(file.path, file.size, file.digest) for file in files], asdict(columns)]
    if constants := [file.constants for file in files if file.constants]:
        facts.append(constants)
    if reading.given:
        facts.append(reading.given)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


# Kinds and rows


def _with_rows_and_kinds(source: Source, inputs: Sequence[InputFile]) -> Source:
    """Find rows and kinds where no footer tells; read all columns if bad files are set aside."""
    known = [one.description for one in inputs]
    needs_kinds = source.columns.kind is not None
    is_known = all(one.rows and (one.kinds is not None or not needs_kinds) for one in known)
    quarantines = source.reading.on_bad_file == "quarantine"
    if not quarantines and is_known:
        return with_kinds(source, set().union(*(one.kinds or () for one in known)))
    if not quarantines and not needs_kinds and FORMATS[source.format].is_self_describing:
        return source
    wanted = input_columns(source.columns) if quarantines else _telling(source.columns)
    scanned, source = scan_files(source, lambda index: _scan(source, index, wanted))
    files = [
        replace(file, rows=rows) for file, (rows, _) in zip(source.files, scanned, strict=True)
    ]
    source = replace(
        source,
        files=tuple(files),
        fingerprint=_fingerprint(files, source.columns, source.reading),
    )
    return with_kinds(source, set().union(*(kinds for _, kinds in scanned)))


def scan_files(source: Source, scan: Callable[[int], T]) -> tuple[list[T], Source]:
    """Apply a function to all files in threads; files that it cannot read are set aside.

    Returns
    -------
    results, source
        Those of the files that are left, and the source with these.

    Raises
    ------
    SourceError, DataError
        Of the first file that cannot be read, unless bad files are quarantined.
    """

    def attempt(index: int) -> T | BadFile:
        try:
            return scan(index)
        except (SourceError, DataError) as error:
            if source.reading.on_bad_file != "quarantine":
                raise
            file = source.files[index]
            return BadFile(file.path, file.size, file.digest, str(error))

    store = Store.open(source.url, source.storage_options)
    found = in_threads(attempt, range(len(source.files)), store)
    bad = tuple(one for one in found if isinstance(one, BadFile))
    kept = [(f, r) for f, r in zip(source.files, found, strict=True) if not isinstance(r, BadFile)]
    files = tuple(file for file, _ in kept)
    left = replace(source, files=files, bad_files=(*source.bad_files, *bad))
    return [result for _, result in kept], left


def with_kinds(source: Source, found: set[str]) -> Source:
    """Add the kinds that were found to a source in the long format."""
    if source.columns.kind is None:
        return source
    where = f"column_kind={source.columns.kind!r}"
    return replace(source, kinds=check_kinds(sorted(found), where))


def _telling(columns: ColumnRoles) -> tuple[str, ...]:
    """The one column whose rows are counted, and whose kinds are collected."""
    return (columns.kind or columns.ids[0],)


def _scan(source: Source, index: int, columns: Sequence[str]) -> tuple[int, set[str]]:
    """Count the rows of a file, collect its kinds, and check its keys if they are read."""
    rows, kinds = 0, pa.array([], pa.string())
    for batch in read_span(source, GroupSpan(index, 0, source.files[index].groups), columns):
        rows += batch.num_rows
        if source.columns.kind in columns:
            kinds = pa.concat_arrays([kinds, kinds_of(source, index, batch)]).unique()
        if len(columns) > 1:
            check_keys(source, index, batch)
    return rows, set(kinds.to_pylist())


def check_keys(source: Source, index: int, batch: pa.RecordBatch) -> None:
    """Refuse rows without an id or a sort value, and name the file.

    Raises
    ------
    DataError
        With their count and the first rows.
    """
    with located(file_name(source, index)):
        for name in source.columns.ids:
            sound_ids(batch.column(name), name)
        if (sort := source.columns.sort) is not None:
            check_nulls(batch.column(sort), sort, "every row needs a sort value; drop these rows")


def kinds_of(source: Source, index: int, batch: pa.RecordBatch) -> pa.Array:
    """The kinds in a batch of one file, long format."""
    column = str(source.columns.kind)
    with located(file_name(source, index)):
        check_nulls(batch.column(column), column, "every row needs a kind; drop these rows")
    return _names(batch.column(column).unique())


def _names(kinds: pa.Array) -> pa.Array:
    plain = kinds.dictionary_decode() if pt.is_dictionary(kinds.type) else kinds
    return plain.cast(pa.string())
