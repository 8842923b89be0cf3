"""What a server knows of the runs of some tables, and servers that do not answer."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Failed, Running, Scheduled

from tidemill.orchestration.table_runs import ServerLook, runs_of_tables
from tidemill.storage.layout import SinkLayout


@flow(name="stands-for-a-table")
def some_flow(sink: str):
    """Stands for a flow that is deployed."""


@pytest.fixture
def url(tmp_path):
    return SinkLayout.of(tmp_path / "table").url


@pytest.fixture
def client(prefect_server):
    with get_client(sync_client=True) as client:
        yield client


def deployment(client, **parameters):
    name = f"nightly-{uuid4().hex[:6]}"
    return name, client.create_deployment(
        client.create_flow(some_flow), name, parameters=parameters
    )


def test_the_next_live_and_last_ended_runs_of_a_table_are_told(client, url):
    name, nightly = deployment(client, sink=url)
    soon = datetime.now(UTC) + timedelta(hours=1)
    states = [
        *(Scheduled(scheduled_time=soon + timedelta(days=n)) for n in (1, 0)),
        Running(),
        Failed(message="no such column"),
    ]
    for state in states:
        client.create_flow_run_from_deployment(nightly, state=state)
    deployment(client, sink=f"{url}-of-others")
    found = runs_of_tables([url])
    assert found.fault == ""
    assert {one.deployment for one in found.runs} == {name}
    (upcoming,) = [one for one in found.runs if one.type == "SCHEDULED"]
    assert abs(datetime.fromisoformat(upcoming.when) - soon) < timedelta(seconds=2)
    (live,) = [one for one in found.runs if one.type == "RUNNING"]
    assert live.sink == url
    (ended,) = [one for one in found.runs if one.type == "FAILED"]
    assert (ended.state, ended.message) == ("Failed", "no such column")


def test_a_deployment_of_several_tables_is_one_of_each(client, url):
    name, retention = deployment(client, tables=[url, f"{url}-2"])
    client.create_flow_run_from_deployment(retention, state=Completed())
    found = runs_of_tables([f"{url}-2"])
    assert [(one.sink, one.deployment) for one in found.runs] == [(f"{url}-2", name)]


def test_deployments_with_parameters_of_others_are_passed_over(client, url):
    deployment(client, sink=7)
    deployment(client, sink="ftp://host/path")
    deployment(client, tables=3)
    found = runs_of_tables([url])
    assert (found.fault, found.runs) == ("", ())


def test_without_a_server_nothing_is_asked(url):
    with temporary_settings({PREFECT_API_URL: None}):
        assert runs_of_tables([url]) == ServerLook()


def test_a_server_that_is_gone_is_a_fault(url):
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        found = runs_of_tables([url])
    assert found.url == "http://127.0.0.1:9/api"
    assert "refused" in found.fault


def test_a_server_that_says_nothing_is_a_fault_and_not_waited_for(url):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: address}):
            found = runs_of_tables([url])
    assert (found.url, found.runs) == (address, ())
    assert found.fault
