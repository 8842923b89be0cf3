"""Ends of runs that the server was not told: they lie beside the table until it can be.

A file says of one run of Prefect how it ended, or, while it lasts, which process it is: should that
die, nobody else may tell. Only a run that is still Running on the server, and whose parameters name
this table, is ended by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import State

from tidemill.model.logs import engine_log
from tidemill.storage.layout import SinkLayout
from tidemill.storage.processes import Process
from tidemill.storage.sealed import built

__all__ = [
    "LIVE",
    "PAGE",
    "Untold",
    "end_run",
    "end_tasks",
    "forget",
    "tell_untold",
    "write_untold",
]

log = engine_log(__name__)

LIVE = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
PAGE = 200  # the most that a server gives
_LATE = "told later, by another run: the server did not answer when this one ended"
_DIED = "its process died"
#: What reading a damaged file raises, and one that another run has told of.
_UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, FileNotFoundError)


@dataclass(frozen=True, slots=True)
class Untold:
    """How a run ended, or whose death ends it."""

    run: str  # id of the flow run
    type: str  # of the state, as Prefect names it
    name: str
    message: str
    ended: str  # ISO 8601, UTC; of one that lasts: when this was written
    process: Process | None = None  # of a run that lasts

    @classmethod
    def of(cls, run: UUID, state: State[Any]) -> Self:
        """The end of a run in a state."""
        message = (state.message or "")[:1000]
        return cls(str(run), state.type.value, state.name or "", message, _now())

    @classmethod
    def lasting(cls, run: UUID) -> Self:
        """The end of a run of this process, should it be killed."""
        return cls(str(run), StateType.CRASHED.value, "Crashed", _DIED, _now(), Process.current())

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what was written; ``ValueError`` or ``TypeError`` if it is damaged."""
        raw = json.loads(data)
        process = raw.get("process")
        return cls(**{**raw, "process": built(Process, process) if process else None})

    @property
    def path(self) -> str:
        """Name of the file."""
        return f"{UUID(self.run)}.json"

    @property
    def may_last(self) -> bool:
        """Whether the run goes on, as far as can be seen from here."""
        return self.process is not None and (not self.process.is_here or self.process.is_alive)

    @property
    def state(self) -> State[Any]:
        """The state to tell."""
        if self.process is not None:
            return State(type=StateType(self.type), name=self.name, message=self.message)
        message = f"{self.message}; {_LATE}" if self.message else _LATE
        return State(type=StateType(self.type), name=self.name, message=message)


def write_untold(layout: SinkLayout, untold: Untold) -> None:
    """Leave the end of a run beside the table."""
    layout.untold.write(untold.path, json.dumps(asdict(untold)).encode())


def forget(layout: SinkLayout, run: UUID) -> None:
    """Remove what was left of a run whose end the server knows."""
    layout.untold.delete(f"{run}.json")


def tell_untold(client: SyncPrefectClient, layout: SinkLayout) -> None:
    """Tell the server how earlier runs ended, and forget what it knows by now."""
    store = layout.untold
    for entry in store.folder()[0]:
        try:
            untold = Untold.from_json(store.read(entry.path))
            state, run = untold.state, UUID(untold.run)
        except _UNREADABLE:
            store.delete(entry.path)
            continue
        try:
            found = client.read_flow_run(run)
        except ObjectNotFound:  # of another server
            found = None
        ended = found is not None and found.state is not None and found.state.is_final()
        if untold.may_last and not ended:
            continue
        if found is not None and state.is_final() and _is_told_by(client, found, untold, layout):
            end_run(client, found.id, state)
            log.info("the server was told that run %s is %s", found.name, untold.name)
        store.delete(entry.path)


def end_run(client: SyncPrefectClient, run: UUID, state: State[Any]) -> None:
    """Set the state of a run, and of those of its task runs that the server has as live."""
    end_tasks(client, run, state)
    client.set_flow_run_state(run, state, force=True)


def end_tasks(client: SyncPrefectClient, run: UUID, state: State[Any]) -> None:
    """Set the state of those task runs of a run that the server has as live."""
    live = TaskRunFilterState(type=TaskRunFilterStateType(any_=LIVE))
    tasks = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run]), state=live)
    for task in client.read_task_runs(task_run_filter=tasks, limit=PAGE):
        client.set_task_run_state(task.id, state, force=True)


def _is_told_by(
    client: SyncPrefectClient, run: FlowRun, untold: Untold, layout: SinkLayout
) -> bool:
    """Whether it is the run's last attempt that ended, and the server knows no better."""
    if run.state is None or not _is_about(run.parameters, layout):
        return False
    ended = datetime.fromisoformat(untold.ended)
    if not run.state.is_final():
        return run.state.timestamp < ended
    # After it had ended, it was found dead, because nothing was heard of it.
    late = run.state.is_crashed() and run.state.timestamp > ended
    return late and not untold.state.is_crashed() and _is_last(client, run, ended)


def _is_last(client: SyncPrefectClient, run: FlowRun, ended: datetime) -> bool:
    """Whether the run was not started again since then."""
    states = client.read_flow_run_states(run.id)
    return not any(state.is_running() and state.timestamp > ended for state in states)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _is_about(parameters: Mapping[str, Any], layout: SinkLayout) -> bool:
    inner = parameters.get("run")
    sink = inner.get("sink") if isinstance(inner, Mapping) else parameters.get("sink")
    return sink is not None and SinkLayout.of(str(sink)).url == layout.url
