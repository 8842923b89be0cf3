"""Prefect servers that tests start, lose and start again."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

from .programs import BIN, Program, program
from .waiting import until

SECONDS_TO_ANSWER = 180.0  # on a slow machine


@dataclass(frozen=True)
class Server:
    """A server with a database and a port of its own, which can be started again."""

    home: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)  # of Prefect

    @classmethod
    def in_folder(cls, home: Path, settings: Mapping[str, str] | None = None) -> Self:
        """On a port that is free now."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return cls(home, free.getsockname()[1], settings or {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @contextmanager
    def running(self) -> Iterator[Program]:
        command = [BIN / "prefect", "server", "start", "--host=127.0.0.1", "--no-ui"]
        environment = {"PREFECT_HOME": str(self.home), "PREFECT_API_URL": "", **self.settings}
        with program([*command, f"--port={self.port}"], environment) as started:
            until(self._answers, SECONDS_TO_ANSWER, "the server to answer", started)
            yield started

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def runs(self) -> list[FlowRun]:
        with SyncPrefectClient(self.url) as client:
            return client.read_flow_runs(limit=50)
