"""The client of each database, imported only when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

from tidemill.errors import ArgumentError
from tidemill.sources.sql.address import Address
from tidemill.sources.sql.database import Connect, Database
from tidemill.sources.sql.duck import Duck
from tidemill.sources.sql.mysql import MySql
from tidemill.sources.sql.postgres import Postgres
from tidemill.sources.sql.sqlite import Sqlite

__all__ = ["connected"]

#: Database -> what connects to it, and the modules that this needs.
CLIENTS: Mapping[str, tuple[Connect, tuple[str, ...]]] = {
    "postgresql": (Postgres.connect, ("adbc_driver_manager", "adbc_driver_postgresql")),
    "mysql": (MySql.connect, ("pymysql",)),
    "sqlite": (Sqlite.connect, ("adbc_driver_manager", "adbc_driver_sqlite")),
    "duckdb": (Duck.connect, ("duckdb",)),
}


@contextmanager
def connected(
    address: Address, load: Callable[[str], object] = import_module
) -> Iterator[Database]:
    """A connection to a database, in one transaction that only reads.

    Raises
    ------
    ArgumentError
        If the client is not installed.
    SourceError
        If the database refuses.
    ConnectionError
        If it does not answer; a retry may help.
    """
    connect, modules = CLIENTS[address.database]
    try:
        for name in modules:
            load(name)
    except ImportError as error:
        raise ArgumentError(
            f"reading {address.url} needs {error.name}, which is not installed: "
            "pip install 'tidemill[sql]'"
        ) from None
    with connect(address) as database:
        yield database
