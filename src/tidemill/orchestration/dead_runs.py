"""Runs whose process or cluster died: Prefect leaves them, and their task runs, Running.

A worker or an automation marks the outer run as crashed, but not the runs it called. If the outer
run starts again, Prefect would attach it to such an inner run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run
from prefect.states import Crashed

from tidemill.model.logs import engine_log
from tidemill.orchestration.lost_server import limited
from tidemill.orchestration.untold import LIVE, PAGE, end_run, end_tasks, tell_untold
from tidemill.planning.request import Request
from tidemill.storage.layout import SinkLayout

__all__ = ["INNER", "end_dead_runs", "no_task_left"]

log = engine_log(__name__)

#: Name of the flow that runs on a Dask cluster, inside the others.
INNER = "extract-on-dask"


def end_dead_runs(request: Request) -> None:
    """Tell the server of runs that ended without its knowledge.

    Earlier runs into the same sink that could not tell how they ended have left it there. Inner
    runs are marked as crashed whose outer run has ended, or is this one, started again. Call it
    before this run calls any of its own. Errors are logged and never fail the run.
    """
    try:
        limited(_end_all, SinkLayout.of(request.sink, request.storage_options))
    except Exception as error:  # noqa: BLE001  whatever the server says
        log.warning("could not check for runs whose process died: %s", error)


def _end_all(layout: SinkLayout) -> None:
    with get_client(sync_client=True) as client:
        tell_untold(client, layout)
        for run in _dead(client):
            _end(client, run)


def _dead(client: SyncPrefectClient) -> list[FlowRun]:
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=LIVE))
    live = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[INNER])),
        flow_run_filter=FlowRunFilter(state=state),
        limit=PAGE,
    )
    inner = {run.parent_task_run_id: run for run in live if run.parent_task_run_id}
    if not inner:
        return []
    tasks = client.read_task_runs(task_run_filter=TaskRunFilter(id=TaskRunFilterId(any_=[*inner])))
    pairs = [(task.flow_run_id, inner[task.id]) for task in tasks if task.flow_run_id]
    outer = {one for one, _ in pairs}  # a backfill calls several at once
    found = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[*outer])), limit=PAGE
    )
    ended = {run.id for run in found if _has_ended(run)}
    return [run for one, run in pairs if one in ended]


def _has_ended(outer: FlowRun) -> bool:
    return str(outer.id) == flow_run.id or (outer.state is not None and outer.state.is_final())


def _end(client: SyncPrefectClient, run: FlowRun) -> None:
    end_run(client, run.id, Crashed(message="its process died"))
    log.warning("the inner run %s had died with its process", run.name)


@contextmanager
def no_task_left(flow: str) -> Iterator[None]:
    """If the current run of a flow fails, end those of its task runs that it leaves behind.

    What they ran on may be lost, as a scheduler with its workers. A task that still runs somewhere
    tells the server itself how it ended, after this.

    Parameters
    ----------
    flow : its name; if it is called as a part of another one, the task runs are that one's
    """
    try:
        yield
    except Exception:
        if flow_run.flow_name == flow and flow_run.id is not None:
            try:
                limited(_end_tasks, UUID(flow_run.id))
            except Exception as error:  # noqa: BLE001  whatever the server says
                log.warning("could not end the task runs that were left behind: %s", error)
        raise


def _end_tasks(run: UUID) -> None:
    with get_client(sync_client=True) as client:
        end_tasks(client, run, Crashed(message="the run that it belongs to has failed"))
