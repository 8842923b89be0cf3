"""Databases as the input of a request: its snapshots, and where they lie."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tidemill.errors import ArgumentError, SourceError
from tidemill.model.source import Reading, Source
from tidemill.planning.request import Request
from tidemill.planning.table_fit import fit_table
from tidemill.sources.files.open import NamedRoles
from tidemill.sources.sql.address import is_sql
from tidemill.sources.sql.database import TableOrQuery
from tidemill.sources.sql.open import check_database, open_database
from tidemill.sources.sql.snapshot import drop_snapshot
from tidemill.storage.layout import SinkLayout
from tidemill.storage.stores import Store

__all__ = ["check_columns", "drop_source", "reads_database", "snapshots_elsewhere", "take_snapshot"]


def reads_database(request: Request) -> bool:
    """Whether the input of a request is a database."""
    return is_sql(request.locations)


def take_snapshot(request: Request) -> Source:
    """Read the rows of a request, or of its interval's window, and open them as files.

    Raises
    ------
    InputError
        If the database, the table, the query or a column cannot be used.
    """
    _check_policies(request)
    interval = request.interval
    span = (interval.window_start, interval.end) if interval else None

    def fitted(source: Source) -> Source:
        return source if interval is None else fit_table(request, source)

    with _named_as_given(request):
        return open_database(
            request.locations,
            _rows(request),
            _roles(request),
            _folder(request),
            request.storage_options,
            _times(request.reading),
            span,
            fitted,
        )


def check_columns(request: Request) -> None:
    """Check that the database of a recurring request has its columns; reads no row.

    Raises
    ------
    InputError
        As :func:`take_snapshot`.
    """
    _check_policies(request)
    with _named_as_given(request):
        check_database(
            request.locations,
            _rows(request),
            _roles(request),
            request.storage_options,
            _times(request.reading),
            needs_times=request.interval is not None,
        )


def drop_source(source: Source) -> None:
    """Delete the snapshot that a source is, if it is one."""
    if source.origin:
        drop_snapshot(Store(source.url, source.storage_options))


@contextmanager
def snapshots_elsewhere(request: Request) -> Iterator[Request]:
    """The same request with its snapshots in a temporary folder: nothing is left at the sink."""
    if not reads_database(request):
        yield request
        return
    with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
        yield replace(request, work_dir=folder)


def _folder(request: Request) -> Store:
    if request.work_dir is not None:
        return Store.open(request.work_dir, request.storage_options)
    return SinkLayout.of(request.sink, request.storage_options).state


def _times(reading: Reading) -> Reading:
    """What a database does not say itself."""
    names = ("time_format", "time_unit", "input_timezone")
    return Reading(**{name: getattr(reading, name) for name in names})


def _rows(request: Request) -> TableOrQuery:
    return TableOrQuery(request.table, request.query)


def _roles(request: Request) -> NamedRoles:
    return request.column_id, request.column_sort, request.column_kind, request.column_value


def _check_policies(request: Request) -> None:
    choice = request.policies.on_duplicate
    if choice in {"first", "keep", "last"}:
        raise ArgumentError(
            f"on_duplicate={choice!r} is not allowed, because the rows of a database have no "
            "order: choose 'raise' or 'mean', or give a query that selects one row"
        )


@contextmanager
def _named_as_given(request: Request) -> Iterator[None]:
    """The sort column of intervals goes by another name."""
    try:
        yield
    except SourceError as error:
        if request.interval is None:
            raise
        raise type(error)(str(error).replace("column_sort=", "column_time=")) from error
