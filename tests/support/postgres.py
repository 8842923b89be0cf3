"""A PostgreSQL server of its own, for the tests of one module."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

MISSING = "PostgreSQL is missing, and with it the tests of its client: apt-get install postgresql"
USER, PASSWORD = "tide", "hu/sh@1"


def programs() -> Path:
    """Their folder. Without it the test is skipped, but not where everything has to run."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    if path := shutil.which("initdb"):
        return Path(path).resolve().parent
    if os.environ.get("CI"):
        pytest.fail(MISSING)
    return pytest.skip(MISSING)


def _version(path: Path) -> int:
    return int(path.parent.parent.name)


@dataclass(frozen=True)
class Server:
    """A server with one user, whose password it asks for."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def run(self, *statements: str) -> None:
        """Carry out statements, each in a transaction of its own."""
        import adbc_driver_postgresql.dbapi as adbc

        address = f"postgresql://{USER}:hu%2Fsh%401@127.0.0.1:{self.port}/postgres"
        with adbc.connect(address, autocommit=True) as connection:
            for statement in statements:
                with connection.cursor() as cursor:
                    cursor.execute(statement)


@contextmanager
def server() -> Iterator[Server]:
    """Start a server on a free port of this machine, and stop it at the end."""
    binaries = programs()
    with tempfile.TemporaryDirectory(prefix="tidemill-pg-", dir="/tmp") as name:
        folder = Path(name)  # short: the path of a socket has at most 107 characters
        if os.geteuid() == 0:  # the server refuses root
            shutil.chown(folder, "postgres", "postgres")
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        _run(
            [binaries / "initdb", f"--pgdata={folder}/data", f"--username={USER}", "--no-sync",
             "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--no-locale"]
        )  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        control = [binaries / "pg_ctl", f"--pgdata={folder}/data", "--wait"]
        _run([*control, f"--log={folder}/log", f"--options={options}", "start"])
        try:
            yield Server(folder, port)
        finally:
            _run([*control, "--mode=immediate", "stop"])


def _run(command: Sequence[object]) -> None:
    user = {"user": "postgres", "group": "postgres", "extra_groups": []}
    subprocess.run(
        [str(word) for word in command],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        **(user if os.geteuid() == 0 else {}),
    )
