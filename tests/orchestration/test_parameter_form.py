"""The form of a flow's parameters, and in words what it allows."""

from typing import Literal

from prefect import flow

from tidemill.orchestration.parameter_form import allowed_text, parameter_form


@flow
def harvest(source: str, hours: int | None = 1, on_empty: Literal["wait", "fail"] = "wait"):
    """Harvest a source."""


def test_a_form_has_the_flows_parameters():
    form = parameter_form(harvest)
    assert list(form["properties"]) == ["source", "hours", "on_empty"]
    assert form["required"] == ["source"]


def test_what_it_allows_is_said_in_words():
    form = parameter_form(harvest)["properties"]
    allowed = {name: allowed_text(one) for name, one in form.items()}
    assert allowed == {"source": "string", "hours": "integer or null", "on_empty": "wait, fail"}
    assert allowed_text(False) == "nothing"
