"""Addresses of databases: URLs without a password, and the password from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tidemill.errors import ArgumentError, SourceError
from tidemill.storage.options import database_password

__all__ = ["Address", "is_relative", "is_sql"]

#: Schemes of URLs, and the database each stands for.
SCHEMES = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
_FILES = ("sqlite", "duckdb")
_SECRET = ("password", "passwd", "secret", "token")


def is_sql(location: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> bool:
    """Whether an input is a database, or a list with a database in it.

    Examples
    --------
    >>> is_sql("postgresql://host/plant"), is_sql("s3://bucket/plant"), is_sql(["a.parquet"])
    (True, False, False)
    """
    if isinstance(location, str | os.PathLike):
        scheme, found, _ = os.fspath(location).partition("://")
        return bool(found) and scheme.lower() in SCHEMES
    return any(is_sql(one) for one in location)


def is_relative(url: str) -> bool:
    """Whether a URL names a database's file by a path that depends on the folder it is read in.

    Examples
    --------
    >>> is_relative("sqlite:///plant.db"), is_relative("sqlite:////data/plant.db")
    (True, False)
    """
    scheme, _, path = url.partition(":///")
    return scheme.lower() in _FILES and not path.startswith("/")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is; holds no password that :func:`repr` shows."""

    database: str  # "postgresql", "mysql", "sqlite" or "duckdb"
    url: str  # as given: without a password
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str, options: Mapping[str, str] | None = None) -> Self:
        """The address that a URL names.

        Parameters
        ----------
        url : of the database
        options : ``password`` is the *name* of the environment variable that holds it

        Raises
        ------
        ArgumentError
            If the URL carries a password or names no database, or the variable is not set.

        Examples
        --------
        >>> Address.parse("sqlite:////data/plant.db").path
        PosixPath('/data/plant.db')
        >>> Address.parse("postgresql://reader:hush@host/plant")
        Traceback (most recent call last):
        tidemill.errors.ArgumentError: the URL 'postgresql://host/plant' carries a password, and \
parameters are stored in clear: leave it out, set it in an environment variable such as \
PGPASSWORD, and name that in storage_options={'password': 'PGPASSWORD'}; rotate it if a server \
started this run, which has stored the parameters by then
        """
        scheme = url.partition("://")[0].lower()
        _check_no_password(url)
        if not _named(url, scheme):
            raise ArgumentError(
                f"the URL {url!r} names no database; write {_example(SCHEMES[scheme])}"
            )
        return cls(SCHEMES[scheme], url, database_password(options))

    @property
    def path(self) -> Path:
        """The file of SQLite and DuckDB; ``sqlite:///a.db`` is relative, as in SQLAlchemy."""
        return Path(unquote(self.url.partition(":///")[2].partition("?")[0])).absolute()

    def existing_file(self) -> Path:
        """The file of SQLite and DuckDB.

        Raises
        ------
        SourceError
            If there is none: these clients would create it.
        """
        if not self.path.is_file():
            raise SourceError(
                f"there is no file {str(self.path)!r}, which {self.url!r} names: an absolute path "
                f"has four slashes, as in {_example(self.database)}"
            )
        return self.path

    def secret_url(self, scheme: str) -> str:
        """The URL with the password, for a client in this process; never to be shown."""
        parts = urlsplit(self.url)
        user, at, host = parts.netloc.rpartition("@")
        if self.password is not None:
            user, at = f"{user}:{quote(self.password, safe='')}", "@"
        return parts._replace(scheme=scheme, netloc=f"{user}{at}{host}").geturl()

    def without_password(self, text: str) -> str:
        """A client's message, in one line and without the password."""
        line = " ".join(text.split())
        for secret in filter(None, (self.password, quote(self.password or "", safe=""))):
            line = line.replace(secret, "***")
        return line


def _named(url: str, scheme: str) -> bool:
    parts = urlsplit(url)
    if SCHEMES[scheme] in _FILES:
        return not parts.netloc and len(parts.path) > 1
    return bool(parts.netloc or parts.query) and (len(parts.path) > 1 or bool(parts.query))


def _example(database: str) -> str:
    if database in _FILES:
        return f"{database}:////folder/plant.{'db' if database == 'sqlite' else 'duckdb'}"
    return f"{database}://user@host/database"


def _check_no_password(url: str) -> None:
    parts = urlsplit(url)
    asked = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    in_query = any(secret in name for name in asked for secret in _SECRET)
    if parts.password is None and not in_query:
        return
    host = parts.netloc.rpartition("@")[2]
    variable = "MYSQL_PWD" if SCHEMES[parts.scheme] == "mysql" else "PGPASSWORD"
    raise ArgumentError(
        f"the URL '{parts.scheme}://{host}{parts.path}' carries a password, and parameters are "
        "stored in clear: leave it out, set it in an environment variable such as "
        f"{variable}, and name that in storage_options={{'password': {variable!r}}}; rotate it if "
        "a server started this run, which has stored the parameters by then"
    )
