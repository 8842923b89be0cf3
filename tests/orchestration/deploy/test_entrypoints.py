"""Flows are found by their entrypoints; parameters and pull steps are checked against code."""

from pathlib import Path
from typing import Literal

import pytest
from prefect import flow

from tidemill.errors import ArgumentError
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval
from tidemill.orchestration.deploy.entrypoints import (
    load_flow,
    wrong_parameters,
    wrong_steps,
)
from tidemill.orchestration.deploy.project_file import Deployment


@flow
def harvest(source: str, hours: int = 1, on_empty: Literal["wait", "fail"] = "wait"):
    """Harvest a source."""


def wrong(parameters, *schedules, of=harvest):
    rules = [{"cron": "0 0 * * *", "parameters": given} for given in schedules]
    content = {"name": "x", "entrypoint": "x.y", "work_pool": {"name": "p"}}
    one = Deployment.model_validate(content | {"parameters": parameters, "schedules": rules})
    return list(wrong_parameters(one, of, Path("/project")))


def test_flows_are_loaded_from_packages_and_from_files(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from prefect import flow\n\n\n@flow\ndef own():\n    pass\n\n\nother = 3\n"
    )
    assert load_flow("tidemill.flows.extract.extract", tmp_path).name == extract.name
    assert load_flow("mine.py:own", tmp_path).name == "own"
    for entrypoint in ("mine.py:missing", "mine.py:other", "none.py:own", "tidemill.no.flow"):
        with pytest.raises(ArgumentError, match=f"entrypoint='{entrypoint}' cannot be imported"):
            load_flow(entrypoint, tmp_path)
    with pytest.raises(ArgumentError, match=r"not of the form package\.module\.flow"):
        load_flow("own", tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"hour": 1},
            "parameters: 'hour' is not a parameter of 'harvest'; allowed: source, h",
        ),
        ({"hours": "two"}, "parameters.hours='two' is not allowed; allowed: integer"),
        ({"on_empty": "go"}, "parameters.on_empty='go' is not allowed; allowed: wait, fail"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(given, message):
    (sentence,) = wrong(given)
    assert sentence.startswith(message)
    (sentence,) = wrong({"source": "x"}, given)
    assert sentence.startswith(f"schedule 1: {message}")


GOOD = {"source": "~/in", "sink": "~/out", "column_id": "id", "column_time": "time"}


def test_a_flow_of_the_package_is_checked_by_its_own_door():
    assert wrong(GOOD, {}, of=extract_interval) == []
    relative = {"source": "in", "sink": "out", "every": "1 day", "timezone": "Berlin"}
    said = wrong(GOOD | relative, {"window": "2 weeks", "retries": -1}, of=extract_interval)
    assert [one.partition("=")[0] for one in said] == [
        "parameters.source",
        "parameters.sink",
        "parameters.timezone",
        "parameters.every",
        "schedule 1: parameters.window",
        "schedule 1: parameters.retries",
    ]
    assert not any("^" in one for one in said)


def test_a_schedule_is_checked_together_with_what_its_deployment_gives():
    given = GOOD | {"every": "1h"}
    (said,) = wrong(given, {"anchor": "6h"}, of=extract_interval)
    assert said.startswith("schedule 1: parameters.anchor='6h' is not allowed")
    assert wrong(given | {"every": "1d"}, {"anchor": "6h"}, of=extract_interval) == []


def test_a_flow_of_ones_own_may_take_what_it_likes():
    assert wrong({"source": "in"}) == []


def test_a_schedule_needs_all_required_parameters_but_a_deployment_does_not():
    assert wrong({}) == []
    assert wrong({"source": "x"}, {}) == []
    assert wrong({}, {"source": "x"}) == []
    (sentence,) = wrong({}, {"hours": 2})
    assert sentence.startswith("schedule 1: parameters: source missing")


FOLDER = "prefect.deployments.steps.set_working_directory"


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({FOLDER: {"directory": "/", "id": "a"}}, None),
        ({"not.installed.here": {"requires": "it", "x": 1}}, None),
        ({FOLDER: {"folder": "/"}}, f"pull: step '{FOLDER}' cannot be called: TypeError"),
        ({"no_such.step": None}, "pull: step 'no_such.step' cannot be called: "),
        ({}, "pull: {} is not allowed; give each step one name"),
    ],
)
def test_pull_steps_that_a_worker_could_not_run_are_named(step, message):
    found = list(wrong_steps([step]))
    if message is None:
        assert found == []
    else:
        (sentence,) = found
        assert sentence.startswith(message)
