"""Flows are found by their entrypoints; parameters and pull steps are checked against code."""

from typing import Literal

import pytest
from prefect import flow

from tidemill.errors import ArgumentError
from tidemill.flows.extract import extract
from tidemill.orchestration.deploy.entrypoints import (
    load_flow,
    parameter_form,
    wrong_parameters,
    wrong_steps,
)
from tidemill.orchestration.deploy.project_file import Deployment


@flow
def harvest(source: str, hours: int = 1, on_empty: Literal["wait", "fail"] = "wait"):
    """Harvest a source."""


def wrong(parameters, *schedules):
    rules = [{"cron": "0 0 * * *", "parameters": given} for given in schedules]
    content = {"name": "x", "entrypoint": "x.y", "work_pool": {"name": "p"}}
    one = Deployment.model_validate(content | {"parameters": parameters, "schedules": rules})
    return list(wrong_parameters(one, harvest))


def test_a_form_has_the_flows_parameters():
    form = parameter_form(harvest)
    assert list(form["properties"]) == ["source", "hours", "on_empty"]
    assert form["required"] == ["source"]


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
