"""Ends of runs that the server could not be told: they lie beside the table until it can be.

A file says of one run of Prefect how it ended. Only a run that is still Running on the server, and
whose parameters name this table, is ended by it.
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

__all__ = ["LIVE", "PAGE", "Untold", "end_run", "tell_untold", "write_untold"]

log = engine_log(__name__)

LIVE = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
PAGE = 200  # the most that a server gives
_LATE = "told later, by another run: the server did not answer when this one ended"


@dataclass(frozen=True, slots=True)
class Untold:
    """How a run ended."""

    run: str  # id of the flow run
    type: str  # of the state, as Prefect names it
    name: str
    message: str
    ended: str  # ISO 8601, UTC

    @classmethod
    def of(cls, run: UUID, state: State[Any]) -> Self:
        """The end of a run in a state."""
        message = (state.message or "")[:1000]
        now = datetime.now(UTC).isoformat()
        return cls(str(run), state.type.value, state.name or "", message, now)

    @property
    def path(self) -> str:
        """Name of the file."""
        return f"{UUID(self.run)}.json"

    @property
    def state(self) -> State[Any]:
        """The state to tell."""
        message = f"{self.message}; {_LATE}" if self.message else _LATE
        return State(type=StateType(self.type), name=self.name, message=message)


def write_untold(layout: SinkLayout, untold: Untold) -> None:
    """Leave the end of a run beside the table."""
    layout.untold.write(untold.path, json.dumps(asdict(untold)).encode())


def tell_untold(client: SyncPrefectClient, layout: SinkLayout) -> None:
    """Tell the server how earlier runs ended, and forget what it knows by now."""
    store = layout.untold
    for entry in store.folder()[0]:
        try:
            untold = Untold(**json.loads(store.read(entry.path)))
            state, run = untold.state, UUID(untold.run)
        except (ValueError, TypeError, FileNotFoundError):  # damaged, or told by another run
            store.delete(entry.path)
            continue
        try:
            found = client.read_flow_run(run)
        except ObjectNotFound:  # of another server
            found = None
        if found is not None and state.is_final() and _ended_then(found, untold, layout):
            end_run(client, found.id, state)
            log.info("the server was told that run %s is %s", found.name, untold.name)
        store.delete(entry.path)


def end_run(client: SyncPrefectClient, run: UUID, state: State[Any]) -> None:
    """Set the state of a run, and of those of its task runs that the server has as live."""
    live = TaskRunFilterState(type=TaskRunFilterStateType(any_=LIVE))
    tasks = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run]), state=live)
    for task in client.read_task_runs(task_run_filter=tasks, limit=PAGE):
        client.set_task_run_state(task.id, state, force=True)
    client.set_flow_run_state(run, state, force=True)


def _ended_then(run: FlowRun, untold: Untold, layout: SinkLayout) -> bool:
    """Whether the server still has the run as live, in the attempt that ended."""
    if run.state is None or run.state.is_final() or not _is_about(run.parameters, layout):
        return False
    return run.state.timestamp < datetime.fromisoformat(untold.ended)


def _is_about(parameters: Mapping[str, Any], layout: SinkLayout) -> bool:
    inner = parameters.get("run")
    sink = inner.get("sink") if isinstance(inner, Mapping) else parameters.get("sink")
    return sink is not None and SinkLayout.of(str(sink)).url == layout.url
