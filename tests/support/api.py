"""What the Prefect API says of a flow run and of what it started."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterParentFlowRunId,
    LogFilter,
    LogFilterFlowRunId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, Log, TaskRun
from prefect.client.schemas.sorting import FlowRunSort, LogSort, TaskRunSort

from .waiting import until

T = TypeVar("T")


def named_run(flow: Flow[Any, Any], **arguments: Any) -> tuple[FlowRuns, dict[str, Any]]:
    """Call a flow; its runs in the API and what it returned."""
    name = f"test-{uuid.uuid4().hex}"
    summary = flow.with_options(flow_run_name=name)(**arguments)
    return runs_called(name), summary


@dataclass(frozen=True)
class FlowRuns:
    """A flow run and those that it called."""

    runs: tuple[FlowRun, ...]

    def task_runs(self) -> list[TaskRun]:
        """Their task runs, but for those that only stand for the flows called."""
        ids = TaskRunFilterFlowRunId(any_=[run.id for run in self.runs])
        stand_ins = {run.parent_task_run_id for run in self.runs}
        with get_client(sync_client=True) as client:
            found = _pages(
                client.read_task_runs,
                task_run_filter=TaskRunFilter(flow_run_id=ids),
                sort=TaskRunSort.ID_DESC,
            )
        return [one for one in found if one.id not in stand_ins]

    def logs(self) -> list[Log]:
        """The lines in the runs' logs so far."""
        ids = LogFilterFlowRunId(any_=[run.id for run in self.runs])
        with get_client(sync_client=True) as client:
            return _pages(
                client.read_logs, log_filter=LogFilter(flow_run_id=ids), sort=LogSort.TIMESTAMP_ASC
            )

    def wait_for_log(self, text: str, seconds: float = 20.0) -> list[Log]:
        """The lines that contain ``text``; they arrive within a few seconds."""
        return until(
            lambda: [log for log in self.logs() if text in log.message], seconds, f"log: {text}"
        )


def runs_called(name: str) -> FlowRuns:
    """The flow run of that name and those that it called."""
    (outer,) = _flow_runs(FlowRunFilter(name=FlowRunFilterName(any_=[name])))
    return _with_those_it_called(outer)


def runs_into(sink: Path) -> FlowRuns:
    """The flow run that has this sink, and those that it called."""
    (outer,) = [
        one
        for one in _flow_runs(FlowRunFilter())
        if one.parameters.get("sink") == str(sink) and one.parent_task_run_id is None
    ]
    return _with_those_it_called(outer)


def _with_those_it_called(outer: FlowRun) -> FlowRuns:
    parent = FlowRunFilterParentFlowRunId(any_=[outer.id])
    return FlowRuns((outer, *_flow_runs(FlowRunFilter(parent_flow_run_id=parent))))


def _flow_runs(wanted: FlowRunFilter) -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return _pages(client.read_flow_runs, flow_run_filter=wanted, sort=FlowRunSort.ID_DESC)


def _pages(read: Callable[..., Sequence[T]], **wanted: Any) -> list[T]:
    found: list[T] = []
    while page := read(**wanted, limit=200, offset=len(found)):
        found += page
    return found
