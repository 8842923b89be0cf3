"""CSV files as record batches: columns of values as float64, the others as their roles allow.

One pass over a file tells what its columns of ids, times and kinds can be; nothing is guessed from
the first rows but the layout, and what contradicts it later is an error that names the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import SourceError
from tidemill.model.plan import GroupSpan
from tidemill.model.source import ColumnRoles, Reading, Source
from tidemill.sources.files.access import check_row_count, file_name, open_planned
from tidemill.sources.files.csv_numbers import Numbers, Points, exact_integers, parse_numbers
from tidemill.sources.files.csv_rows import CsvTable, numbers_of, open_table, refuse_empty
from tidemill.sources.files.file_format import Description, Format, GroupBounds, any_times
from tidemill.sources.files.schema import input_columns, read_schema

__all__ = ["CSV"]


class _KeyTypes:
    """What the texts of a column of ids or times can be; narrowest type first."""

    def __init__(self, types: list[pa.DataType], numbers: Numbers) -> None:
        """Begin with no text seen; the last of the types holds any."""
        self._types = types
        self._numbers = numbers
        self._is_seen = False

    def add(self, texts: pa.Array) -> None:
        """Drop the types that do not hold these texts."""
        self._is_seen |= len(texts) > 0
        while not self._holds(texts):
            del self._types[0]

    def _holds(self, texts: pa.Array) -> bool:
        if pt.is_integer(self._types[0]):
            return exact_integers(texts) is not None
        return pt.is_string(self._types[0]) or _floats(texts, self._numbers) is not None

    @property
    def type(self) -> pa.DataType:
        """The narrowest type that holds all texts; null before there is one."""
        return self._types[0] if self._is_seen else pa.null()


def _floats(texts: pa.Array, numbers: Numbers) -> pa.Array | None:
    """Texts as float64, or None if one is not a number."""
    try:
        found = parse_numbers(texts, _without_words(numbers), "", 0)
    except SourceError:
        return None
    return None if pc.any(pc.is_nan(found)).as_py() or found.null_count else found


def _without_words(numbers: Numbers) -> Numbers:
    return Numbers(numbers.decimal, numbers.thousands, ())


# One pass over a file


def _scan(
    file: pa.NativeFile, name: str, size: int, reading: Reading, columns: ColumnRoles
) -> Description:
    """The types of the columns that are read, and the number of rows."""
    del size
    with open_table(file, name, reading) as table:
        used = [column for column in input_columns(columns) if column in table.layout.header]
        numbers = numbers_of(table, columns)
        keys = {one: _keys(one, columns, numbers) for one in used if one not in columns.values}
        is_open = numbers.decimal == "." and table.layout.delimiter == ";"
        points = Points(name) if is_open and reading.csv_decimal is None else None
        rows, kinds = 0, pa.array([], pa.string())
        for batch in table.batches(used):
            for column, texts in zip(used, batch.columns, strict=True):
                if column in keys:
                    refuse_empty(texts, column, name, rows + 1)
                    keys[column].add(texts)
                else:
                    parse_numbers(texts, numbers, _where(name, column), rows + 1)
                    if points is not None:
                        points.add(texts)
            if columns.kind in keys:
                kinds = pa.concat_arrays([kinds, batch.column(columns.kind).unique()]).unique()
            rows += batch.num_rows
    if points is not None:
        points.check()
    value = pa.float64() if rows else pa.null()
    types = {one: keys[one].type if one in keys else value for one in used}
    found = frozenset(kinds.to_pylist()) if columns.kind in keys else None
    return Description(
        pa.schema([(one, types.get(one, pa.null())) for one in table.layout.header]),
        rows=rows,
        groups=1,
        kinds=found,
    )


def _keys(column: str, columns: ColumnRoles, numbers: Numbers) -> _KeyTypes:
    if column == columns.kind:
        return _KeyTypes([pa.string()], numbers)
    floats = [pa.float64()] if column == columns.sort else []
    return _KeyTypes([pa.int64(), *floats, pa.string()], numbers)


def _where(name: str, column: str) -> str:
    return f"{name}: column {column!r}"


def _describe(file: pa.NativeFile, name: str, size: int, reading: Reading) -> Description:
    """The names of the columns."""
    del size
    with open_table(file, name, reading) as table:
        names = table.layout.header
    return Description(pa.schema([(one, pa.null()) for one in names]), rows=0, groups=1)


# A CSV file is one group.


def _group_bounds(source: Source, index: int) -> list[GroupBounds]:
    return [GroupBounds(0, source.files[index].rows, None)]


def _read_groups(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int
) -> Iterator[pa.RecordBatch]:
    """Stream columns of a file; the size of batches follows from that of the parsed blocks."""
    del rows
    name = file_name(source, span.file)
    # 0 while they are being counted; the rows of a window are counted elsewhere
    counted = source.files[span.file].rows if source.window is None else 0
    with (
        open_planned(source, span.file) as file,
        open_table(file, name, source.reading) as table,
    ):
        used = [column for column in columns if column in table.layout.header]
        batches = _typed(table, source, used)
        yield from check_row_count(batches, counted, name) if counted else batches


def _typed(table: CsvTable, source: Source, used: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows, with the types in which the input is read."""
    schema = read_schema(source)
    numbers = numbers_of(table, source.columns)
    rows = 0
    for batch in table.batches(used):
        if not used:
            yield batch
            continue
        arrays = []
        for column, texts in zip(used, batch.columns, strict=True):
            if column in source.columns.values:
                arrays.append(parse_numbers(texts, numbers, _where(table.name, column), rows + 1))
            else:
                refuse_empty(texts, column, table.name, rows + 1)
                arrays.append(_key(texts, schema.field(column).type, numbers, column, table.name))
        rows += batch.num_rows
        yield pa.RecordBatch.from_arrays(arrays, names=list(used))


def _key(texts: pa.Array, type_: pa.DataType, numbers: Numbers, column: str, name: str) -> pa.Array:
    """Ids and times with the type that they have in all files; as text if that is no number."""
    found: pa.Array | None = texts
    if pt.is_int64(type_):
        found = _integers(texts)
    elif pt.is_float64(type_):
        found = _floats(texts, numbers)
    if found is None:
        raise SourceError(
            f"{_where(name, column)} is no longer of type {type_}: the file changed while it was "
            "read; start again"
        )
    return found


def _integers(texts: pa.Array) -> pa.Array | None:
    """Texts as integers; that they read back as written is known from the scan."""
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return None


CSV = Format(
    suffixes=(".csv", ".tsv", ".txt", ".zip"),
    is_self_describing=False,
    describe=_describe,
    scan=_scan,
    time_spans=any_times,
    group_bounds=_group_bounds,
    read_groups=_read_groups,
)
