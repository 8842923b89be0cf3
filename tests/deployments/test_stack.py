"""The stack of the compose file runs a recurring deployment: PostgreSQL, server, worker, Dask."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

import tidemill
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support.compose import Stack, running_stack
from ..support.deployed import Run
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SECRETS = {"database_password": "it's/a@word", "api_auth": "admin:let me in"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(SECRETS) as stack:
        yield stack


def test_the_stack_runs_a_recurring_deployment(stack):
    assert httpx.get(f"{stack.api}/flows/count").status_code == httpx.codes.UNAUTHORIZED
    ours = {PREFECT_API_URL: stack.api, PREFECT_API_AUTH_STRING: SECRETS["api_auth"]}
    with temporary_settings(ours), get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("extract-interval/daily")
        until(
            lambda: any(
                run.auto_scheduled and run.deployment_id == deployment.id
                for run in client.read_flow_runs()
            ),
            120,
            "the next night to be scheduled",
        )
        started = client.create_flow_run_from_deployment(
            deployment.id, parameters={"settings": "minimal", "lag": "0s"}
        )
        Run(started.id, client).completes()

    sink = stack.folder / "data" / "buoys_daily"
    matrix = tidemill.read_matrix(sink)
    assert matrix.shape == (4 * 6, 10)  # yesterday and the three days before, six buoys
    records = history(SinkLayout.of(sink))
    scheduler = f"tcp://127.0.0.1:{stack.port('8786')}"
    assert {record.cluster["name"] for record in records} == {scheduler}
    _flows_know_nothing_of_the_database(stack)
    _runs_are_in_the_database(stack)


def _flows_know_nothing_of_the_database(stack: Stack) -> None:
    secret = SECRETS["database_password"]
    for name in ("worker", "scheduler", "dask-worker"):
        for one in stack.running[name]:
            top = psutil.Process(one.pid)
            for process in (top, *top.children(recursive=True)):
                known = process.environ()
                assert not [key for key in known if key.startswith("PREFECT_SERVER_DATABASE")]
                assert secret not in known.values()


def _runs_are_in_the_database(stack: Stack) -> None:
    import adbc_driver_postgresql.dbapi as adbc

    url = f"postgresql://prefect:it%27s%2Fa%40word@127.0.0.1:{stack.database.port}/prefect"
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM flow_run WHERE state_type = 'COMPLETED'")
        assert cursor.fetchone()[0] >= 1
