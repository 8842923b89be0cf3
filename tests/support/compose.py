"""deployments/containers/: the compose file, the image, and the stack as processes of this machine.

The processes have the commands, variables, secrets and health checks of the compose file, and the
variables of the image. Only what a container hides is replaced: hosts by 127.0.0.1, ports by free
ones, folders by those of a test.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from . import postgres
from .programs import BIN, Program, program
from .waiting import until

FOLDER = Path(__file__).parents[2] / "deployments" / "containers"
COMPOSE = FOLDER / "compose.yaml"
CONTAINERFILE = FOLDER / "Containerfile"
ENTRYPOINT = FOLDER / "entrypoint.sh"
HEALTHY_SECONDS = 300.0  # on a slow machine
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


def compose() -> dict[str, Any]:
    """The compose file where no variable is set, its merge keys resolved."""
    return yaml.safe_load(DEFAULT.sub(r"\1", COMPOSE.read_text(encoding="utf-8")))


def instructions() -> list[tuple[str, str]]:
    """Those of the Containerfile, each with its words."""
    text = re.sub(r"^\s*#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, words) for name, _, words in (line.partition(" ") for line in lines if line)]


def image_environment() -> dict[str, str]:
    """The variables of the image where no build argument is given."""
    values: dict[str, str] = {}
    found: dict[str, str] = {}
    for name, words in instructions():
        given = [one.partition("=") for one in shlex.split(words)]
        if name == "ARG":
            values |= {key: value for key, _, value in given}
        elif name == "ENV":
            fill = {key: re.sub(r"\$\{(\w+)\}", _known(values), v) for key, _, v in given}
            found |= fill
    return found


def _known(values: Mapping[str, str]) -> Any:
    return lambda match: values.get(match[1], match[0])


@dataclass
class Stack:
    """The services of the compose file, each a process or more."""

    folder: Path
    database: postgres.Server
    running: dict[str, list[Program]] = field(default_factory=dict)
    _ports: dict[tuple[str, int], int] = field(default_factory=dict)

    def here(self, text: str, replica: int = 0) -> str:
        """A word of the compose file as it is on this machine."""
        text = re.sub(
            r"(?<![\w/])(?:/run)?/(secrets|project|data|tmp)\b",
            lambda found: str(self.folder / found[1]),
            text,
        )
        text = re.sub(
            r"(?<=//)(server|scheduler)(?=:)|\b0\.0\.0\.0\b|^database$", "127.0.0.1", text
        )
        return re.sub(
            r"(?<![\w.])(4200|5432|8080|878\d)\b", lambda found: self.port(found[1], replica), text
        )

    def port(self, said: str, replica: int = 0) -> str:
        """The port that stands for one of the file; a worker's page has one for each replica."""
        if said == "5432":
            return str(self.database.port)
        key = (said, replica if said == "8788" else 0)
        if key not in self._ports:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self._ports[key] = free.getsockname()[1]
        return str(self._ports[key])

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port('4200')}/api"

    def prepare(self, secrets: Mapping[str, str]) -> None:
        """Make the folders, the secrets and the database."""
        for name in ("secrets", "project", "data", "tmp"):
            (self.folder / name).mkdir()
        for name, text in secrets.items():
            (self.folder / "secrets" / name).write_text(text + "\n")
        for path in (FOLDER / "project").iterdir():
            (self.folder / "project" / path.name).write_text(self.here(path.read_text()))
        given = compose()["services"]["database"]["environment"]
        user, name = given["POSTGRES_USER"], given["POSTGRES_DB"]
        password = secrets["database_password"].replace("'", "''")
        self.database.run(
            f"CREATE ROLE {user} LOGIN PASSWORD '{password}'",
            f"CREATE DATABASE {name} OWNER {user}",
        )

    @contextmanager
    def up(self) -> Iterator[None]:
        """Start the services, each when those that it depends on are healthy or done."""
        services = compose()["services"]
        order = TopologicalSorter(
            {name: one.get("depends_on", {}) for name, one in services.items()}
        )
        order.prepare()
        with ExitStack() as stack:
            while order.is_active():
                ready = order.get_ready()
                for name in ready:
                    replicas = services[name].get("deploy", {}).get("replicas", 1)
                    for replica in range(replicas if name != "database" else 0):
                        started = self._start(name, services[name], replica)
                        self.running.setdefault(name, []).append(stack.enter_context(started))
                for name in ready:
                    self._wait(name, services[name])
                order.done(*ready)
            yield

    def _wait(self, name: str, one: Mapping[str, Any]) -> None:
        """Wait until all of a service are healthy, or have ended well."""
        programs = self.running.get(name, [None])
        for replica, started in enumerate(programs):
            if "healthcheck" in one:
                self._healthy(name, one["healthcheck"]["test"], replica, started)
            elif started:
                started.finishes(HEALTHY_SECONDS)

    def _start(
        self, name: str, one: Mapping[str, Any], replica: int
    ) -> AbstractContextManager[Program]:
        own = self.folder / f"{name}-{replica}"
        own.mkdir()
        given = image_environment() | one.get("environment", {})
        values = {key: self.here(str(value), replica) for key, value in given.items()}
        values |= {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(own)}
        values |= {"PREFECT_HOME": str(own / ".prefect"), "TMPDIR": str(self.folder / "tmp")}
        values["TIDEMILL_CACHE_DIR"] = os.environ["TIDEMILL_CACHE_DIR"]  # kernels, and the demo
        command = [self.here(str(word), replica) for word in one["command"]]
        assigned = [f"{key}={value}" for key, value in values.items()]
        return program(["env", *assigned, ENTRYPOINT, *command])

    def _healthy(self, name: str, test: list[str], replica: int, started: Program | None) -> None:
        """Wait until the health check succeeds."""
        kind, *words = (self.here(word, replica) for word in test)
        assert kind == "CMD"
        folder = postgres.programs() if name == "database" else BIN

        def healthy() -> bool:
            done = subprocess.run([folder / words[0], *words[1:]], capture_output=True, check=False)
            return done.returncode == 0

        until(healthy, HEALTHY_SECONDS, f"{name} to be healthy", started)


@contextmanager
def running_stack(secrets: Mapping[str, str]) -> Iterator[Stack]:
    """All services, started and healthy."""
    with (
        postgres.server() as database,
        tempfile.TemporaryDirectory(prefix="tidemill-stack-") as folder,
    ):
        stack = Stack(Path(folder), database)
        stack.prepare(secrets)
        with stack.up():
            yield stack
