"""DuckDB, by its own package: its results are Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any, Self

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import SourceError
from tidemill.sources.files.schema import plain_type
from tidemill.sources.sql.address import Address
from tidemill.sources.sql.database import (
    BATCH_ROWS,
    Column,
    TableOrQuery,
    TimeSpan,
    double_quotes,
    in_span,
    select,
)

__all__ = ["Duck"]

_USABLE = (
    pt.is_boolean,
    pt.is_integer,
    pt.is_floating,
    pt.is_decimal,
    pt.is_string,
    pt.is_date,
    pt.is_time,
    pt.is_timestamp,
)


class Duck:
    """A connection that only reads, in one transaction."""

    def __init__(self, address: Address, connection: Any) -> None:
        self._address = address
        self._connection = connection

    @classmethod
    @contextmanager
    def connect(cls, address: Address) -> Iterator[Self]:
        """Open the file; it must not be open for writing in another process."""
        import duckdb

        with _sentences(address, "the file"):
            connection = duckdb.connect(str(address.existing_file()), read_only=True)
        with closing(connection):
            # A query reads this database, and no other file of the machine.
            connection.execute("SET enable_external_access = false")
            connection.execute("SET TimeZone = 'UTC'")
            connection.begin()
            yield cls(address, connection)

    def columns(self, rows: TableOrQuery) -> tuple[Column, ...]:
        """The columns, by binding the statement."""
        source = rows.after_from(double_quotes)
        with _sentences(self._address, rows.text):
            relation = self._connection.sql(select(["*"], source) + " LIMIT 0")
            found = relation.to_arrow_table().schema
            names = relation.columns
        # Columns of the same name get other names in Arrow.
        pairs = zip(names, found, strict=True)
        return tuple(_column(name, field.type) for name, field in pairs)

    def read(
        self, rows: TableOrQuery, columns: Sequence[Column], span: TimeSpan | None
    ) -> Iterator[pa.RecordBatch]:
        """Stream some columns."""
        condition = in_span(columns, span, double_quotes, _literal)
        names = [double_quotes(column.name) for column in columns]
        statement = select(names, rows.after_from(double_quotes), condition)
        schema = pa.schema([(column.name, column.type) for column in columns])
        with _sentences(self._address, rows.text):
            for batch in self._connection.sql(statement).to_arrow_reader(BATCH_ROWS):
                yield batch.cast(schema)


def _column(name: str, type_: pa.DataType) -> Column:
    plain = plain_type(type_)
    if pt.is_timestamp(plain) and plain.tz is not None:
        plain = pa.timestamp(plain.unit, "UTC")
    return Column(name, plain, str(type_), any(test(plain) for test in _USABLE))


def _literal(time: datetime, zoned: bool) -> str:  # noqa: FBT001
    type_, zone = ("TIMESTAMPTZ", "+00") if zoned else ("TIMESTAMP", "")
    return f"{type_} '{time:%Y-%m-%d %H:%M:%S.%f}{zone}'"


@contextmanager
def _sentences(address: Address, about: str) -> Iterator[None]:
    """Turn DuckDB's errors into one sentence."""
    import duckdb

    try:
        yield
    except duckdb.IOException as error:
        text = " ".join(str(error).split())
        if "lock" not in text.lower():
            raise SourceError(f"{address.url}: {about} cannot be read: {text}") from None
        raise ConnectionError(
            f"{address.url} is open for writing in another process: wait until it is closed"
        ) from None
    except duckdb.Error as error:
        text = " ".join(str(error).split())
        raise SourceError(f"{address.url}: {about} cannot be read: {text}") from None
