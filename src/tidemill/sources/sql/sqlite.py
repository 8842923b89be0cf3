"""SQLite, by ADBC. Every cell has its own type there, so a first pass finds those of columns.

The driver takes a column's type from its first row. So one made-up row goes before the others: it
is read first, and dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Self
from urllib.parse import quote

import pyarrow as pa

from tidemill.errors import SourceError
from tidemill.sources.rows.clocks import NANOSECONDS
from tidemill.sources.sql.address import Address
from tidemill.sources.sql.database import (
    BATCH_ROWS,
    Column,
    TableOrQuery,
    TimeSpan,
    double_quotes,
    select,
)

__all__ = ["Sqlite"]

_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
_FIRST_ROW = {pa.int64(): "0", pa.float64(): "0.0", pa.string(): "''"}
_EXACT = 2**53


class Sqlite:
    """A connection that only reads, in one transaction."""

    def __init__(self, address: Address, cursor: Any) -> None:
        self._address = address
        self._cursor = cursor

    @classmethod
    @contextmanager
    def connect(cls, address: Address) -> Iterator[Self]:
        """Open the file."""
        from adbc_driver_sqlite import dbapi

        path = address.existing_file()
        with _sentences(address, "the file"):
            connection = dbapi.connect(f"file:{quote(str(path))}?mode=ro")
        with closing(connection), connection.cursor() as cursor:
            rows = "adbc.sqlite.query.batch_rows"
            cursor.adbc_statement.set_options(**{rows: str(BATCH_ROWS)})
            yield cls(address, cursor)
            connection.rollback()

    def columns(self, rows: TableOrQuery) -> tuple[Column, ...]:
        """The names of the columns; :meth:`read` finds their types."""
        with _sentences(self._address, rows.text):
            statement = select(["*"], rows.after_from(double_quotes))
            self._cursor.execute(statement + " LIMIT 0")
            found = self._cursor.fetch_record_batch().schema
        return tuple(Column(name, None) for name in found.names)

    def read(
        self, rows: TableOrQuery, columns: Sequence[Column], span: TimeSpan | None
    ) -> Iterator[pa.RecordBatch]:
        """Stream some columns."""
        source = rows.after_from(double_quotes)
        condition = None if span is None else _in_span(span)
        names = [column.name for column in columns]
        with _sentences(self._address, rows.text):
            self._cursor.execute(select(_questions(names), source, condition))
            found = self._cursor.fetch_arrow_table().to_pylist()[0]
            types = [_type_of(name, place, found) for place, name in enumerate(names)]
            self._cursor.execute(_typed(names, types, source, condition))
            yield from _without_first(self._cursor.fetch_record_batch())


def _in_span(span: TimeSpan) -> str | None:
    """Rows of the span, and those whose time is no date: they are read, and refused."""
    if span.reading.time_format is not None:
        return None
    name = double_quotes(span.column)
    if span.reading.time_unit is not None:
        unit = NANOSECONDS[span.reading.time_unit]
        low, high = -(-span.first // unit), -(-span.stop // unit)
        inside = f"{name} >= {low} AND {name} < {high}"
        return f"(typeof({name}) <> 'integer' OR ({inside}))"
    first, stop = span.bounds(zoned=False)
    # Fractions of a second are cut off, which is right for bounds of whole seconds.
    seconds = f"CAST(strftime('%s', {name}) AS INTEGER)"
    inside = f"{seconds} >= {-(-first // 10**9)} AND {seconds} < {-(-stop // 10**9)}"
    is_day = f"typeof({name}) = 'text' AND {name} GLOB '{_DAY}'"
    return f"(NOT ({is_day}) OR {seconds} IS NULL OR ({inside}))"


def _questions(names: Sequence[str]) -> list[str]:
    """Which types the cells of each column have, in one pass."""
    asked = []
    for place, name in enumerate(names):
        quoted = double_quotes(name)
        asked += [
            f"coalesce(max(typeof({quoted}) = '{type_}'), 0) AS {type_}{place}"
            for type_ in ("integer", "real", "text", "blob")
        ]
        asked.append(
            f"coalesce(max(typeof({quoted}) = 'integer' AND ({quoted} > {_EXACT} OR "
            f"{quoted} < -{_EXACT})), 0) AS large{place}"
        )
    return asked


def _type_of(name: str, place: int, found: dict[str, int]) -> pa.DataType:
    has = {type_: bool(found[f"{type_}{place}"]) for type_ in ("integer", "real", "text", "blob")}
    met = [type_ for type_, is_met in has.items() if is_met]
    if has["blob"]:
        raise SourceError(
            f"column {name!r} holds binary values (blob), which cannot be read: convert it in a "
            "query, or leave it out by naming the columns of values in column_value"
        )
    if has["text"] and len(met) > 1:
        raise SourceError(
            f"column {name!r} holds text and numbers ({', '.join(met)}): convert it in a query, as "
            f"with CAST({double_quotes(name)} AS REAL)"
        )
    if met == ["integer", "real"] and found[f"large{place}"]:
        raise SourceError(
            f"column {name!r} holds fractions and integers beyond 2**53 = {_EXACT}, where float64 "
            "has gaps: convert it in a query"
        )
    if has["text"]:
        return pa.string()
    return pa.int64() if met == ["integer"] else pa.float64()


def _typed(
    names: Sequence[str], types: Sequence[pa.DataType], source: str, condition: str | None
) -> str:
    first = [
        f"{_FIRST_ROW[type_]} AS {double_quotes(name)}"
        for name, type_ in zip(names, types, strict=True)
    ]
    cells = [
        f"CAST({double_quotes(name)} AS REAL)" if type_ == pa.float64() else double_quotes(name)
        for name, type_ in zip(names, types, strict=True)
    ]
    return f"SELECT {', '.join(first)} UNION ALL {select(cells, source, condition)}"


def _without_first(batches: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    for place, batch in enumerate(batches):
        yield batch.slice(1) if place == 0 else batch


@contextmanager
def _sentences(address: Address, about: str) -> Iterator[None]:
    """Turn the driver's errors into one sentence."""
    from adbc_driver_manager import Error

    try:
        yield
    except (Error, OSError, pa.ArrowException) as error:
        if isinstance(error, ConnectionError):
            raise
        text = _text(error)
        if "locked" in text or "busy" in text.lower():
            raise ConnectionError(f"{address.url} is locked by a writer: {text}") from None
        raise SourceError(f"{address.url}: {about} cannot be read: {text}") from None


def _text(error: Exception) -> str:
    """The message, without the statement that was sent."""
    text = str(error).partition("\nquery: ")[0]
    return " ".join(text.rpartition("Failed to prepare query: ")[2].split())
