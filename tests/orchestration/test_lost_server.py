"""States that cannot be told are taken as told, said in a line, and left beside the table."""

from __future__ import annotations

import socket
import threading
import time
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Completed, Crashed, Running

from tidemill.model.progress import Progress
from tidemill.orchestration import lost_server
from tidemill.orchestration.lost_server import limited, untold_lines
from tidemill.storage.layout import SinkLayout


@flow(name="stands-for-extract")
def some_flow(sink: str):
    """Stands for a run."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(lost_server, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(lost_server, "LEAST_SECONDS", 0.3)
    monkeypatch.setattr(lost_server, "ANSWER_SECONDS", 2.0)
    monkeypatch.setattr(lost_server, "STOP_SECONDS", 2.0)
    untold_lines()
    yield
    lost_server._silence.ends()


@pytest.fixture
def layout(tmp_path):
    return SinkLayout.of(tmp_path / "matrix")


@pytest.fixture(params=["silent", "gone"])
def lost(request):
    """A client of a server that takes connections and never answers, or that is not there."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://me:secret@127.0.0.1:{listener.getsockname()[1]}/api"
        if request.param == "silent":
            listener.listen()
            yield SyncPrefectClient(url)
    if request.param == "gone":
        yield SyncPrefectClient(url)


def test_the_end_of_a_run_does_not_wait_for_a_lost_server(lost, layout, caplog):
    run, inner = uuid4(), uuid4()
    lost.create_flow_run = lambda *_: SimpleNamespace(id=inner)
    teller = lost_server.Teller(lost)
    teller.adopt(run, layout)
    lost.create_flow_run()
    for one, state in ((inner, Running()), (inner, Completed()), (run, Completed())):
        result = lost.set_flow_run_state(one, state)
        assert (result.status.name, result.state.type) == ("ACCEPT", state.type)
    assert {entry.path for entry in layout.untold.folder()[0]} == {f"{run}.json", f"{inner}.json"}
    (line,) = untold_lines()
    assert line.startswith("published; the Prefect server at http://127.0.0.1:")
    assert line.endswith("/api could not be told")
    assert line in caplog.text
    assert untold_lines() == []


def test_a_run_that_was_stopped_says_so(lost, layout):
    run = uuid4()
    lost_server.Teller(lost).adopt(run, layout)
    lost.set_flow_run_state(run, Crashed(), force=True)
    assert untold_lines()[0].startswith("crashed; ")


def test_other_runs_are_told_as_ever(layout):
    told = []
    client = SimpleNamespace(
        api_url="http://127.0.0.1:9/api",
        create_flow_run=None,
        renew_concurrency_lease=None,
        hello=None,
        set_flow_run_state=lambda *given, **named: told.append((given, named)),
    )
    lost_server.Teller(client).adopt(uuid4(), layout)
    of_the_caller, state = uuid4(), Completed()
    client.set_flow_run_state(of_the_caller, state)
    assert told == [((of_the_caller, state), {"force": False})]


def test_a_lease_that_the_server_does_not_renew_ends_no_run(lost, layout, caplog):
    lost_server.Teller(lost).adopt(uuid4(), layout)
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
        lost._client.timeout = 1.0
        lost.renew_concurrency_lease(lease_id=uuid4(), lease_duration=300)
    assert "may not count this one" in caplog.text


def test_whether_the_server_is_reached(lost, layout):
    teller = lost_server.Teller(lost)
    teller.adopt(uuid4(), layout)
    assert not teller.reaches_server()
    assert lost_server.is_silent()


@pytest.mark.usefixtures("prefect_server")
def test_a_server_that_answers_is_told(layout):
    lost_server._silence.begins()
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(some_flow, parameters={"sink": layout.url}, state=Running()).id
        teller = lost_server.Teller(SyncPrefectClient(str(client.api_url)))
        teller.adopt(run, layout)
        teller.note(Progress("plan"))
        assert not layout.untold.folder()[0], "nothing is written before a job owns the sink"
        teller.note(Progress("partition"))
        assert [one.path for one in layout.untold.folder()[0]] == [f"{run}.json"]
        teller.set_flow_run_state(run, Completed(message="done"))
        assert not layout.untold.folder()[0]
        assert client.read_flow_run(run).state.message == "done"
    assert untold_lines() == []


def test_what_is_shown_has_a_limit():
    assert limited(lambda a, b: a + b, 1, b=2) == 3
    with pytest.raises(KeyError):
        limited({}.__getitem__, "x")
    over = threading.Event()
    began = time.monotonic()
    for _ in range(4):
        with pytest.raises(TimeoutError, match="Prefect server"):
            limited(over.wait)
    assert time.monotonic() - began < 30
    assert lost_server.is_silent()
    assert len(lost_server._hanging) == 3, "no more threads than that"
    over.set()

    def refused():
        raise httpx.ConnectError("nobody there")

    for thread in lost_server._hanging:
        thread.join()
    with pytest.raises(httpx.ConnectError):
        limited(refused)
    assert limited(lambda: "back") == "back"
    assert not lost_server.is_silent()
