"""The rows of a CSV file as batches of text, streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from tidemill.errors import DataError, SourceError, shorten
from tidemill.model.counts import counted
from tidemill.model.source import ColumnRoles, Reading
from tidemill.sources.files.compression import open_plain
from tidemill.sources.files.csv_layout import CsvLayout, find_layout
from tidemill.sources.files.csv_numbers import (
    Numbers,
    find_numbers,
    is_null_word,
    looks_like_number,
)
from tidemill.sources.files.csv_text import RowText, Utf8Text, comment_marks

__all__ = ["CsvTable", "numbers_of", "open_table", "refuse_empty"]

#: Bytes parsed at a time.
BLOCK_BYTES = 4 * 2**20
_COUNT = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)
_ENCODING = re.compile(r"column #(\d+): (?:Row #(\d+): )?.*invalid UTF8")


@dataclass(frozen=True, slots=True)
class CsvTable:
    """An open CSV file, whose rows can be read once."""

    name: str
    layout: CsvLayout
    text: Utf8Text
    reading: Reading

    def place(self, column: str) -> int:
        """The place of a column that is used."""
        if not column:
            raise SourceError(
                f"{self.name} has a column without a name, as pandas writes its index: leave it "
                "out by naming the columns to use in column_value, or write with index=False"
            )
        if self.layout.names.count(column) > 1:
            raise SourceError(
                f"{self.name} has several columns named {column!r}: rename them, or leave them out "
                "by naming the columns to use in column_value"
            )
        return self.layout.names.index(column)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Columns as text, exactly as it was written; without any, one for the number of rows.

        Raises
        ------
        SourceError
            If a row has too few or too many fields, or text is not in the encoding.
        """
        places = [str(self.place(column)) for column in columns] or ["0"]
        try:
            for batch in self._parsed(places):
                arrays = [self._bare(batch.column(place), int(place)) for place in places]
                yield pa.RecordBatch.from_arrays(arrays, names=list(columns) or [""])
        except pa.ArrowInvalid as error:
            if not str(error).startswith("Empty CSV file"):
                raise SourceError(self._explain(str(error))) from error

    def _parsed(self, places: Sequence[str]) -> Iterator[pa.RecordBatch]:
        names = [str(place) for place in range(len(self.layout.names))]
        rows = RowText(
            self.text,
            self.layout.skip,
            comment_marks(self.reading.csv_comment),
            len(names),
            self.layout.delimiter,
            is_told=self.reading.csv_comment is not None,
        )
        with pacsv.open_csv(
            pa.PythonFile(rows, mode="r"),
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, column_names=names
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=self.layout.delimiter,
                newlines_in_values=True,
                # an empty line is a missing value where there is only one column
                ignore_empty_lines=len(names) > 1,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=list(dict.fromkeys(places)),
                strings_can_be_null=False,
            ),
        ) as reader:
            yield from reader

    def _bare(self, texts: pa.Array, place: int) -> pa.Array:
        return pc.utf8_ltrim_whitespace(texts) if self.layout.is_spaced and place else texts

    def _explain(self, message: str) -> str:
        if (count := _COUNT.search(message)) is not None:
            row, wanted, got, line = count.groups()
            return (
                f"{self.name}, row {row}: {got} fields instead of {wanted}: {line[:80]!r}; fix or "
                "remove the row, or put quotes around text that holds a delimiter "
                f"({self.layout.delimiter!r}; say another one in csv_delimiter, --csv-delimiter)"
            )
        if (found := _ENCODING.search(message)) is not None:
            place, row = found.groups()
            where = f"column {self.layout.names[int(place)]!r}" + (f", row {row}" if row else "")
            return (
                f"{self.name}: {where}: text is not in {self.text.encoding}: say the file's "
                "encoding in csv_encoding (--csv-encoding)"
            )
        return f"{self.name} cannot be read as CSV: {message}"


@contextmanager
def open_table(file: pa.NativeFile, name: str, reading: Reading) -> Iterator[CsvTable]:
    """Open a CSV file and tell its layout from its first lines.

    Examples
    --------
    >>> data = pa.BufferReader(chr(10).join(["id;x", "007;1,5"]).encode())
    >>> with open_table(data, "a.csv", Reading()) as table:
    ...     [batch.to_pylist() for batch in table.batches(["x", "id"])]
    [[{'x': '1,5', 'id': '007'}]]
    """
    with open_plain(file, name) as plain:
        text = Utf8Text(plain, name, reading.csv_encoding)
        yield CsvTable(name, find_layout(text, reading), text, reading)


def numbers_of(table: CsvTable, columns: ColumnRoles) -> Numbers:
    """How a file writes numbers, by its first rows.

    Examples
    --------
    >>> data = pa.BufferReader(chr(10).join(["id;x", "7;1,5"]).encode())
    >>> with open_table(data, "a.csv", Reading()) as table:
    ...     numbers_of(table, ColumnRoles("id", None, None, ("x",))).decimal
    ','
    """
    names, reading = table.layout.names, table.reading
    texts = []
    for column in (*columns.values, *([columns.sort] if columns.sort else [])):
        if column in names:
            place = names.index(column)
            fields = [row[place] for row in table.layout.rows]
            if column != columns.sort or all(map(looks_like_number, fields)):
                texts += [field for field in fields if not is_null_word(field, reading.csv_null)]
    return find_numbers(
        texts, table.name, reading.csv_decimal, reading.csv_thousands, reading.csv_null
    )


def refuse_empty(texts: pa.Array, column: str, name: str, first_row: int) -> None:
    """Refuse empty text: it is a missing id, sort value or kind.

    Raises
    ------
    DataError
        With the number of empty rows, and the first ten.

    Examples
    --------
    >>> refuse_empty(pa.array(["a", ""]), "id", "a.csv", 1)
    Traceback (most recent call last):
    tidemill.errors.DataError: a.csv: column 'id' is empty in 1 row (rows 2); every row needs an \
id, and a sort value and kind where these are named: drop these rows or fill them in
    """
    empty = pc.equal(texts, "")
    if pc.any(empty).as_py():
        rows = [first_row + place for place in pc.indices_nonzero(empty).to_pylist()]
        raise DataError(
            f"{name}: column {column!r} is empty in {counted(len(rows), 'row')} (rows "
            f"{shorten(rows)}); every row needs an id, and a sort value and kind where these are "
            "named: drop these rows or fill them in"
        )
