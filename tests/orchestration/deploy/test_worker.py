"""The deployments on a real server: applied, run by a process worker, and the matrix read."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun

import tidemill

BIN = Path(sys.executable).parent
POOL = "tidemill"
FILE = "features/prefect.yaml"
DAILY = "extract-interval/daily"
NAMES = (
    DAILY,
    "extract-interval/hourly",
    "extract/on-demand",
    "backfill/backfill",
    "retention/retention",
)
COMMAND_SECONDS = 120
RUN_SECONDS = 240  # a worker, a process of its own, and kernels that may have to be compiled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Return the folder that Prefect's commands, and all that they start, call home."""
    home = tmp_path_factory.mktemp("home")
    (home / "tmp").mkdir()
    return home


@pytest.fixture(scope="module")
def command(prefect_server, home):
    """Return a function that runs a command as a user would, on the session's server."""
    environment = {
        **os.environ,
        "PREFECT_API_URL": prefect_server,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
    }

    def run(program: str, *arguments: str, seconds: float = COMMAND_SECONDS) -> str:
        done = subprocess.run(
            [BIN / program, *arguments],
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def deployed(command):
    """Apply a project of one's own, as the documentation says."""
    command("tidemill", "init", "features")
    command("tidemill", "deploy", FILE)
    yield command
    for name in NAMES:  # other tests deploy them from projects of other names
        command("prefect", "--no-prompt", "deployment", "delete", name)


@pytest.fixture
def client(prefect_server):
    with get_client(sync_client=True) as client:
        yield client


def wait_until_final(client: SyncPrefectClient, run_id: UUID, seconds: float) -> FlowRun:
    give_up = time.monotonic() + seconds
    while True:
        run = client.read_flow_run(run_id)
        if run.state.is_final() or time.monotonic() > give_up:
            return run
        time.sleep(0.5)


@pytest.mark.leaves_nothing
def test_the_deployments_are_as_the_file_says(deployed, client):
    on_demand = client.read_deployment_by_name("extract/on-demand")
    daily = client.read_deployment_by_name(DAILY)
    assert on_demand.schedules == []
    assert [(one.schedule.cron, one.schedule.timezone, one.active) for one in daily.schedules] == [
        ("30 2 * * *", "UTC", True)
    ]
    assert on_demand.entrypoint == "tidemill.flows.extract.extract"
    assert daily.entrypoint == "tidemill.flows.recurring.extract_interval"
    for one in (on_demand, daily):
        assert one.work_pool_name == POOL
        assert one.global_concurrency_limit.limit == 1
        # Nothing is cloned or copied: the flow comes with the installed package.
        assert [list(step) for step in one.pull_steps] == [
            ["prefect.deployments.steps.set_working_directory"]
        ]


@pytest.mark.leaves_nothing
def test_applying_twice_changes_nothing(deployed, client):
    before = client.read_deployment_by_name(DAILY)
    assert "Nothing changed" in deployed("tidemill", "deploy", FILE)
    after = client.read_deployment_by_name(DAILY)
    assert after.id == before.id
    assert after.schedules == before.schedules


@pytest.mark.leaves_nothing
def test_prefect_deploy_takes_the_same_file(deployed):
    deployed("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", FILE)
    assert "Nothing changed" in deployed("tidemill", "deploy", FILE)


@pytest.mark.leaves_nothing
def test_a_worker_runs_on_demand_to_the_end(deployed, client, tmp_path):
    sink = tmp_path / "matrix"
    parameters = {"sink": str(sink), "settings": "minimal"}
    deployed(
        "prefect", "deployment", "run", "extract/on-demand", "--params", json.dumps(parameters)
    )
    (run,) = [
        one
        for one in client.read_flow_runs()
        if one.deployment_id and one.parameters.get("sink") == str(sink)
    ]
    said = deployed("prefect", "worker", "start", "--pool", POOL, "--run-once", seconds=RUN_SECONDS)
    run = wait_until_final(client, run.id, 30)
    assert run.state.is_completed(), f"{run.state}\n{said}"
    matrix = tidemill.read_matrix(sink)
    assert matrix.shape == (398, 10)
    assert matrix.index.name == "day"
    assert matrix["temperature__length"].eq(48).all()
