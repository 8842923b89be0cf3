"""Inner runs that a dead process left Running are ended, however many one outer run had."""

from __future__ import annotations

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterFlowRunId
from prefect.context import FlowRunContext
from prefect.states import Crashed, Running

from tidemill.errors import ClusterError
from tidemill.orchestration.dead_runs import INNER, end_dead_runs, no_task_left
from tidemill.planning.request import make_request


@flow(name="backfill")
def outer_flow():
    """Stands for a backfill that died."""


@flow(name=INNER)
def inner_flow():
    """Stands for one of the intervals that it worked on."""


@task
def stand_in():
    """Stands for the inner run in the outer one."""


@pytest.mark.usefixtures("prefect_server")
def test_all_inner_runs_of_a_dead_backfill_are_ended(tmp_path):
    request = make_request("nowhere.parquet", tmp_path / "matrix", column_id="id")
    with get_client(sync_client=True) as client:
        outer = client.create_flow_run(outer_flow, state=Running())
        inner = []
        for key in "abc":
            parent = client.create_task_run(stand_in, outer.id, key, state=Running())
            run = client.create_flow_run(
                inner_flow, parent_task_run_id=parent.id, state=Running(), name=f"inner-{key}"
            )
            inner.append(run.id)
        end_dead_runs(request)
        assert all(client.read_flow_run(one).state.is_running() for one in inner)
        client.set_flow_run_state(outer.id, Crashed(), force=True)
        end_dead_runs(request)
        assert [client.read_flow_run(one).state.is_crashed() for one in inner] == [True] * 3


@flow(name="own")
def leaving_flow():
    """Leaves a task run that nothing will end, as one on a cluster that is lost."""
    with no_task_left("own"):
        own = FlowRunContext.get().flow_run.id
        with get_client(sync_client=True) as client:
            client.create_task_run(stand_in, own, "left", state=Running())
        raise ClusterError("the scheduler is lost")


@flow(name="another")
def another_flow():
    """One of which the other is a part."""
    leaving_flow.fn()


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(("called", "ended"), [(leaving_flow, True), (another_flow, False)])
def test_a_run_that_fails_ends_its_own_task_runs(called, ended):
    state = called(return_state=True)
    assert state.is_failed()
    of_run = TaskRunFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        (left,) = client.read_task_runs(task_run_filter=TaskRunFilter(flow_run_id=of_run))
        assert left.state.is_crashed() == ended
        assert left.state.is_running() != ended
        client.set_task_run_state(left.id, Crashed(), force=True)
