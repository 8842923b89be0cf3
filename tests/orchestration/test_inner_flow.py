"""A flow inside a flow is done once, with a run of its own or without, as the server answers."""

from __future__ import annotations

import httpx
import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from tidemill.orchestration import lost_server
from tidemill.orchestration.inner_flow import call_inner
from tidemill.planning.request import make_request

pytestmark = pytest.mark.usefixtures("prefect_server")


@task
def doubled(n: int) -> int:
    """Stands for a step."""
    return 2 * n


@pytest.fixture
def done():
    """What the inner flow saw at each call: its run's id, and how often requests are repeated."""
    return []


@pytest.fixture
def outer(done, tmp_path, monkeypatch):
    """A flow that calls another, with something done to the client before it does."""
    monkeypatch.setattr(lost_server, "PATIENCE_SECONDS", 0.5)
    request = make_request("in.parquet", tmp_path / "matrix", column_id="id", column_sort="time")

    @flow
    def inner(n: int) -> int:
        context = FlowRunContext.get()
        done.append((context.flow_run.id, PREFECT_CLIENT_MAX_RETRIES.value()))
        if n < 0:
            raise httpx.ConnectError("of the work itself")
        return doubled.submit(n).result()

    @flow
    def outer(n: int, before_the_call) -> tuple[int, str]:
        lost_server.outlast_server(request)
        context = FlowRunContext.get()
        before_the_call(context.client)
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 7}):
            return call_inner(inner, n=n), context.flow_run.id

    yield lambda n, before_the_call=lambda _: None: outer(n, before_the_call)
    lost_server._silence.ends()


def test_a_flow_has_a_run_of_its_own_while_the_server_answers(outer, done):
    result, own = outer(2)
    ((inner, retries),) = done
    assert (result, retries) == (4, 7)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(inner)
        assert run.state.is_completed()
        assert client.read_task_run(run.parent_task_run_id).flow_run_id == own


def test_what_the_work_itself_raises_is_raised_once(outer, done):
    with pytest.raises(httpx.ConnectError, match="of the work itself"):
        outer(-1)
    assert len(done) == 1


@pytest.mark.parametrize("request_", ["create_flow_run", "read_flow_run", "read_flow_runs"])
def test_a_server_that_is_lost_while_the_flow_begins(request_, outer, done, monkeypatch, caplog):
    asked = []

    def lose(client):
        def refused(*_, **__):
            asked.append(1)
            monkeypatch.undo()
            monkeypatch.setattr(lost_server, "PATIENCE_SECONDS", 0.5)
            monkeypatch.setattr(lost_server.Teller, "reaches_server", lambda _: False)
            raise httpx.ConnectError("gone")

        monkeypatch.setattr(client, request_, refused)

    result, own = outer(2, lose)
    assert (result, done, asked) == (4, [(own, 7)], [1])
    assert "does not answer" in caplog.text


def test_a_hiccup_costs_no_run(outer, done, monkeypatch):
    def stumble(client):
        create = client.create_flow_run
        answers = iter([httpx.ReadTimeout("slow")])

        def once(*given, **named):
            for error in answers:
                raise error
            return create(*given, **named)

        monkeypatch.setattr(client, "create_flow_run", once)

    result, own = outer(2, stumble)
    assert (result, len(done)) == (4, 1)
    assert done[0][0] != own


def test_the_work_of_a_run_whose_server_is_lost_is_part_of_it(outer, done, monkeypatch):
    def lose(_client):
        monkeypatch.setattr(lost_server.Teller.current(), "_url", "http://127.0.0.1:9/api")

    result, own = outer(2, lose)
    assert (result, done) == (4, [(own, 7)])
    assert lost_server.untold_lines() == [
        "published; the Prefect server at http://127.0.0.1:9/api could not be told"
    ]
