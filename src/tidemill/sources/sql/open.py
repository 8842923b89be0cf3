"""Open a database as input: check its columns, and read its rows into a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import ArgumentError, SourceError
from tidemill.model.source import ColumnRoles, Reading, Source
from tidemill.sources.files.open import NamedRoles, find_files, open_source
from tidemill.sources.files.roles import find_roles
from tidemill.sources.files.schema import input_columns
from tidemill.sources.files.window_digest import read_window
from tidemill.sources.sql.address import Address, is_sql
from tidemill.sources.sql.clients import connected
from tidemill.sources.sql.database import Column, Database, TableOrQuery, TimeSpan
from tidemill.sources.sql.snapshot import drop_orphans, drop_snapshot, write_snapshot
from tidemill.storage.stores import Store

__all__ = ["check_database", "check_rows_named", "open_database"]

Location = str | Sequence[str]


def check_rows_named(location: Location, table: str | None, query: str | None) -> None:
    """Check that a database comes with one of ``table`` and ``query``, and files with none.

    Raises
    ------
    ArgumentError
        If not, or if a list of inputs holds a database.

    Examples
    --------
    >>> check_rows_named("readings.parquet", None, "SELECT 1")
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: query='SELECT 1' is for databases (postgresql://, mysql://, \
sqlite:///, duckdb:///), but the input is 'readings.parquet': leave it out
    """
    if is_sql(location):
        TableOrQuery(table, query)
        Address.parse(_only(location))
        return
    for name, value in (("table", table), ("query", query)):
        if value is not None:
            raise ArgumentError(
                f"{name}={value!r} is for databases (postgresql://, mysql://, sqlite:///, "
                f"duckdb:///), but the input is {location!r}: leave it out"
            )


def check_database(
    location: Location,
    rows: TableOrQuery,
    roles: NamedRoles,
    storage_options: Mapping[str, str] | None = None,
    reading: Reading = Reading(),  # noqa: B008 (frozen)
    *,
    needs_times: bool = False,
) -> None:
    """Check that a database answers and has the columns; reads no row.

    Raises
    ------
    InputError
        If the database, the table, the query or a column cannot be used.
    """
    address = Address.parse(_only(location), storage_options)
    with connected(address) as database:
        _choose(database, rows, roles, reading, needs_times=needs_times)


def open_database(
    location: Location,
    rows: TableOrQuery,
    roles: NamedRoles,
    folder: Store,
    storage_options: Mapping[str, str] | None = None,
    reading: Reading = Reading(),  # noqa: B008 (frozen)
    span: tuple[int, int] | None = None,
    fitted: Callable[[Source], Source] = lambda source: source,
) -> Source:
    """Read rows into a snapshot, once and in one transaction, and open that.

    Parameters
    ----------
    location : URL of the database
    rows : the table or query
    roles : columns of the id, the sort column, the kind and the values
    folder : work folder, which all workers reach
    storage_options : ``password`` is the name of the environment variable that holds it
    reading : how to read times that do not say so themselves
    span : only rows with times in ``[first, stop)``, in UTC nanoseconds
    fitted : checks the opened snapshot before its rows are read, and may choose types of ids

    Returns
    -------
    Source
        Its fingerprint depends on the rows only, not on their order.

    Raises
    ------
    InputError
        If the database, the table, the query, a column or a value cannot be used.
    """
    address = Address.parse(_only(location), storage_options)
    drop_orphans(folder)
    origin = f"{address.url} ({rows.text})"
    times = None if span is None else TimeSpan(str(roles[1]), *span, reading)
    with _read(address, rows, roles, reading, times) as (schema, batches):
        made, name = write_snapshot(folder, schema, batches)
    try:
        source = read_window(fitted(_open(made, name, roles, reading, span)))
    except BaseException as error:
        drop_snapshot(made)
        if isinstance(error, SourceError) and "has no rows" in str(error):
            raise SourceError(f"{origin} has no rows") from None
        raise
    return replace(source, origin=origin)


@contextmanager
def _read(
    address: Address, rows: TableOrQuery, roles: NamedRoles, reading: Reading, span: TimeSpan | None
) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    with connected(address) as database:
        chosen = _choose(database, rows, roles, reading, needs_times=span is not None)
        schema = pa.schema([(one.name, _empty_type(one, span)) for one in chosen])
        yield schema, database.read(rows, chosen, span)


def _open(
    made: Store, name: str, roles: NamedRoles, reading: Reading, span: tuple[int, int] | None
) -> Source:
    path, options = made.url_of(name), made.storage_options
    if span is not None:
        return find_files(path, roles, options, span, reading)
    column_id, sort, kind, value = roles
    return open_source(
        path,
        column_id=column_id,
        column_sort=sort,
        column_kind=kind,
        column_value=value,
        storage_options=options,
        reading=reading,
    )


def _only(location: Location) -> str:
    if isinstance(location, str):
        return location
    if len(location) == 1:
        return location[0]
    raise ArgumentError(
        "the input is a list with a database in it: a database is the only input of a run; join "
        "tables in a query"
    )


def _choose(
    database: Database,
    rows: TableOrQuery,
    roles: NamedRoles,
    reading: Reading,
    *,
    needs_times: bool,
) -> list[Column]:
    """The columns to read, checked by name and by type."""
    found = database.columns(rows)
    columns = find_roles([column.name for column in found], (), *roles)
    if columns.sort is None:
        raise SourceError(
            "column_sort=None is not allowed, because the rows of a database have no order: name "
            "the column to sort the rows of each series by"
        )
    by_name = {column.name: column for column in found}
    chosen = [by_name[name] for name in input_columns(columns)]
    for column in chosen:
        _check_type(column, columns)
    if needs_times:
        _check_time(by_name[columns.sort], reading)
    return chosen


def _check_type(column: Column, columns: ColumnRoles) -> None:
    if not column.is_usable:
        raise SourceError(
            f"column {column.name!r} has type {column.stated}, which cannot be read: convert it in "
            "a query, or leave it out by naming the columns of values in column_value"
        )
    if not column.is_exact and column.name not in columns.values:
        raise SourceError(
            f"column {column.name!r} has type {column.stated}, which is read as float64, so values "
            "close to each other would be taken for one: convert it to bigint or text in a query"
        )


def _check_time(column: Column, reading: Reading) -> None:
    type_ = column.type
    if type_ is None or any(test(type_) for test in (pt.is_timestamp, pt.is_date, pt.is_string)):
        return
    if pt.is_integer(type_) and reading.time_unit is not None:
        return
    remedy = "give a query that makes times of it"
    if pt.is_integer(type_):
        remedy = "say what it counts with time_unit (--time-unit): s, ms, us or ns since 1970"
    raise SourceError(
        f"column {column.name!r} has type {column.stated or type_}, but intervals need times: "
        f"{remedy}"
    )


def _empty_type(column: Column, times: TimeSpan | None) -> pa.DataType:
    """The type of a column in a result without rows."""
    if times is not None and column.name == times.column:
        is_time = column.type is not None and pt.is_timestamp(column.type)
        return column.type if is_time else pa.timestamp("us", "UTC")
    return column.type or pa.float64()
