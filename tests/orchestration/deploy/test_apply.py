"""``tidemill deploy`` on a real server: what is created, changed and left alone."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule

from tidemill.errors import ArgumentError, ServerError
from tidemill.orchestration.deploy.apply import deploy
from tidemill.orchestration.deploy.automations import HEARTBEAT

TIDEMILL = Path(sys.executable).parent / "tidemill"
#: A flow of the project's own, beside its file: it may be deployed under any name.
FLOW = '''
from typing import Literal

from prefect import flow


@flow(name="{name}")
def harvest(source: str, hours: int = 1, on_empty: Literal["wait", "fail"] = "wait"):
    """Harvest a source."""
'''
NIGHTLY = {"cron": "30 2 * * *", "timezone": "UTC"}


class Project:
    """A folder with a flow and a file of deployments, which tests change."""

    def __init__(self, folder: Path) -> None:
        self.flow = f"harvest-{uuid.uuid4().hex[:8]}"
        self.pool = f"pool-{self.flow}"
        self.file = folder / "prefect.yaml"
        (folder / "own_flow.py").write_text(FLOW.format(name=self.flow))
        self.nightly = {
            "name": "nightly",
            "entrypoint": "own_flow.py:harvest",
            "tags": ["fields"],
            "parameters": {"source": "s3://fields", "hours": 2},
            "work_pool": {"name": self.pool},
            "concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"},
            "schedules": [NIGHTLY],
        }
        by_hand = {"schedules": [], "concurrency_limit": None, "tags": None, "name": "by-hand"}
        self.content = {
            "name": self.flow,
            "pull": [{"prefect.deployments.steps.set_working_directory": {"directory": "/"}}],
            "deployments": [{**self.nightly, **by_hand}, self.nightly],
        }

    def deploy(self, **options) -> str:
        self.file.write_text(yaml.safe_dump(self.content))
        return deploy(self.file, **options)


@pytest.fixture
def project(tmp_path, prefect_server) -> Project:
    return Project(tmp_path)


@pytest.fixture
def client(prefect_server):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def nightly(project, client):
    """Return a function that reads the deployment from the server."""
    return lambda: client.read_deployment_by_name(f"{project.flow}/nightly")


def state(client) -> dict:
    """All that an application could change on the server."""
    volatile = {"updated", "last_polled", "status"}
    return {
        "deployments": {
            str(one.id): one.model_dump(mode="json", exclude=volatile)
            for one in client.read_deployments()
        },
        "flows": {one.name for one in client.read_flows()},
        "pools": {one.name for one in client.read_work_pools()},
        "automations": {
            str(one.id): one.model_dump(mode="json") for one in client.read_automations()
        },
    }


def test_the_first_time_all_is_created_and_the_second_time_nothing(project, client, nightly):
    said = project.deploy()
    assert f"create     work pool {project.pool} (type process)" in said
    assert said.endswith("Done: 2 created, 0 changed, 0 unchanged.")
    assert client.read_work_pool(project.pool).type == "process"
    made = nightly()
    assert [(one.schedule.cron, one.schedule.timezone, one.active) for one in made.schedules] == [
        ("30 2 * * *", "UTC", True)
    ]
    assert made.parameters == {"source": "s3://fields", "hours": 2}
    assert made.entrypoint == "own_flow.py:harvest"
    assert made.description == "Harvest a source."
    assert made.tags == ["fields"]
    assert made.global_concurrency_limit.limit == 1
    assert made.pull_steps == project.content["pull"]
    assert set(made.parameter_openapi_schema["properties"]) == {"source", "hours", "on_empty"}
    before = state(client)
    assert "Nothing changed" in project.deploy()
    assert state(client) == before


def test_changed_fields_are_applied_and_shown(project, nightly):
    project.deploy()
    before = nightly()
    project.nightly["parameters"] = {"source": "s3://fields", "on_empty": "fail"}
    project.nightly["concurrency_limit"] = 3
    project.nightly["description"] = "Every night."
    said = project.deploy()
    assert "parameters.hours: 2 -> nothing" in said
    assert "parameters.on_empty: nothing -> fail" in said
    assert "concurrency_limit: 1 -> 3" in said
    assert "description: Harvest a source. -> Every night." in said
    after = nightly()
    assert after.id == before.id
    assert after.parameters == {"source": "s3://fields", "on_empty": "fail"}
    assert after.global_concurrency_limit.limit == 3
    assert after.description == "Every night."
    assert after.schedules == before.schedules
    assert "Nothing changed" in project.deploy()


def test_a_new_version_of_the_flow_gets_a_new_form(project, nightly):
    project.deploy()
    source = project.file.with_name("own_flow.py")
    source.write_text(
        source.read_text().replace("hours: int = 1", "hours: int = 1, area: float = 0")
    )
    assert "form of parameters: +area" in project.deploy()
    assert "area" in nightly().parameter_openapi_schema["properties"]


def test_a_schedule_that_left_the_file_goes(project, nightly):
    project.deploy()
    project.nightly["schedules"] = []
    assert "remove schedule: cron 30 2 * * *" in project.deploy()
    assert nightly().schedules == []
    assert "Nothing changed" in project.deploy()


def test_a_deployment_that_left_the_file_starts_no_more_runs(project, nightly):
    project.deploy()
    project.content["deployments"].pop()
    said = project.deploy()
    assert "remove schedule: cron 30 2 * * *" in said
    assert f"prefect deployment delete {project.flow}/nightly" in said
    assert nightly().schedules == []
    assert "Nothing changed" in project.deploy()


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 4 * * *"])
def test_a_schedule_that_a_person_paused_stays_paused(project, client, nightly, cron):
    project.deploy()
    (schedule,) = nightly().schedules
    client.update_deployment_schedule(nightly().id, schedule.id, active=False)
    project.nightly["parameters"]["hours"] = 5
    project.nightly["schedules"] = [{**NIGHTLY, "cron": cron, "active": True}]
    assert "is paused here, and stays so" in project.deploy()
    (after,) = nightly().schedules
    assert (after.id, after.schedule.cron, after.active) == (schedule.id, cron, False)


def test_a_deployment_that_a_person_paused_stays_paused(project, client, nightly):
    project.deploy()
    client.pause_deployment(nightly().id)
    project.nightly["parameters"]["hours"] = 5
    assert "the deployment is paused here, and stays so" in project.deploy()
    assert nightly().paused
    assert nightly().parameters["hours"] == 5


def test_a_schedule_that_a_person_added_stays(project, client, nightly):
    project.deploy()
    added = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 12 * * *"))
    client.create_deployment_schedules(nightly().id, [added])
    assert "Nothing changed" in project.deploy()
    project.nightly["schedules"] = []
    project.deploy()
    assert [one.schedule.cron for one in nightly().schedules] == ["0 12 * * *"]


def test_all_kinds_of_schedules_come_back_as_they_were_given(project, nightly):
    project.nightly["schedules"] = [
        {"interval": "PT1H", "anchor_date": "2026-01-01T00:00:00Z", "slug": "hourly"},
        {"interval": 600, "active": False},
        {"rrule": "FREQ=MINUTELY;INTERVAL=5", "timezone": "Europe/Berlin"},
        {"cron": "0 0 * * *", "day_or": False, "parameters": {"hours": 24}},
    ]
    project.deploy()
    there = nightly().schedules
    assert {one.slug for one in there} > {"hourly"}
    assert [one.active for one in there if not one.active] == [False]
    assert "Nothing changed" in project.deploy()
    begun = [one.schedule.anchor_date for one in there if not one.active]
    project.nightly["schedules"][1]["parameters"] = {"hours": 3}
    assert "schedule.parameters.hours: nothing -> 3" in project.deploy()
    assert [one.schedule.anchor_date for one in nightly().schedules if not one.active] == begun


def test_what_another_made_is_left_alone(project, client, tmp_path):
    @flow(name=project.flow)
    def other(source: str = "none"):
        pass

    flow_id = client.create_flow(other)
    theirs = client.create_deployment(flow_id, "theirs", parameters={"source": "theirs"})
    (tmp_path / "second").mkdir()
    second = Project(tmp_path / "second")
    second.deploy()
    before = state(client)["deployments"]
    project.deploy()
    after = state(client)["deployments"]
    assert {key: after[key] for key in before} == before
    taken = {**project.nightly, "name": "theirs"}
    project.content["deployments"].append(taken)
    project.nightly["parameters"]["hours"] = 9
    with pytest.raises(ArgumentError, match=f"{project.flow}/theirs.*not by `tidemill deploy`"):
        project.deploy()
    assert state(client)["deployments"] == after
    assert str(theirs) in after


def test_automations_follow_the_file_and_a_person(project, client):
    def own():
        mark = f"from project {project.flow!r}"
        return {one.name: one for one in client.read_automations() if mark in one.description}

    marking = f"{project.flow}: runs without heartbeat have crashed"
    restarting = f"{project.flow}: crashed runs start once more"
    project.nightly["work_pool"]["job_variables"] = {"env": {HEARTBEAT: "30"}}
    said = project.deploy()
    assert f"create     automation {marking!r}" in said
    before = own()
    assert before.keys() == {marking, restarting}
    off = {"enabled": False}
    client.request("PATCH", "/automations/{id}", path_params={"id": before[marking].id}, json=off)
    project.nightly["work_pool"]["job_variables"] = {"env": {HEARTBEAT: "60"}}
    assert "trigger.within: 90.0 -> 180.0" in project.deploy(dry_run=True)
    project.deploy()
    after = own()
    assert after[marking].id == before[marking].id
    assert after[marking].trigger.within.total_seconds() == 180
    assert not after[marking].enabled
    assert after[restarting] == before[restarting]
    project.content["deployments"] = []
    assert f"remove     automation {restarting!r}" in project.deploy()
    assert own() == {}


def test_a_dry_run_changes_nothing(project, client):
    before = state(client)
    said = project.deploy(dry_run=True)
    assert said.endswith("It would be: 2 created, 0 changed, 0 unchanged.")
    assert state(client) == before
    project.deploy()
    before = state(client)
    project.nightly["parameters"]["hours"] = 7
    project.nightly["schedules"] = []
    project.nightly["work_pool"] = {"name": f"{project.pool}-2"}
    said = project.deploy(dry_run=True)
    for line in ("parameters.hours: 2 -> 7", "remove schedule", f"work pool {project.pool}-2"):
        assert line in said
    assert state(client) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"retries": 3}, "'nightly': key 'retries' is not allowed"),
        (
            {"entrypoint": "own_flow.py:harves"},
            "'nightly': entrypoint='own_flow.py:harves' cannot be",
        ),
        ({"entrypoint": "tidemill.no.flow"}, "No module named 'tidemill.no'"),
        ({"entrypoint": "tidemill.execution.job.Job"}, "is not a flow"),
        ({"entrypoint": "harvest"}, "not of the form package.module.flow"),
        (
            {"parameters": {"source": "x", "hour": 1}},
            "'hour' is not a parameter .*: source, hours, on_em",
        ),
        (
            {"parameters": {"source": "x", "hours": "two"}},
            "hours='two' is not allowed; .*: integer",
        ),
        ({"parameters": {"source": "x", "on_empty": "go"}}, "on_empty='go' .*allowed: wait, fail"),
        ({"parameters": {}}, "schedule 1: parameters: source missing"),
        (
            {"schedules": [{**NIGHTLY, "parameters": {"hours": []}}]},
            r"schedule 1: parameters.hours=\[\]",
        ),
        ({"schedules": [{"cron": "at night"}]}, "schedule 1: cron='at night' is not allowed"),
        ({"schedules": [{"cron": "0 0 * * *", "timezone": "Mars"}]}, "Mars"),
        ({"schedules": [{"interval": -1}]}, "schedule 1: interval=.* is not allowed"),
        (
            {"work_pool": {"name": "p", "job_variables": {"imag": 1}}},
            "imag not allowed .*: .*working_dir",
        ),
        ({"pull": [{"prefect.deployments.steps.no_step": {}}]}, "pull: step .*no_step' cannot be"),
        (
            {"pull": [{"prefect.deployments.steps.set_working_directory": {"folder": "/"}}]},
            "unexpected keyword argument 'folder'|missing a required argument",
        ),
        ({"name": "by-hand"}, "by-hand' is given twice"),
    ],
)
def test_a_wrong_file_is_refused_and_nothing_is_applied(project, client, change, message):
    before = state(client)
    project.nightly.update(change)
    with pytest.raises(ArgumentError, match=message):
        project.deploy()
    assert state(client) == before


def test_another_work_pool_can_be_named(project, nightly):
    project.deploy()
    said = project.deploy(work_pool=f"{project.pool}-other")
    assert f"work_pool_name: {project.pool} -> {project.pool}-other" in said
    assert nightly().work_pool_name == f"{project.pool}-other"
    with pytest.raises(ArgumentError, match="work_pool='a/b' is not allowed"):
        project.deploy(work_pool="a/b")


def command(*arguments, cwd: Path, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [TIDEMILL, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_applies_the_file_of_the_folder(project, prefect_server):
    project.deploy(dry_run=True)  # writes the file
    folder = project.file.parent
    first, again = (command("deploy", cwd=folder, PREFECT_API_URL=prefect_server) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert "Done: 2 created" in first.stdout
    assert "Nothing changed" in again.stdout
    project.file.write_text("name: x\nretries: 3\n")
    wrong = command("deploy", "--dry-run", cwd=folder, PREFECT_API_URL=prefect_server)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("ArgumentError: prefect.yaml: key 'retries'")


def test_the_command_writes_a_project_that_can_be_deployed(tmp_path, prefect_server, client):
    name = f"own-{uuid.uuid4().hex[:8]}"
    assert command("init", name, cwd=tmp_path).returncode == 0
    again = command("init", name, cwd=tmp_path)
    assert again.returncode == 1
    assert "would be overwritten" in again.stderr
    said = deploy(tmp_path / name / "prefect.yaml", f"pool-{name}")
    try:
        assert "create     extract-interval/daily" in said
        made = client.read_deployment_by_name("extract-interval/daily")
        assert made.labels["tidemill.project"] == name
    finally:
        for one in client.read_deployments():
            if one.labels.get("tidemill.project") == name:
                client.delete_deployment(one.id)


def test_a_server_that_is_not_there_is_named(project, prefect_server):
    project.deploy()
    for url, message in (
        ("http://me:secret@127.0.0.1:9/api", "PREFECT_API_URL=http://127.0.0.1:9/api cannot be"),
        ("", "no Prefect server is configured"),
    ):
        done = command("deploy", cwd=project.file.parent, PREFECT_API_URL=url)
        assert done.returncode == 1
        assert message in done.stderr
        assert "secret" not in done.stderr
        assert done.stderr.startswith(ServerError.__name__)
