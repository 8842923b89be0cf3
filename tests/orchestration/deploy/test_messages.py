"""What is told, as Prefect's server fills it in."""

from __future__ import annotations

import json
import shlex
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.server.events.jinja_filters import all_filters
from prefect.server.utilities.user_templates import (
    register_user_template_filters,
    render_user_template_sync,
    validate_user_template,
)

from tidemill.orchestration.deploy.messages import Message, about_late_runs, about_runs

DEPLOYED = {"sink": "s3://b/buoys/", "every": "1d", "interval_start": None}
PARAMETERS = '{"interval_start": "2026-11-28"}'
REPEAT = f"prefect deployment run 'extract-interval/daily' --params '{PARAMETERS}'"
NASTY = 'it\'s "<b>" & {{ 7 * 7 }}\n\\'


@pytest.fixture(autouse=True)
def filters():
    register_user_template_filters(all_filters | {"ui_url": lambda run: f"http://here/{run.id}"})
    yield
    register_user_template_filters(all_filters)


def filled(message: Message, context: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    texts = []
    for template in (message.subject, message.body, message.payload):
        validate_user_template(template)
        texts.append(render_user_template_sync(template, context))
    return texts[0], texts[1], json.loads(texts[2])


def context(
    state: str = "Failed",
    message: str | None = "Failed: NoRowsError: none",
    flow: str = "extract-interval",
    name: str = "buoys-2026-11-28",
    **parameters: Any,
) -> dict[str, Any]:
    run = SimpleNamespace(
        id="a1",
        name=name,
        parameters={**DEPLOYED, **parameters},
        state=SimpleNamespace(message=message),
    )
    return {
        "event": {"resource": {"prefect.state-name": state}},
        "flow_run": run,
        "flow": SimpleNamespace(name=flow),
        "deployment": SimpleNamespace(name="daily", parameters=DEPLOYED),
    }


def test_a_run_is_told_with_table_interval_verdict_and_command():
    subject, body, payload = filled(about_runs("mine"), context())
    assert subject == "Failed: NoRowsError: none (extract-interval/daily)"
    assert body.splitlines() == [
        "Failed: NoRowsError: none",
        "",
        "Deployment: extract-interval/daily",
        "Table: s3://b/buoys/",
        "Interval: 2026-11-28",
        "Run: buoys-2026-11-28",
        "Page: http://here/a1",
        f"To repeat it: {REPEAT}",
    ]
    assert payload == {
        "kind": "failed",
        "deployment": "extract-interval/daily",
        "table": "s3://b/buoys/",
        "interval": "2026-11-28",
        "verdict": "Failed: NoRowsError: none",
        "run": "buoys-2026-11-28",
        "run_id": "a1",
        "url": "http://here/a1",
        "command": REPEAT,
        "project": "mine",
        "text": body,
    }


def test_the_command_repeats_the_interval_with_what_was_given_to_this_run():
    given = {"sink": "it's `here`", "checks": {"rows_drop": {"fail": 0.5}}, "column_id": ["a", "b"]}
    run = context(name="it's `here`-2026-11-28", interval_start="2026-11-28T00:00", **given)
    *words, text = shlex.split(filled(about_runs("mine"), run)[2]["command"])
    assert words == ["prefect", "deployment", "run", "extract-interval/daily", "--params"]
    assert json.loads(text) == {**given, "interval_start": "2026-11-28"}


@pytest.mark.parametrize("given", [{"name": "witty-fox"}, {"flow": "extract"}])
def test_a_run_without_an_interval_is_repeated_as_it_is(given):
    _, body, _ = filled(about_runs("mine"), context(**given))
    assert body.endswith("To repeat it: prefect flow-run retry a1")


@pytest.mark.parametrize(
    ("given", "verdict", "interval"),
    [
        ({"state": "Warned", "message": "Completed, 1 warning: x"}, "Completed, 1 warning: x",
         "2026-11-28"),
        ({"state": "Crashed", "message": "exit code -9"}, "Crashed: exit code -9", "2026-11-28"),
        ({"state": "Crashed", "message": None}, "Crashed", "2026-11-28"),
        ({"name": "witty-fox"}, "Failed: NoRowsError: none", ""),  # it died before it had a name
        ({"flow": "extract", "name": "buoys-2026-11-28T0230"}, "Failed: NoRowsError: none", ""),
    ],
)  # fmt: skip
def test_what_is_not_known_is_left_out(given, verdict, interval):
    _, body, payload = filled(about_runs("mine"), context(**given))
    assert (payload["verdict"], payload["interval"]) == (verdict, interval)
    assert ("Interval: " in body) == bool(interval)


def test_nothing_in_a_verdict_breaks_the_message():
    _, body, payload = filled(about_runs(NASTY), context(message=NASTY))
    assert payload["verdict"] == NASTY
    assert payload["project"] == NASTY
    assert body.startswith(NASTY)


def test_lateness_is_told_without_any_run():
    late = about_late_runs("mine", "extract-interval/daily", "~/tables/buoys", "26h")
    subject, body, payload = filled(late, {"event": None})
    assert subject.startswith("Late: no good run for 26h; there was none yet (extract-interval")
    assert payload["kind"] == "late"
    assert payload["command"] == "prefect deployment run 'extract-interval/daily'"
    assert payload["table"] == "~/tables/buoys"
    assert body.endswith(f"To run it now: {payload['command']}")


def test_lateness_is_told_with_the_last_good_interval():
    late = about_late_runs(NASTY, "extract-interval/daily", "~/tables/buoys", "26h")
    event = {"resource": {"prefect.resource.name": "buoys-2026-11-28"}}
    _, body, payload = filled(late, {"event": event})
    assert payload["verdict"].endswith("the last one was buoys-2026-11-28")
    assert payload["interval"] == "2026-11-28"
    assert "Last good: 2026-11-28" in body
