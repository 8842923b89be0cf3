"""PostgreSQL, by ADBC: rows come as binary COPY, right into Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, Self

import pyarrow as pa

from tidemill.errors import SourceError
from tidemill.sources.sql.address import Address
from tidemill.sources.sql.database import (
    Column,
    TableOrQuery,
    TimeSpan,
    double_quotes,
    in_span,
    select,
)

__all__ = ["Postgres"]

_BATCH_BYTES = 4 * 2**20
_UTC = pa.timestamp("us", "UTC")
#: Types that are read, by PostgreSQL's name.
_TYPES = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "numeric": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "name": pa.string(),
    "uuid": pa.string(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": _UTC,
}
#: The server converts these; a number becomes the nearest float64, as Python's float() gives.
_CASTS = {"numeric": "float8", "uuid": "text", "bpchar": "text", "name": "text"}
_NO_ANSWER = ("connection refused", "could not translate", "timeout", "closed the connection")


class Postgres:
    """A connection in a transaction of level REPEATABLE READ, READ ONLY."""

    def __init__(self, address: Address, cursor: Any) -> None:
        self._address = address
        self._cursor = cursor

    @classmethod
    @contextmanager
    def connect(cls, address: Address) -> Iterator[Self]:
        """Connect, with libpq's own ways to find a password if none is named."""
        from adbc_driver_postgresql import StatementOptions, dbapi

        with _sentences(address, "the database"):
            connection = dbapi.connect(address.secret_url("postgresql"))
        with closing(connection), connection.cursor() as cursor:
            option = StatementOptions.BATCH_SIZE_HINT_BYTES.value
            cursor.adbc_statement.set_options(**{option: str(_BATCH_BYTES)})
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield cls(address, cursor)
            connection.rollback()

    def columns(self, rows: TableOrQuery) -> tuple[Column, ...]:
        """The columns, by preparing the statement."""
        with _sentences(self._address, rows.text):
            found = self._cursor.adbc_execute_schema(select(["*"], rows.after_from(double_quotes)))
        return tuple(_column(field) for field in found)

    def read(
        self, rows: TableOrQuery, columns: Sequence[Column], span: TimeSpan | None
    ) -> Iterator[pa.RecordBatch]:
        """Stream some columns."""
        condition = in_span(columns, span, double_quotes, _literal)
        expressions = [_expression(column) for column in columns]
        statement = select(expressions, rows.after_from(double_quotes), condition)
        with _sentences(self._address, rows.text):
            self._cursor.execute(statement)
            for batch in self._cursor.fetch_record_batch():
                yield pa.RecordBatch.from_arrays(
                    batch.columns, names=[column.name for column in columns]
                )


def _column(field: pa.Field) -> Column:
    stated = (field.metadata or {}).get(b"POSTGRESQL:type", b"unknown").decode()
    type_ = _TYPES.get(stated)
    return Column(field.name, type_, stated, type_ is not None, stated != "numeric")


def _expression(column: Column) -> str:
    quoted = double_quotes(column.name)
    cast = _CASTS.get(column.stated)
    return quoted if cast is None else f"{quoted}::{cast} AS {quoted}"


def _literal(time: datetime, zoned: bool) -> str:  # noqa: FBT001
    """A time in the type of the column, so that an index of it serves."""
    type_, zone = ("timestamptz", "+00") if zoned else ("timestamp", "")
    return f"{type_} '{time:%Y-%m-%d %H:%M:%S.%f}{zone}'"


@contextmanager
def _sentences(address: Address, about: str) -> Iterator[None]:
    """Turn the driver's errors into one sentence, or into an error that is worth a retry."""
    from adbc_driver_manager import Error

    try:
        yield
    except (Error, OSError, pa.ArrowException) as error:
        text = address.without_password(str(error).partition("\n\nQuery was")[0])
        text = text.partition(" LINE 1:")[0].rpartition("ERROR: ")[2].strip()
        state = getattr(error, "sqlstate", None) or ""
        if state[:2] in {"08", "57", "53"} or any(one in text.lower() for one in _NO_ANSWER):
            raise ConnectionError(f"{address.url} does not answer: {text}") from None
        raise SourceError(
            f"{address.url}: {about} cannot be read: {_advised(text, state)}"
        ) from None


def _advised(text: str, state: str) -> str:
    """The message, with what to do about it."""
    if "password" in text or "role" in text:
        return (
            f"{text.rpartition('FATAL: ')[2].strip()}; set the variable that "
            "storage_options={'password': ...} names, PGPASSWORD, or a line of ~/.pgpass"
        )
    if state == "42P01":
        return f"{text}; names are case-sensitive here: write schema.table as the database does"
    if state == "25006":
        return f"{text}; give a query that only reads"
    return text.rpartition("FATAL: ")[2].strip()
