"""What is missing for ``tidemill up``: looked for before anything is started."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_DATABASE_CONNECTION_URL,
    PREFECT_API_URL,
    PREFECT_SERVER_API_AUTH_STRING,
)
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError as UrlError
from sqlalchemy.ext.asyncio import create_async_engine

from tidemill.errors import ArgumentError, TidemillError, printable, shown_url
from tidemill.model.counts import counted
from tidemill.orchestration.deploy.apply import check_project
from tidemill.orchestration.stack import ports
from tidemill.orchestration.stack.request import StackRequest
from tidemill.orchestration.stack.running import running_stack
from tidemill.reports.text import bytes_text

__all__ = ["Answer", "check"]

#: What Prefect's server needs; other versions of these have broken it.
_REQUIRED = ("prefect", "prefect-dask", "fastapi", "sqlalchemy")
#: Room for the database, its journal and the logs of a while.
HOME_BYTES = 256 << 20
DATABASE_SECONDS = 10
_DRIVERS = {"postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What was looked at, and what is wrong with it or worth knowing."""

    subject: str
    text: str
    is_wrong: bool = False  # so nothing can be started
    is_note: bool = False  # people should know before it is


def check(request: StackRequest) -> Iterator[Answer]:
    """Look at everything that the stack needs, and change nothing."""
    looks: dict[str, Callable[[StackRequest], str]] = {
        "versions": _versions,
        "project": _project,
        "home": _home,
        "other stacks": _other_stacks,
        "port": _port,
        "database": _database,
        "password": _password,
    }
    for subject, look in looks.items():
        try:
            yield Answer(subject, look(request))
        except (TidemillError, OSError) as error:
            for sentence in error.args if isinstance(error, TidemillError) else [error]:
                yield Answer(subject, printable(sentence), is_wrong=True)
    yield from _warnings(request)


def _versions(_request: StackRequest) -> str:
    found = {name: metadata.version(name) for name in _REQUIRED}
    wanted = map(Requirement, metadata.requires("tidemill") or ())
    wrong = [
        f"{one.name} {found[one.name]} is installed, and {one} needed: `pip install '{one}'`"
        for one in wanted
        if one.name in found and not one.specifier.contains(found[one.name], prereleases=True)
    ]
    if wrong:
        raise ArgumentError(*wrong)
    return f"prefect {found['prefect']}"


def _project(request: StackRequest) -> str:
    found = check_project(request.file)
    count = len(found.deployments)
    if not count:
        raise ArgumentError(f"{request.file}: there are no deployments; give at least one")
    return f"{request.file}: {found.name!r} with {counted(count, 'deployment')}"


def _home(request: StackRequest) -> str:
    home = request.home
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=home):
        free = shutil.disk_usage(home).free
    if free < HOME_BYTES:
        raise ArgumentError(
            f"{home} has {bytes_text(free)} free, and {bytes_text(HOME_BYTES)} are needed; make "
            "room, or set PREFECT_HOME to another folder"
        )
    return f"{home}, {bytes_text(free)} free"


def _other_stacks(request: StackRequest) -> str:
    other = running_stack(request.home)
    if other is not None:
        raise ArgumentError(other.refusal(request.file))
    return "none"


def _port(request: StackRequest) -> str:
    host, port = request.host, request.port
    try:
        is_taken = ports.is_taken(host, port)
    except socket.gaierror:
        raise ArgumentError(
            f"--host {host!r} is no address; give 127.0.0.1, or an address or name of this machine"
        ) from None
    except OSError as error:
        raise ArgumentError(
            f"--host {host} --port {port} cannot be used: {error.strerror}; give an address of "
            "this machine and a port above 1023"
        ) from None
    if is_taken and running_stack(request.home) is None:  # else that one has it, and is named
        raise ArgumentError(
            f"port {port} is taken by {ports.listener(port)}; stop that, or give another: "
            f"--port {ports.free_port(port + 1)}"
        )
    return f"{port} of {host}" + ("" if is_taken else " is free")


def _database(request: StackRequest) -> str:
    url = _url_of(request.database or PREFECT_API_DATABASE_CONNECTION_URL.value())
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    try:
        return asyncio.run(_postgresql(url))
    except TidemillError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a driver raises
        reason = getattr(error, "orig", None) or error
        said = printable(_without_password(f"{type(reason).__name__}: {reason}", url), 300)
        raise ArgumentError(
            f"the database {_shown(url)} cannot be used: {said.removeprefix('ConnectionError: ')}; "
            "start it, or correct --database"
        ) from None


def _url_of(given: str) -> URL:
    try:
        url = make_url(given)
    except UrlError:
        raise ArgumentError(
            f"--database {shown_url(given)!r} is no URL; give one such as "
            "postgresql+asyncpg://USER@HOST/NAME"
        ) from None
    driver = _DRIVERS.get(url.get_backend_name())
    if url.drivername != driver:
        remedy = f"write {driver}://..." if driver else f"allowed: {', '.join(_DRIVERS.values())}"
        raise ArgumentError(f"--database: {url.drivername!r} is not what Prefect uses; {remedy}")
    return url


def _sqlite(url: URL) -> str:
    if not url.database or ":memory:" in url.database or "mode=memory" in url.database:
        raise ArgumentError(
            "--database: an SQLite database in memory would be lost with its process; give a file"
        )
    path = Path(url.database)
    if not path.parent.is_dir():
        raise ArgumentError(f"--database: the folder {path.parent} does not exist; make it")
    return f"SQLite, {path}"


async def _postgresql(url: URL) -> str:
    engine = create_async_engine(url, connect_args={"timeout": DATABASE_SECONDS})
    try:
        async with engine.connect() as connection:
            version = await connection.scalar(text("SHOW server_version"))
            query = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"
            has_trigrams = await connection.scalar(text(query))
    finally:
        await engine.dispose()
    if not has_trigrams:
        raise ArgumentError(
            f"the database {_shown(url)} lacks the extension pg_trgm, which Prefect needs; install "
            "PostgreSQL's contrib package there"
        )
    return f"PostgreSQL {version}, {_shown(url)}"


def _password(_request: StackRequest) -> str:
    wanted = PREFECT_SERVER_API_AUTH_STRING.value()
    if wanted and PREFECT_API_AUTH_STRING.value() != wanted:
        raise ArgumentError(
            "PREFECT_SERVER_API_AUTH_STRING is set, and workers would be refused; set "
            "PREFECT_API_AUTH_STRING to the same"
        )
    return "asked for" if wanted else "none"


def _shown(url: URL) -> str:
    return shown_url(str(url.set(query={})))


def _without_password(said: str, url: URL) -> str:
    return re.sub(re.escape(url.password), "***", said) if url.password else said


def _warnings(request: StackRequest) -> Iterator[Answer]:
    if not ports.is_loopback(request.host):
        where = f"{request.host}:{request.port}"
        remedy = (
            "with its password; the network sees it"
            if PREFECT_SERVER_API_AUTH_STRING.value()
            else "without a password; set PREFECT_SERVER_API_AUTH_STRING and "
            "PREFECT_API_AUTH_STRING to one"
        )
        yield Answer(
            "host",
            f"whoever reaches {where} may start flows as you, {remedy} (docs/security.md)",
            is_note=True,
        )
    configured = PREFECT_API_URL.value()
    if configured and configured.rstrip("/") != request.api:
        yield Answer(
            "other server",
            f"PREFECT_API_URL is {shown_url(configured)}; `tidemill up` starts a server of its own "
            f"and leaves that one alone. To use that one: `tidemill deploy {request.file}`",
            is_note=True,
        )
