"""What automations a project wants, and how they differ from those of a server."""

from __future__ import annotations

from typing import get_args
from uuid import uuid4

import pytest
from prefect.events.schemas.automations import Automation

from tidemill.errors import ArgumentError
from tidemill.model.verdict import Outcome, Verdict
from tidemill.orchestration.deploy.automations import (
    HEARTBEAT,
    automation_lines,
    compare_automations,
    marked,
    wanted_automations,
)
from tidemill.orchestration.deploy.diff import DeploymentState

OUTCOMES = get_args(Outcome)
IDS = {"extract/nightly": "11", "extract/by-hand": "22"}


def deployment(name, heartbeat=None):
    env = {} if heartbeat is None else {HEARTBEAT: heartbeat}
    return DeploymentState(f"extract/{name}", {"job_variables": {"env": env}})


def wanted(*deployments, ids=IDS, project="mine"):
    return marked(wanted_automations(deployments, ids), project, "prefect.yaml")


def found(one, **more):
    """The automation as the server gives it back."""
    content = one.model_dump(mode="json") | {"id": str(uuid4())} | more
    return Automation.model_validate(content)


def ids_of(automation):
    return automation.trigger.match_related["prefect.resource.id"]


def test_a_run_is_dead_after_three_heartbeats_of_the_slowest_deployment():
    marking, restarting = wanted(
        deployment("nightly", "30"), deployment("by-hand", 60), deployment("silent")
    )
    assert marking.trigger.within.total_seconds() == 180
    assert ids_of(marking) == ["prefect.deployment.11", "prefect.deployment.22"]
    assert ids_of(restarting) == [*ids_of(marking), "prefect.deployment.extract/silent"]


def test_without_heartbeats_only_deaths_that_a_worker_saw_are_followed():
    (restarting,) = wanted(deployment("nightly"))
    assert restarting.actions[0].name == "AwaitingRetry"
    assert restarting.trigger.match["prefect.run-count"] == ["1"]


def test_every_end_of_a_run_ends_the_wait_for_heartbeats():
    """The states in which tidemill's runs end have names of their own."""
    marking, _ = wanted(deployment("nightly", "30"))
    ends = {Verdict(outcome, warnings=w).state_name for outcome in OUTCOMES for w in ((), ("x",))}
    ends -= {"Running"}
    assert {f"prefect.flow-run.{end}" for end in ends} <= marking.trigger.expect


def test_no_deployments_need_no_automations():
    assert wanted() == []


@pytest.mark.parametrize("heartbeat", ["10", "1m", "", "-30"])
def test_a_heartbeat_that_prefect_would_not_keep_is_refused(heartbeat):
    with pytest.raises(ArgumentError, match=f"{HEARTBEAT}='{heartbeat}' is not allowed; .* 30 or"):
        wanted(deployment("nightly", heartbeat))


def steps(want, have, project="mine"):
    made = compare_automations(project, want, have, IDS)
    return [(step.action, step.name) for step in made]


def test_the_same_is_left_as_it_is():
    want = wanted(deployment("nightly", "30"))
    have = [found(one, enabled=False, actions_on_trigger=[], tags=[]) for one in want]
    assert {action for action, _ in steps(want, have)} == {"unchanged"}
    content = [one.model_dump(mode="json")["trigger"] for one in want]
    for trigger in content:
        trigger["expect"].reverse()
        trigger["match_related"]["prefect.resource.id"].reverse()
    shuffled = [found(one, trigger=trigger) for one, trigger in zip(want, content, strict=True)]
    assert {action for action, _ in steps(want, shuffled)} == {"unchanged"}


def test_a_change_is_shown_with_the_names_of_deployments():
    (want,) = wanted(deployment("nightly"), deployment("new"))
    (have,) = wanted(deployment("nightly"), deployment("by-hand"))
    (step,) = compare_automations("mine", [want], [found(have)], IDS)
    title, change = automation_lines(step)
    assert title == "change     automation 'mine: crashed runs start once more'"
    assert change.endswith(
        'id: ["extract/by-hand", "extract/nightly"] -> ["extract/new", "extract/nightly"]'
    )


def test_only_those_of_the_project_are_touched():
    mine = wanted(deployment("nightly", "30"))
    other = wanted(deployment("nightly", "30"), project="other")
    have = [*map(found, other), *(found(one, description="Made by hand") for one in mine)]
    assert [action for action, _ in steps(mine, have)] == ["create", "create"]
    gone = steps([], [found(one) for one in (*mine, *other)])
    assert gone == [("remove", one.name) for one in mine]


def test_a_trigger_that_a_person_replaced_is_a_change():
    (want,) = wanted(deployment("nightly"))
    trigger = {"type": "compound", "require": "any", "triggers": [want.trigger]}
    have = found(
        want, trigger=Automation.model_validate({**dict(found(want)), "trigger": trigger}).trigger
    )
    assert [action for action, _ in steps([want], [have])] == ["change"]
