"""Inner flow runs of processes that died: Prefect leaves them, and their task runs, Running.

A worker or an automation marks the outer run as crashed, but not the runs it called. If the outer
run starts again, Prefect would attach it to such an inner run.
"""

from __future__ import annotations

from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.runtime import flow_run
from prefect.states import Crashed, State

from tidemill.model.logs import engine_log

__all__ = ["INNER", "end_dead_runs"]

log = engine_log(__name__)

#: Name of the flow that runs on a Dask cluster, inside the others.
INNER = "extract-on-dask"
_LIVE = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_PAGE = 200  # the most that a server gives


def end_dead_runs() -> None:
    """Mark inner runs as crashed whose outer run has ended, or is this one, started again.

    Call it before this run calls any of its own. Errors are logged and never fail the run.
    """
    try:
        with get_client(sync_client=True) as client:
            for run in _dead(client):
                _end(client, run)
    except Exception as error:  # noqa: BLE001  whatever the server says
        log.warning("could not check for runs whose process died: %s", error)


def _dead(client: SyncPrefectClient) -> list[FlowRun]:
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=_LIVE))
    live = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[INNER])),
        flow_run_filter=FlowRunFilter(state=state),
        limit=_PAGE,
    )
    inner = {run.parent_task_run_id: run for run in live if run.parent_task_run_id}
    if not inner:
        return []
    tasks = client.read_task_runs(task_run_filter=TaskRunFilter(id=TaskRunFilterId(any_=[*inner])))
    pairs = [(task.flow_run_id, inner[task.id]) for task in tasks if task.flow_run_id]
    outer = {one for one, _ in pairs}  # a backfill calls several at once
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[*outer])), limit=_PAGE
    )
    ended = {run.id for run in found if _has_ended(run)}
    return [run for one, run in pairs if one in ended]


def _has_ended(outer: FlowRun) -> bool:
    return str(outer.id) == flow_run.id or (outer.state is not None and outer.state.is_final())


def _end(client: SyncPrefectClient, run: FlowRun) -> None:
    state = TaskRunFilterState(type=TaskRunFilterStateType(any_=_LIVE))
    tasks = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[run.id]), state=state)
    crashed: State[Any] = Crashed(message="its process died")
    for task in client.read_task_runs(task_run_filter=tasks, limit=_PAGE):
        client.set_task_run_state(task.id, crashed, force=True)
    client.set_flow_run_state(run.id, crashed, force=True)
    log.warning("the inner run %s had died with its process", run.name)
