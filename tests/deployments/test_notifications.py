"""People are told of runs that fail, crash, warn or do not come, by a web hook, Slack and mail."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun

from tidemill.orchestration.deploy.apply import deploy
from tidemill.orchestration.deploy.project_file import project_file

from ..support import deployed as support
from ..support.programs import BIN, child_environment
from ..support.receivers import mail_receiver, web_receiver
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MAX_AGE = "10s"
SECRETS = {"HOOK": "http://{web}/hook", "SLACK": "json://{web}/slack", "MAIL": "smtp://{mail}"}
NOTIFY = [
    {"webhook": "HOOK", "max_age": MAX_AGE},
    {"slack": "SLACK", "on": "failed"},
    {"mail": "MAIL", "from": "mill@example.org", "to": "team@example.org", "on": ["failed"]},
]
TOLD_SECONDS = 120.0


@dataclass(frozen=True)
class Told:
    """A project whose runs are told, and what was told."""

    flows: support.Deployed
    posted: list[dict[str, Any]]
    mails: list[dict[str, str]]

    def of(self, kind: str, **more: str) -> dict[str, Any]:
        """The first message of a kind that comes."""
        wanted = {"kind": kind, **more}
        found: list[dict[str, Any]] = []

        def came() -> bool:
            found[:] = [one for one in self.posted if wanted.items() <= one.items()]
            return bool(found)

        until(came, TOLD_SECONDS, f"a message {wanted}")
        return found[0]


def write_project(folder: Path) -> Path:
    """The package's daily deployment, with a schedule that is not active: so it is always late."""
    content = yaml.safe_load(project_file(None).read_text())
    (daily,) = (one for one in content["deployments"] if one["name"] == "daily")
    pool = {**content["definitions"]["work_pool"], "name": folder.name}
    parameters = {**daily["parameters"], "every": "5s", "on_empty": "fail"}
    schedules = [{"cron": "0 0 1 1 *", "active": False, "slug": "never"}]
    own = {"name": folder.name, "work_pool": pool, "parameters": parameters, "schedules": schedules}
    own["concurrency_limit"] = None  # the cases need not wait for each other
    content |= {"name": folder.name, "notify": NOTIFY, "deployments": [{**daily, **own}]}
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture(scope="module")
def told(services_server, tmp_path_factory) -> Iterator[Told]:
    with (
        web_receiver() as (web, posted),
        mail_receiver() as (mail, mails),
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, url in SECRETS.items():
            patch.setenv(name, url.format(web=web, mail=mail))
        file = write_project(tmp_path_factory.mktemp("told"))
        deploy(file)
        with get_client(sync_client=True) as client:
            yield Told(support.Deployed(file.parent.name, file, client), posted, mails)


@pytest.fixture
def given(tmp_path, sink) -> dict[str, Any]:
    """Parameters of a day of three series, one of which has a NaN."""
    times = pd.date_range("2026-11-20", periods=24, freq="h")
    frame = pd.DataFrame({"id": np.repeat(range(3), 24), "time": np.tile(times, 3)})
    frame["x"] = np.random.default_rng(0).normal(size=72)
    frame.loc[5, "x"] = np.nan
    frame.to_parquet(tmp_path / "day.parquet", index=False)
    return {
        "source": str(tmp_path / "day.parquet"), "sink": str(sink), "column_id": "id",
        "column_time": "time", "column_value": "x", "settings": "minimal", "cluster": "none",
        "every": "1d", "interval_start": "2026-11-20", "retries": 0, "lookback": 0,
    }  # fmt: skip


def again(command: str, url: str) -> FlowRun:
    """The run that a pasted command makes; no worker takes it any more."""
    words = [BIN / "prefect", *shlex.split(command)[1:]]
    said = subprocess.run(
        words, env=child_environment({"PREFECT_API_URL": url}), capture_output=True, text=True,
        check=True,
    ).stdout  # fmt: skip
    (id_,) = set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", said))
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(id_))


def test_a_deployment_without_any_good_run_is_late(told):
    name = f"extract-interval/{told.flows.pool}"
    late = told.of("late", deployment=name)
    assert late["path"] == "/hook"
    assert late["verdict"] == f"Late: no good run for {MAX_AGE}; there was none yet"
    assert late["command"] == f"prefect deployment run '{name}'"
    assert late["project"] == told.flows.pool
    assert late["command"] in late["text"]


def test_each_kind_is_told_with_table_interval_verdict_and_command(
    told, services_server, given, tmp_path
):
    """One worker for all: a run that fails, one that warns, and one whose process is killed."""
    pool = told.flows.pool
    waiting = {"on_empty": "wait", "interval_start": "2026-11-25"}
    lost = told.flows.start("extract-interval", **given | {"source": str(tmp_path / "no")})
    warning = told.flows.start("extract-interval", **given)
    killed = told.flows.start("extract-interval", **given | waiting)
    with support.process_worker(pool, services_server) as worker:
        about_lost, about_warning = (
            told.of(kind, run_id=str(run.id))
            for kind, run in (("failed", lost), ("warned", warning))
        )
        until(lambda: killed.read().name == "matrix-2026-11-25", TOLD_SECONDS, "a run with a name")
        support.end_descendants(worker)
        about_killed = told.of("crashed", run_id=str(killed.id))
    for run, message in ((lost, about_lost), (warning, about_warning), (killed, about_killed)):
        assert message["deployment"] == f"extract-interval/{pool}"
        assert message["table"] == given["sink"]
        assert message["run"] == run.read().name
        *words, parameters = shlex.split(message["command"])
        name = f"extract-interval/{pool}"
        assert words == ["prefect", "deployment", "run", name, "--params"]
        assert run.read().parameters.items() >= json.loads(parameters).items()
        assert message["text"].startswith(message["verdict"])
    repeated = again(about_lost["command"], services_server)
    assert repeated.id != lost.id
    assert repeated.deployment_id == lost.read().deployment_id
    assert repeated.parameters == lost.read().parameters
    assert about_lost["interval"] == about_warning["interval"] == "2026-11-20"
    assert about_lost["verdict"].startswith("Failed: SourceError: no input files at")
    assert about_warning["verdict"].startswith("Completed, 1 warning: 1 of 3 series quarantined")
    assert about_killed["verdict"].startswith("Crashed: ")
    assert about_killed["interval"] == "2026-11-25"

    late = told.of("late", run=warning.read().name)  # it was the last good one
    assert late["verdict"] == f"Late: no good run for {MAX_AGE}; the last one was {late['run']}"

    until(lambda: told.mails, TOLD_SECONDS, "a mail")
    (mail,) = told.mails
    assert mail["To"] == "team@example.org"
    assert "mill@example.org" in mail["From"]
    assert "Failed: SourceError: no input" in mail["Subject"]
    assert about_lost["command"] in mail["text"]
    slack = [one for one in told.posted if one["path"].startswith("/slack")]
    assert [about_lost["command"] in one["message"] for one in slack] == [True]
    assert len([one for one in told.posted if one.get("kind") == "crashed"]) == 1


def test_the_same_file_changes_nothing_and_shows_no_secret(told, monkeypatch):
    said = deploy(told.flows.file)
    assert "Nothing changed" in said
    monkeypatch.setenv("HOOK", "http://127.0.0.1:1/hush")
    changed = deploy(told.flows.file, dry_run=True)
    assert "change     block webhook/tidemill-" in changed
    assert "url: another one" in changed
    assert "hush" not in changed
    monkeypatch.delenv("HOOK")
    assert "Nothing changed" in deploy(told.flows.file)  # the server has it


def test_without_the_section_blocks_and_automations_go(told):
    content = yaml.safe_load(told.flows.file.read_text())
    told.flows.file.write_text(yaml.safe_dump({**content, "notify": []}))
    dry = deploy(told.flows.file, dry_run=True)
    said = deploy(told.flows.file)
    assert said.count("remove     block ") == dry.count("remove     block ") == 3
    assert said.count("remove     automation ") == 4  # of the three places, and for late runs
    with get_client(sync_client=True) as client:
        names = [one.name for one in client.read_block_documents()]
        assert not [name for name in names if name.startswith("tidemill-")]
    assert "Nothing changed" in deploy(told.flows.file)


def test_a_block_that_a_person_made_is_used_and_stays(told):
    Webhook(url="http://127.0.0.1:1/").save("on-call", overwrite=True)
    content = yaml.safe_load(told.flows.file.read_text())
    entries = [{"block": "webhook/on-call", "on": "failed"}]
    told.flows.file.write_text(yaml.safe_dump({**content, "notify": entries}))
    said = deploy(told.flows.file)
    assert "block" not in said.replace("block webhook/on-call'", "")
    assert "runs are told to block webhook/on-call'" in said
    told.flows.file.write_text(yaml.safe_dump({**content, "notify": []}))
    deploy(told.flows.file)
    assert Webhook.load("on-call").url.get_secret_value() == "http://127.0.0.1:1/"
