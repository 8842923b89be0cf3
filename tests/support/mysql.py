"""A MariaDB server of its own, for the tests of one module."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

from .waiting import until

MISSING = "MariaDB is missing, and with it the tests of its client: apt-get install mariadb-server"
USER, PASSWORD = "tide", "hu/sh@1"
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])


def program(name: str) -> str:
    """Its path. Without it the test is skipped, but not where everything has to run."""
    if path := shutil.which(name, path=PATH):
        return path
    if os.environ.get("CI"):
        pytest.fail(MISSING)
    return pytest.skip(MISSING)


@dataclass(frozen=True)
class MySqlServer:
    """A server with one user, whose password it asks for, and the database ``plant``."""

    port: int
    socket: Path

    @property
    def url(self) -> str:
        return f"mysql://{USER}@127.0.0.1:{self.port}/plant"

    def answers(self) -> bool:
        """Whether the user can connect, whom the server makes last."""
        try:
            pymysql.connect(
                host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database="plant"
            ).close()
        except pymysql.MySQLError:
            return False
        return True

    def run(self, *statements: str) -> None:
        """Carry out statements, each in a transaction of its own."""
        with (
            pymysql.connect(
                unix_socket=str(self.socket), user="root", database="plant", autocommit=True
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def mysql_server() -> Iterator[MySqlServer]:
    """Start a server on a free port of this machine, and stop it at the end."""
    install, daemon = program("mariadb-install-db"), program("mariadbd")
    user = ["--user=mysql"] if os.geteuid() == 0 else []  # the server refuses root
    with tempfile.TemporaryDirectory(prefix="tidemill-my-", dir="/tmp") as name:
        folder = Path(name)  # short: the path of a socket has at most 107 characters
        if user:
            shutil.chown(folder, "mysql", "mysql")
        first = folder / "first.sql"
        first.write_text(
            f"CREATE DATABASE plant;\nCREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON plant.* TO {USER}@'%';\n"
        )
        first.chmod(0o644)
        data = f"--datadir={folder}/data"
        # The session's temporary folder is closed to the server's user.
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "TMPDIR": name, "PATH": PATH}}
        subprocess.run(
            [install, "--no-defaults", data, *user, "--skip-test-db",
             "--auth-root-authentication-method=normal"], check=True, **quiet,
        )  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [daemon, "--no-defaults", data, *user, f"--socket={folder}/socket", f"--port={port}",
             "--bind-address=127.0.0.1", "--skip-name-resolve", f"--init-file={first}",
             f"--pid-file={folder}/pid", "--innodb-flush-log-at-trx-commit=0"],
            stderr=subprocess.DEVNULL, **quiet,
        )  # fmt: skip
        server = MySqlServer(port, folder / "socket")
        try:
            until(server.answers, 90, "the server of MariaDB")
            yield server
        finally:
            process.terminate()
            process.wait(60)
