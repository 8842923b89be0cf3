"""Deployed runs as in real life: a server with its services, deployments, process workers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import State

from tidemill.orchestration.deploy.apply import deploy
from tidemill.orchestration.deploy.project_file import project_file

from .programs import BIN, Program, program
from .servers import Server
from .waiting import until

DRAIN_SECONDS = 30.0
RUN_SECONDS = 180.0  # a process of its own, on a slow machine


@contextmanager
def server(home: Path) -> Iterator[str]:
    """``prefect server start`` with a database of its own; the URL of its API."""
    one = Server.in_folder(home)
    with one.running(), used(one.url):
        yield one.url


@contextmanager
def used(url: str) -> Iterator[None]:
    """Let this process use a server."""
    with temporary_settings({PREFECT_API_URL: url}):
        try:
            yield
        finally:
            # What this process still sends would be sent to a server that is gone, for good.
            EventsWorker.drain_all(timeout=DRAIN_SECONDS)
            APILogWorker.drain_all(timeout=DRAIN_SECONDS)


@contextmanager
def process_worker(pool: str, url: str) -> Iterator[Program]:
    """``prefect worker start``, which looks for runs every other second."""
    environment = {"PREFECT_API_URL": url, "PREFECT_WORKER_QUERY_SECONDS": "2"}
    with program([BIN / "prefect", "worker", "start", "--pool", pool], environment) as started:
        started.says(r"Worker '.*' started", RUN_SECONDS)
        try:
            yield started
        finally:
            end_descendants(started)


def descendants(worker: Program) -> list[psutil.Process]:
    """The live processes that a worker started; each flow has a session of its own."""
    return psutil.Process(worker.pid).children(recursive=True) if not worker.done() else []


def end_descendants(worker: Program) -> None:
    for one in descendants(worker):
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue


@dataclass(frozen=True)
class Deployed:
    """The flows on a server, with a pool of their own."""

    pool: str
    file: Path
    client: SyncPrefectClient

    def start(self, flow: str, state: State[Any] | None = None, **parameters: Any) -> Run:
        """Have a run made; a worker takes it. A flow may be followed by a deployment's name."""
        name = flow if "/" in flow else f"{flow}/{self.pool}"
        deployment = self.client.read_deployment_by_name(name)
        run = self.client.create_flow_run_from_deployment(
            deployment.id, parameters=parameters, state=state
        )
        return Run(run.id, self.client)


@dataclass(frozen=True)
class Run:
    """A run of a deployment."""

    id: UUID
    client: SyncPrefectClient

    def read(self) -> FlowRun:
        return self.client.read_flow_run(self.id)

    @property
    def state(self) -> State[Any]:
        state = self.read().state
        assert state is not None
        return state

    def is_over(self) -> bool:
        return self.state.is_final()

    def propose(self, state: State[Any]) -> None:
        """As Prefect's page does it."""
        self.client.set_flow_run_state(self.id, state)

    def inner(self) -> list[FlowRun]:
        """The runs that it called."""
        parent = FlowRunFilterParentFlowRunId(any_=[self.id])
        return self.client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parent))

    def wait(
        self, fits: Callable[[State[Any]], bool], what: str, seconds: float = RUN_SECONDS
    ) -> FlowRun:
        try:
            until(lambda: fits(self.state), seconds, f"a run to be {what}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.state}") from None
        return self.read()

    def completes(self) -> None:
        """Wait for a good end; a crash may be on the way."""
        self.wait(lambda state: state.is_final() and not state.is_crashed(), "completed")
        assert self.state.is_completed(), self.state

    def states(self) -> list[str]:
        """The names of all its states, in order."""
        found = sorted(self.client.read_flow_run_states(self.id), key=lambda one: one.timestamp)
        return [str(one.name) for one in found]

    def attempts(self) -> int:
        """How often it was Running."""
        return self.states().count("Running")


@contextmanager
def deployed(folder: Path, names: Sequence[str] = ()) -> Iterator[Deployed]:
    """Deploy by a file, as the package's own does, to a pool of its own.

    That is each flow, by the name of the pool, or those of the file's deployments that are named.
    """
    content = yaml.safe_load(project_file(None).read_text())
    name = f"pool-{uuid.uuid4().hex[:8]}"
    pool = {**content["definitions"]["work_pool"], "name": name}
    changes = {"work_pool": pool, "schedules": [], "parameters": {}}
    chosen = [one for one in content["deployments"] if one["name"] in names]
    if not names:
        flows = {one["entrypoint"]: one for one in content["deployments"]}
        chosen = [{**one, "name": name} for one in flows.values()]
    content |= {"name": name, "deployments": [{**one, **changes} for one in chosen]}
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump(content))
    deploy(file)
    with get_client(sync_client=True) as client:
        yield Deployed(name, file, client)
