"""What ``tidemill up`` was asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from prefect.settings import PREFECT_HOME

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.new_project import FILE
from tidemill.orchestration.stack.ports import LOOPBACK, free_port, url_host

__all__ = ["CLUSTER", "StackRequest"]

#: Environment variable that names the cluster of the stack: a project's file may use it.
CLUSTER = "TIDEMILL_CLUSTER"
SCHEDULER_PORT, DASHBOARD_PORT = 8786, 8787


@dataclass(frozen=True, slots=True)
class StackRequest:
    """What is started, and where."""

    file: Path  # of deployments
    home: Path  # Prefect's: database, logs and lock
    host: str  # that the server listens on
    port: int
    database: str | None  # URL; None: what Prefect is configured for, SQLite by default
    dask: int  # workers; 0: no scheduler
    dask_ports: tuple[int, int]  # of the scheduler and its dashboard
    cluster: str  # the argument by which flows reach that scheduler
    logs: Path
    environment: Mapping[str, str]  # of this command, which all processes get

    @classmethod
    def of(
        cls,
        project: str | os.PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 4200,
        database: str | None = None,
        dask: int = 0,
        logs: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """From what a person says; free ports for Dask are looked for.

        Without ``environment`` it is that of this process.

        Raises
        ------
        ArgumentError
            If a number is out of its range.
        """
        if not 1 <= port <= 65535:
            raise ArgumentError(f"--port {port} is not allowed; give one from 1 to 65535")
        if dask < 0:
            raise ArgumentError(f"--dask {dask} is not allowed; give a number of workers, or 0")
        given = Path(project or ".")
        known = dict(os.environ if environment is None else environment)
        dask_ports = (free_port(SCHEDULER_PORT), free_port(DASHBOARD_PORT)) if dask else (0, 0)
        cluster = f"tcp://{LOOPBACK}:{dask_ports[0]}" if dask else known.get(CLUSTER, "threads")
        home = Path(PREFECT_HOME.value()).absolute()
        return cls(
            (given / FILE if given.is_dir() else given).absolute(),
            home,
            host,
            port,
            database,
            dask,
            dask_ports,
            cluster,
            Path(logs).absolute() if logs else home / "tidemill-up",
            {**known, CLUSTER: cluster},
        )

    @property
    def page(self) -> str:
        """URL of Prefect's page."""
        return f"http://{url_host(self.host)}:{self.port}"

    @property
    def api(self) -> str:
        """URL of Prefect's API."""
        return f"{self.page}/api"
