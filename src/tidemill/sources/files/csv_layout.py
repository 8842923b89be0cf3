"""How a CSV file is laid out, told from its first lines: delimiter, header, what is skipped."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tidemill.errors import SourceError, shorten
from tidemill.model.source import Reading
from tidemill.sources.files.csv_numbers import is_null_word, looks_like_number, looks_like_time
from tidemill.sources.files.csv_text import Utf8Text, comment_marks, split_lines
from tidemill.sources.files.csv_units import looks_like_unit

__all__ = ["CsvLayout", "find_layout"]

DELIMITERS = (",", ";", "\t", "|")
#: Rows whose fields are looked at to tell the delimiter.
SAMPLE_ROWS = 200
#: The share of records that must have as many fields as the header.
REGULAR = 0.5
#: Excel's own first line, such as ``sep=;``.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*')


class _Record(NamedTuple):
    """The fields of a row, and the number of the first line behind it."""

    fields: list[str]
    end: int


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How the rows of a file are to be parsed."""

    delimiter: str
    names: tuple[str, ...]  # of all columns; "" where the header has none
    skip: int  # bytes of the decoded text before the first row
    is_spaced: bool  # a space follows every delimiter, and belongs to no text
    rows: tuple[tuple[str, ...], ...]  # the first ones

    @property
    def header(self) -> tuple[str, ...]:
        """Names without that of a last column that trailing delimiters make."""
        is_made = not self.names[-1] and all(not row[-1].strip() for row in self.rows)
        return self.names[:-1] if is_made and len(self.names) > 1 else self.names


def find_layout(text: Utf8Text, reading: Reading) -> CsvLayout:
    """Tell the layout of a file from its first lines and from what the user says.

    Raises
    ------
    SourceError
        If the first lines leave open how the file is laid out; the message names the option that
        decides it.

    Examples
    --------
    >>> import io
    >>> lines = ["Logger 7", "id;temp", ";degC", "1;0,5", "1;0,7"]
    >>> text = Utf8Text(io.BytesIO(chr(10).join(lines).encode()), "a.csv", None)
    >>> layout = find_layout(text, Reading())
    >>> layout.delimiter, layout.names, layout.rows[0]
    (';', ('id', 'temp'), ('1', '0,5'))
    """
    lines = split_lines(text.head.decode(errors="surrogateescape"))
    if not text.is_whole:
        lines = lines[:-1]
    if not lines:
        raise SourceError(f"{text.name} is not a CSV file: its first line is longer than 64 KiB")
    _refuse_page(lines[0], text.name)
    given = reading.csv_delimiter
    first = 0
    if (said := _SEPARATOR_LINE.fullmatch(lines[0])) is not None:
        given, first = given or said[1], 1
    marks = comment_marks(reading.csv_comment)
    kept = [place for place in range(first, len(lines)) if not lines[place].startswith(marks)]
    table = _Head(text.name, lines, kept, reading)
    delimiter = _find_delimiter(table, given)
    return _lay_out(table, delimiter)


def _refuse_page(line: str, name: str) -> None:
    if line.lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
        raise SourceError(
            f"{name} is a web page or XML, not CSV: was it a login page that was saved?"
        )
    if line.startswith("PAR1"):
        raise SourceError(f"{name} is a Parquet file: let its name end in .parquet")


@dataclass(frozen=True, slots=True)
class _Head:
    """The first lines of a file."""

    name: str
    lines: list[str]
    kept: list[int]  # those that are no comments
    reading: Reading
    known: dict[str, list[_Record]] = field(default_factory=dict)  # by delimiter

    def records(self, delimiter: str) -> list[_Record]:
        """The records, without empty lines."""
        if delimiter not in self.known:
            self.known[delimiter] = self._parsed(delimiter)
        return self.known[delimiter]

    def _parsed(self, delimiter: str) -> list[_Record]:
        reader = csv.reader((self.lines[place] for place in self.kept), delimiter=delimiter)
        try:
            found = [_Record(one, self.kept[reader.line_num - 1] + 1) for one in reader]
        except csv.Error as error:
            raise SourceError(f"{self.name} cannot be read as CSV: {error}") from None
        return [one for one in found if len(one.fields) > 1 or "".join(one.fields).strip()]

    def holds(self, text: str) -> bool:
        """Whether a text is in one of the lines."""
        return any(text in self.lines[place] for place in self.kept)


# The delimiter


class _Candidate(NamedTuple):
    """How well a delimiter explains the first lines."""

    delimiter: str
    regular: float  # share of records with the most frequent number of fields, above one
    numeric: float  # share of their fields that are numbers, times or missing


def _find_delimiter(head: _Head, given: str | None) -> str:
    if given is not None:
        return given
    seen = [_candidate(head, delimiter) for delimiter in DELIMITERS if head.holds(delimiter)]
    found = [one for one in seen if one is not None and one.regular >= REGULAR]
    if not found:
        _check_one_column(head)
        return ","
    best = max(found, key=lambda one: (one.numeric, one.regular))
    rivals = [one for one in found if one is not best]
    if any(one.numeric == best.numeric or one.regular > best.regular for one in rivals):
        raise SourceError(
            f"{head.name} could be separated by {' or '.join(repr(one.delimiter) for one in found)}"
            ": say which in csv_delimiter (--csv-delimiter)"
        )
    return best.delimiter


def _candidate(head: _Head, delimiter: str) -> _Candidate | None:
    records = head.records(delimiter)
    count = _usual_count(records)
    if count is None:
        return None
    rows = [one.fields for one in records if len(one.fields) == count]
    fields = [field for row in rows[1:SAMPLE_ROWS] for field in row]
    numeric = sum(_is_data(field) or is_null_word(field) for field in fields)
    return _Candidate(delimiter, len(rows) / len(records), numeric / max(len(fields), 1))


def _usual_count(records: Sequence[_Record]) -> int | None:
    """The most frequent number of fields, if there are several."""
    counts = Counter(len(one.fields) for one in records if len(one.fields) > 1)
    return counts.most_common(1)[0][0] if counts else None


def _is_data(field: str) -> bool:
    return looks_like_number(field) or looks_like_time(field)


def _check_one_column(head: _Head) -> None:
    """Refuse a file with one column, unless it is surely a name and numbers."""
    fields = [one.fields[0] for one in _some_records(head, ",")]
    rows = fields if head.reading.columns else fields[1:]
    if rows and all(looks_like_number(field) or is_null_word(field) for field in rows):
        return
    raise SourceError(
        f"{head.name} has only one column if its columns are separated by ',', ';', a tab or '|' "
        f"(first line: {head.lines[head.kept[0]].strip()[:80]!r}): say in csv_delimiter "
        "(--csv-delimiter) what separates them"
    )


def _some_records(head: _Head, delimiter: str) -> list[_Record]:
    if records := head.records(delimiter):
        return records
    raise SourceError(f"{head.name} has no line besides comments: remove it from the input")


# The header, and what is skipped


def _lay_out(head: _Head, delimiter: str) -> CsvLayout:
    records = _some_records(head, delimiter)
    if head.reading.columns:
        return _without_header(head, delimiter, records)
    count = _usual_count(records) or 1
    place = next(place for place, one in enumerate(records) if len(one.fields) == count)
    names, place = _names(records, place, count)
    _check_header(head, records, place, names)
    rows = [one.fields for one in records[place + 1 :] if len(one.fields) == count]
    if has_units := _is_unit_row(rows):
        rows = rows[1:]
    end = records[place + has_units].end
    return _layout(head, delimiter, names, end, rows)


def _without_header(head: _Head, delimiter: str, records: Sequence[_Record]) -> CsvLayout:
    names = head.reading.columns
    first = records[0].fields
    if len(names) != len(first):
        raise SourceError(
            f"{head.name} has {len(first)} fields in its first row {shorten(map(repr, first))}, "
            f"but columns names {len(names)}: {shorten(names)}"
        )
    rows = [one.fields for one in records if len(one.fields) == len(names)]
    return _layout(head, delimiter, names, head.kept[0], rows)


def _layout(
    head: _Head, delimiter: str, names: Sequence[str], end: int, rows: Sequence[Sequence[str]]
) -> CsvLayout:
    skipped = "".join(head.lines[:end]).encode(errors="surrogateescape")
    found = CsvLayout(delimiter, tuple(names), len(skipped), False, tuple(map(tuple, rows)))  # noqa: FBT003
    return replace(found, is_spaced=_is_spaced(head.name, rows))


def _names(records: Sequence[_Record], place: int, count: int) -> tuple[list[str], int]:
    """Names of the columns, and the record that holds them.

    Rows may end with a delimiter that the header lacks.
    """
    rows = [one.fields for one in records[place:] if len(one.fields) == count]
    if place and len(records[place - 1].fields) == count - 1:
        header = records[place - 1].fields
        if not any(map(_is_data, header)) and not any(row[-1].strip() for row in rows):
            return [*(name.strip() for name in header), ""], place - 1
    return [name.strip() for name in records[place].fields], place


def _check_header(
    head: _Head, records: Sequence[_Record], place: int, names: Sequence[str]
) -> None:
    named = [name for name in names if name]
    if not named or all(map(_is_data, named)):
        above = records[place - 1].fields if place else []
        hint = f" (the line before it has {len(above)} fields)" if above else ""
        raise SourceError(
            f"{head.name} has no header: its first row is {shorten(map(repr, names))}{hint}; name "
            "the columns in columns (--column), or write a line of names with as many fields as "
            "the rows"
        )
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            _refuse_encoding(head.name, name)


def _refuse_encoding(file: str, name: str) -> None:
    raw = name.encode(errors="surrogateescape")
    raise SourceError(
        f"{file} is not UTF-8: a column's name is {raw.decode('latin-1')!r} in latin-1 and "
        f"{raw.decode('cp1252', 'replace')!r} in cp1252: say the encoding in "
        "csv_encoding (--csv-encoding)"
    )


def _is_unit_row(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row holds units.

    It does if it has units, or nothing, in the columns whose other fields are numbers or times, and
    nothing in the columns of text. One unit must stand behind the first column: a row with text
    there and nothing else is that of an id without values.
    """
    if len(rows) < 2:
        return False
    first, *others = rows
    for one, column in zip(first, zip(*others, strict=True), strict=True):
        if is_null_word(one):
            continue
        if not (looks_like_unit(one) and _all_data(column)):
            return False
    return not all(map(is_null_word, first[1:]))


def _all_data(column: Sequence[str]) -> bool:
    texts = [field for field in column if not is_null_word(field)]
    return bool(texts) and all(map(_is_data, texts))


def _is_spaced(name: str, rows: Sequence[Sequence[str]]) -> bool:
    """Whether a space follows every delimiter."""
    fields = [field for row in rows for field in row[1:] if field]
    if not fields or not all(field.startswith(" ") for field in fields):
        return False
    if any(field.startswith(' "') for field in fields):
        raise SourceError(
            f"{name} has spaces between delimiters and quotes, which leaves "
            "open where quoted text ends: remove the spaces"
        )
    return True
