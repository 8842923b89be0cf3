"""JSON lines: one object a line. Numbers are exact, and text stays text.

The standard library reads them: Arrow's reader takes text that looks like a time for one, and
rounds large integers in columns of floats.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import DataError, SourceError, shorten
from tidemill.model.counts import counted
from tidemill.model.plan import GroupSpan
from tidemill.model.source import ColumnRoles, Reading, Source
from tidemill.sources.files.access import check_row_count, file_name, open_planned
from tidemill.sources.files.compression import open_plain
from tidemill.sources.files.csv_text import Utf8Text
from tidemill.sources.files.file_format import Description, Format, GroupBounds, any_times
from tidemill.sources.files.schema import input_columns, read_schema
from tidemill.sources.rows.casts import LARGEST_INTEGER

__all__ = ["JSON_LINES"]

#: Bytes read at a time.
BLOCK_BYTES = 2**20
LARGEST_INT64 = 2**63 - 1

Row = dict[str, Any]


def _each_once(pairs: list[tuple[str, Any]]) -> Row:
    """An object, if no key is there twice: which of two values counts is not for us to say."""
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in row if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return row


@dataclass(slots=True)
class _Block:
    """Some rows of a file, and the number of the first one."""

    rows: list[Row]
    first: int


@dataclass(slots=True)
class _File:
    """An open file, whose rows can be read once."""

    name: str
    text: Utf8Text

    def blocks(self) -> Iterator[_Block]:
        """The rows, block by block."""
        first = 1
        for lines in self._lines():
            rows = self._parsed(lines, first)
            if rows:
                yield _Block(rows, first)
            first += len(rows)

    def _lines(self) -> Iterator[list[bytes]]:
        rest, block = b"", self.text.head
        while block:
            *lines, rest = (rest + block).split(b"\n")
            yield [line for line in lines if line.strip()]
            block = self.text.read_block(BLOCK_BYTES)
        if rest.strip():
            yield [rest]

    def _parsed(self, lines: Sequence[bytes], first: int) -> list[Row]:
        try:
            text = b"[" + b",".join(lines) + b"]"
            rows: list[Row] = json.loads(text, object_pairs_hook=_each_once)
        except ValueError:
            rows = []
        if len(rows) != len(lines) or not all(isinstance(row, dict) for row in rows):
            rows = [self._one(line, first + place) for place, line in enumerate(lines)]
        return rows

    def _one(self, line: bytes, number: int) -> Row:
        shown = line[:80].decode(errors="replace").strip()
        try:
            row = json.loads(line, object_pairs_hook=_each_once)
        except ValueError as error:
            raise SourceError(
                f"{self.name}, row {number}: {shown!r} is not JSON ({error}): fix or remove the "
                "line; every line holds one object"
            ) from None
        if not isinstance(row, dict):
            raise SourceError(
                f"{self.name}, row {number}: {shown!r} is not an object: write one object a line"
            )
        return row


@contextmanager
def _open(file: pa.NativeFile, name: str, reading: Reading) -> Iterator[_File]:
    with open_plain(file, name) as plain:
        yield _File(name, Utf8Text(plain, name, reading.csv_encoding))


def _describe(file: pa.NativeFile, name: str, size: int, reading: Reading) -> Description:
    """The names of the columns, from all rows: any row may have one that others lack."""
    del size
    names: dict[str, None] = {}
    with _open(file, name, reading) as opened:
        for block in opened.blocks():
            for row in block.rows:
                if not row.keys() <= names.keys():
                    names.update(dict.fromkeys(row))
    return Description(pa.schema([(one, pa.null()) for one in names]), rows=0, groups=1)


# One pass for the types


def _scan(
    file: pa.NativeFile, name: str, size: int, reading: Reading, columns: ColumnRoles
) -> Description:
    """The types of the columns that are read, and the number of rows."""
    del size
    seen: dict[str, set[type]] = {one: set() for one in input_columns(columns)}
    named: set[str] = set()
    kinds: set[str] = set()
    rows = 0
    with _open(file, name, reading) as opened:
        for block in opened.blocks():
            rows += len(block.rows)
            for column, types in seen.items():
                found = [row.get(column) for row in block.rows]
                types |= set(map(type, found))
                named |= {column} if any(column in row for row in block.rows) else set()
                _check(found, column, columns, f"{name}: column {column!r}", block.first)
                if column == columns.kind:
                    kinds |= set(map(str, found))
    present = {one: types - {type(None)} for one, types in seen.items() if one in named}
    schema = pa.schema([(one, _type(one, types, columns, name)) for one, types in present.items()])
    return Description(schema, rows, 1, kinds=frozenset(kinds) if columns.kind in present else None)


def _check(
    found: Sequence[object], column: str, columns: ColumnRoles, where: str, first: int
) -> None:
    """Refuse what cannot be in a column of values, or of ids, times and kinds."""
    is_value = column in columns.values
    allowed = (int, float, bool, type(None)) if is_value else (int, float, str, type(None))
    limit = LARGEST_INTEGER if is_value else LARGEST_INT64
    for place, one in enumerate(found):
        if isinstance(one, int) and not isinstance(one, bool):
            if abs(one) > limit:
                bound = "2**53, up to which float64 is exact" if is_value else "those of int64"
                raise DataError(
                    f"{where}, row {first + place}: {one} is an integer beyond {bound}: write it "
                    f"as {'a float if rounded values will do' if is_value else 'text'}"
                )
        elif type(one) not in allowed:
            wanted = "a number" if is_value else "a number or text"
            raise SourceError(
                f"{where}, row {first + place}: {json.dumps(one)[:80]} is not {wanted}: fix it, or "
                "leave the column out by naming the columns to use in column_value"
            )


def _type(column: str, types: set[type], columns: ColumnRoles, name: str) -> pa.DataType:
    """The type of a column in one file."""
    if not types:
        return pa.null()
    if column in columns.values:
        return pa.float64()
    if column == columns.kind or types == {str}:
        return pa.string()
    if types == {int}:
        return pa.int64()
    if column == columns.sort and str not in types:
        return pa.float64()
    listed = shorten(sorted(one.__name__ for one in types))
    raise SourceError(
        f"{name}: column {column!r} holds {listed}: write its values as integers or as text, "
        "the same in all rows"
    )


def _group_bounds(source: Source, index: int) -> list[GroupBounds]:
    return [GroupBounds(0, source.files[index].rows, None)]


def _read_groups(
    source: Source, span: GroupSpan, columns: Sequence[str], rows: int
) -> Iterator[pa.RecordBatch]:
    """Stream columns of a file; the size of batches follows from that of the blocks."""
    del rows
    name, counted = file_name(source, span.file), source.files[span.file].rows
    with (
        open_planned(source, span.file) as file,
        _open(file, name, source.reading) as opened,
    ):
        batches = _typed(opened, source, columns)
        is_counted = counted and source.window is None
        yield from check_row_count(batches, counted, name) if is_counted else batches


def _typed(opened: _File, source: Source, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    schema = read_schema(source)
    constants = {name for one in source.files for name, _ in one.constants}
    used = [one for one in columns if one not in constants]
    for block in opened.blocks():
        arrays = []
        for column in used:
            found = [row.get(column) for row in block.rows]
            if column not in source.columns.values:
                _refuse_missing(found, column, opened.name, block.first)
            arrays.append(_array(found, schema.field(column).type))
        if not arrays:
            arrays = [pa.nulls(len(block.rows))]
        yield pa.RecordBatch.from_arrays(arrays, names=used or [""])


def _array(found: Sequence[Any], type_: pa.DataType) -> pa.Array:
    """Values with the type of the input; what is no number there comes as text."""
    if pt.is_float64(type_):
        return pa.array([None if one is None else float(one) for one in found], type_)
    if pt.is_string(type_):
        return pa.array(list(map(str, found)), type_)
    if all(isinstance(one, int) for one in found):
        return pa.array(found, pa.int64())
    return pa.array(list(map(str, found)), pa.string())


def _refuse_missing(found: Sequence[object], column: str, name: str, first: int) -> None:
    missing = [first + place for place, one in enumerate(found) if one is None or one == ""]
    if missing:
        raise DataError(
            f"{name}: column {column!r} is null or empty in {counted(len(missing), 'row')} (rows "
            f"{shorten(missing)}); every row needs an id, and a sort value and kind where these "
            "are named: drop these rows or fill them in"
        )


JSON_LINES = Format(
    suffixes=(".jsonl", ".ndjson"),
    is_self_describing=False,
    describe=_describe,
    scan=_scan,
    time_spans=any_times,
    group_bounds=_group_bounds,
    read_groups=_read_groups,
)
