"""MySQL and MariaDB, by PyMySQL: cells come as bytes, and Arrow converts whole columns.

No client on PyPI streams Arrow from MySQL in a transaction of one's own: PyMySQL takes the rows
apart one by one in Python, which is most of the time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import ArgumentError, SourceError
from tidemill.sources.sql.address import Address
from tidemill.sources.sql.database import (
    Column,
    TableOrQuery,
    TimeSpan,
    in_span,
    select,
)

__all__ = ["MySql"]

_BATCH_ROWS = 2**13  # more are slower: every cell is an object until Arrow has it
_TLS = ("ssl_ca", "ssl_cert", "ssl_key")  # paths of files, as PyMySQL names them
_SETTINGS = (
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
#: Codes of types in the protocol -> signed and unsigned type.
_INTEGERS = {
    1: (pa.int8(), pa.uint8()),
    2: (pa.int16(), pa.uint16()),
    3: (pa.int32(), pa.uint32()),
    8: (pa.int64(), pa.uint64()),
    9: (pa.int32(), pa.uint32()),
    13: (pa.int16(), pa.uint16()),
}
_OTHERS = {
    4: pa.float64(),
    5: pa.float64(),
    7: pa.timestamp("us", "UTC"),
    10: pa.date32(),
    12: pa.timestamp("us"),
    246: pa.float64(),
}
_TEXTS = frozenset({249, 250, 251, 252, 253, 254})
_NAMES = {0: "decimal", 11: "time", 16: "bit", 245: "json", 246: "decimal", 255: "geometry"}
_FLOAT, _DECIMAL = "float", "decimal"
_UNSIGNED, _BINARY = 32, 63  # a flag, and the character set of bytes
#: Errors that may pass: too many connections, shutdown, locks, and a server that is gone.
_NO_ANSWER = frozenset({1040, 1053, 1205, 1213, 2002, 2003, 2006, 2013})


class MySql:
    """A connection in a transaction of level REPEATABLE READ, READ ONLY."""

    def __init__(self, address: Address, connection: Any) -> None:
        self._address = address
        self._connection = connection

    @classmethod
    @contextmanager
    def connect(cls, address: Address) -> Iterator[Self]:
        """Connect; without a named password, the variable ``MYSQL_PWD`` is used as by MySQL."""
        import pymysql
        from pymysql.converters import encoders
        from pymysql.cursors import SSCursor

        arguments = _arguments(address)
        with _sentences(address, "the database"):
            connection = pymysql.connect(
                **arguments,
                charset="utf8mb4",
                use_unicode=False,
                conv=encoders,  # and no decoders: values stay as they come
                cursorclass=SSCursor,
            )
        with closing(connection):
            with _sentences(address, "the database"), connection.cursor() as cursor:
                for statement in _SETTINGS:
                    cursor.execute(statement)
            yield cls(address, connection)

    def columns(self, rows: TableOrQuery) -> tuple[Column, ...]:
        """The columns, by a statement that gives no row."""
        statement = select(["*"], rows.after_from(_quoted)) + " LIMIT 0"
        with _sentences(self._address, rows.text), self._connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(_column(field) for field in cursor._result.fields)  # noqa: SLF001

    def read(
        self, rows: TableOrQuery, columns: Sequence[Column], span: TimeSpan | None
    ) -> Iterator[pa.RecordBatch]:
        """Stream some columns."""
        condition = in_span(columns, span, _quoted, _literal)
        expressions = [_expression(column) for column in columns]
        statement = select(expressions, rows.after_from(_quoted), condition)
        cursor = self._connection.cursor()
        try:
            with _sentences(self._address, rows.text):
                cursor.execute(statement)
                while batch := cursor.fetchmany(_BATCH_ROWS):
                    yield _batch(batch, columns)
        finally:
            _forget(cursor)


def _forget(cursor: Any) -> None:
    """Leave the rest of a result unread: closing a cursor would read it."""
    if cursor._result is not None:  # noqa: SLF001 - there is no other way
        cursor._result.unbuffered_active = False  # noqa: SLF001
    cursor.connection = None


def _arguments(address: Address) -> dict[str, Any]:
    parts = urlsplit(address.url)
    database, options = unquote(parts.path.strip("/")), dict(parse_qsl(parts.query))
    if not database or not parts.hostname:
        raise ArgumentError(
            f"the URL {address.url!r} names no database; write mysql://user@host/database"
        )
    if unknown := sorted(set(options) - set(_TLS)):
        raise ArgumentError(
            f"the URL {address.url!r} has the option {unknown[0]!r}, which is not known; "
            f"allowed are {', '.join(_TLS)}"
        )
    return {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "user": unquote(parts.username or ""),
        "password": address.password or os.environ.get("MYSQL_PWD", ""),
        "database": database,
        "ssl_verify_identity": True if "ssl_ca" in options else None,
        **options,
    }


def _column(field: Any) -> Column:
    code, is_binary = field.type_code, field.charsetnr == _BINARY
    if code in _INTEGERS:
        return Column(field.name, _INTEGERS[code][bool(field.flags & _UNSIGNED)])
    if code in _OTHERS:
        stated = {4: _FLOAT, 246: _DECIMAL}.get(code, "")
        return Column(field.name, _OTHERS[code], stated, is_exact=code != 246)
    if code in _TEXTS and not is_binary:
        return Column(field.name, pa.string(), "text")
    stated = _NAMES.get(code, "binary" if is_binary else f"number {code}")
    return Column(field.name, None, stated, is_usable=False)


def _expression(column: Column) -> str:
    quoted = _quoted(column.name)
    # The server writes a float with six digits, and a double with as many as are needed.
    return f"{quoted} + 0e0 AS {quoted}" if column.stated == _FLOAT else quoted


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _literal(time: datetime, zoned: bool) -> str:  # noqa: ARG001, FBT001 (the session is in UTC)
    return f"TIMESTAMP '{time:%Y-%m-%d %H:%M:%S.%f}'"


def _batch(rows: Sequence[Sequence[bytes | None]], columns: Sequence[Column]) -> pa.RecordBatch:
    arrays = [
        _converted(pa.array(cells, pa.binary()), column)
        for cells, column in zip(zip(*rows, strict=True), columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def _converted(cells: pa.Array, column: Column) -> pa.Array:
    try:
        texts = cells.cast(pa.string())
        if column.type is not None and pt.is_timestamp(column.type):
            return texts.cast(pa.timestamp("us")).cast(column.type)
        return texts.cast(column.type)
    except pa.ArrowInvalid as error:
        raise SourceError(
            f"column {column.name!r} holds a value that is no {column.type}: {error}; leave such "
            "rows out in a query"
        ) from None


@contextmanager
def _sentences(address: Address, about: str) -> Iterator[None]:
    """Turn the client's errors into one sentence, or into an error that is worth a retry."""
    import pymysql

    try:
        yield
    except pymysql.MySQLError as error:
        code, text = (*error.args, "", "")[:2]
        text = address.without_password(str(text))
        if code in _NO_ANSWER:
            raise ConnectionError(f"{address.url} does not answer: {text}") from None
        raise SourceError(
            f"{address.url}: {about} cannot be read: {_advised(text, code)}"
        ) from None
    except OSError as error:
        text = address.without_password(str(error)) or "the connection was lost"
        raise ConnectionError(f"{address.url} does not answer: {text}") from None


def _advised(text: str, code: object) -> str:
    """The message, with what to do about it."""
    if code in {1044, 1045, 1698}:
        return (
            f"{text}; set the variable that storage_options={{'password': ...}} names, or MYSQL_PWD"
        )
    if code == 1792:
        return f"{text}; give a query that only reads"
    return text
