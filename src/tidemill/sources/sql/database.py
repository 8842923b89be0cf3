"""What a client of a database provides, and the parts of a statement that all share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import ArgumentError
from tidemill.model.interval import utc
from tidemill.model.source import Reading
from tidemill.sources.rows.clocks import NANOSECONDS
from tidemill.sources.sql.address import Address

__all__ = [
    "BATCH_ROWS",
    "Column",
    "Connect",
    "Database",
    "TableOrQuery",
    "TimeSpan",
    "double_quotes",
    "in_span",
    "select",
]

#: TableOrQuery of a batch, where a client counts rows.
BATCH_ROWS = 2**16

#: More than the largest offset of a time zone, in nanoseconds.
OFFSET = 27 * 3_600 * 10**9

_PIECE = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table or query."""

    name: str
    type: pa.DataType | None  # as it is read; None: only the rows tell
    stated: str = ""  # type as the database names it, for messages
    is_usable: bool = True  # whether it can be read at all
    is_exact: bool = True  # False: rounded to float64, which is right for values only


@dataclass(frozen=True, slots=True)
class TableOrQuery:
    """A table, or the result of a query: exactly one of the two."""

    table: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        if (self.table is None) == (self.query is None):
            given = "neither is given" if self.table is None else "both are given"
            raise ArgumentError(
                f"a database needs either table or query, and {given}: name the table, as in "
                "table='plant.readings', or give a SELECT statement in query"
            )
        if not (self.table or self.query or "").strip(" ;\n\t"):
            name = "table" if self.query is None else "query"
            raise ArgumentError(
                f"{name}='' is not allowed; name a table, or give a SELECT statement"
            )

    def after_from(self, quoted: Callable[[str], str]) -> str:
        r"""What stands after FROM.

        Examples
        --------
        >>> TableOrQuery(table='plant.readings').after_from(double_quotes)
        '"plant"."readings"'
        >>> TableOrQuery(query="SELECT 1;").after_from(double_quotes)
        '(\nSELECT 1\n) AS tidemill_rows'
        """
        if self.query is not None:
            return f"(\n{self.query.strip().rstrip(';').rstrip()}\n) AS tidemill_rows"
        return ".".join(quoted(piece) for piece in _pieces(str(self.table)))

    @property
    def text(self) -> str:
        """How messages name it."""
        return f"table {self.table!r}" if self.query is None else "the query"


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """The times of the rows to read: rows outside may come too, and are left out later."""

    column: str
    first: int  # UTC nanoseconds
    stop: int  # likewise, exclusive
    reading: Reading = field(default_factory=Reading)

    def condition(
        self, column: Column, quoted: str, literal: Callable[[datetime, bool], str]
    ) -> str | None:
        """The condition after WHERE; None if the database cannot tell.

        Rows without a time are read, and refused then.

        Parameters
        ----------
        column : the column of times
        quoted : its name in the statement
        literal : writes a time, with a time zone or without
        """
        type_ = column.type
        if type_ is not None and pt.is_integer(type_) and self.reading.time_unit:
            unit = NANOSECONDS[self.reading.time_unit]
            low, high = (str(-(-time // unit)) for time in (self.first, self.stop))
        elif type_ is not None and (pt.is_timestamp(type_) or pt.is_date(type_)):
            zoned = getattr(type_, "tz", None) is not None
            low, high = (literal(utc(time), zoned) for time in self.bounds(zoned=zoned))
        else:
            return None
        return f"({quoted} IS NULL OR ({quoted} >= {low} AND {quoted} < {high}))"

    def bounds(self, *, zoned: bool) -> tuple[int, int]:
        """The span, made wider for local times, whose offset from UTC is not known here."""
        slack = 0 if zoned or self.reading.input_timezone in {None, "UTC"} else OFFSET
        return self.first - slack, self.stop + slack


class Database(Protocol):
    """A connection in one transaction that only reads and always sees the same rows."""

    def columns(self, rows: TableOrQuery) -> tuple[Column, ...]:
        """The columns, without reading rows."""

    def read(
        self, rows: TableOrQuery, columns: Sequence[Column], span: TimeSpan | None
    ) -> Iterator[pa.RecordBatch]:
        """Stream some columns; all batches have the same types."""


#: Opens a client.
Connect = Callable[[Address], AbstractContextManager[Database]]


def double_quotes(name: str) -> str:
    """Quote a name as standard SQL does.

    Examples
    --------
    >>> double_quotes('odd"name')
    '"odd""name"'
    """
    return '"' + name.replace('"', '""') + '"'


def select(expressions: Sequence[str], source: str, condition: str | None = None) -> str:
    """A SELECT statement.

    Examples
    --------
    >>> select(['"id"', '"x"'], '"readings"', '"x" > 0')
    'SELECT "id", "x" FROM "readings" WHERE "x" > 0'
    """
    # Every expression and name was quoted; the caller's query is meant to be run, in a
    # transaction that only reads.
    text = f"SELECT {', '.join(expressions)} FROM {source}"  # noqa: S608
    return text if condition is None else f"{text} WHERE {condition}"


def in_span(
    columns: Sequence[Column],
    span: TimeSpan | None,
    quoted: Callable[[str], str],
    literal: Callable[[datetime, bool], str],
) -> str | None:
    """The condition that rows lie in a span; None if all are read."""
    if span is None:
        return None
    column = next(one for one in columns if one.name == span.column)
    return span.condition(column, quoted(column.name), literal)


def _pieces(name: str) -> list[str]:
    """The steps of a name such as ``plant.readings`` or ``plant."odd.name"``."""
    found = list(_PIECE.finditer(name.strip()))
    if ".".join(match[0] for match in found) != name.strip():
        raise ArgumentError(
            f"table={name!r} is no name of a table: write schema.table, and quote steps that hold "
            'a dot, as in plant."readings.2026"'
        )
    return [match[2] or match[1].replace('""', '"') for match in found]
