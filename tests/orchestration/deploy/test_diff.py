"""What a file of deployments and a server differ in, without a server."""

import pytest
from prefect.client.schemas.objects import DeploymentSchedule

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.diff import (
    DeploymentState,
    compare,
    differences_text,
    field_changes,
)
from tidemill.orchestration.deploy.project_file import Schedule


def on_server(one: DeploymentSchedule, **values) -> DeploymentSchedule:
    """The schedule as the server gives it back, with all that it fills in."""
    content = one.model_dump(mode="json") | {"slug": "tidemill-1"} | values
    return DeploymentSchedule.model_validate(content)


CRON = Schedule(cron="0 1 * * *", timezone="UTC").as_prefect()
NIGHTLY = on_server(CRON)
PAUSED = on_server(CRON, active=False)
RRULE = Schedule(rrule="FREQ=DAILY").as_prefect()


def replace(one: DeploymentSchedule, **values) -> DeploymentSchedule:
    return one.model_copy(update=values)


def steps(wanted: list[DeploymentSchedule], found: list[DeploymentSchedule], **fields):
    parameters = {"parameters": {"a": 1, "b": 2}}
    there = DeploymentState("f/d", parameters | fields, found, project="mine")
    return compare("mine", [DeploymentState("f/d", parameters, wanted)], [there])


@pytest.mark.parametrize(
    ("wanted", "found", "actions"),
    [
        ([CRON], [NIGHTLY], ["unchanged"]),
        ([CRON], [PAUSED], ["unchanged"]),
        ([], [NIGHTLY], ["remove"]),
        ([], [replace(NIGHTLY, slug=None)], []),  # made in Prefect's page
        ([CRON], [], ["create"]),
        ([RRULE], [PAUSED], ["change"]),
        ([replace(CRON, slug="night")], [NIGHTLY], ["change"]),
        ([CRON, RRULE], [NIGHTLY], ["unchanged", "create"]),
        ([replace(CRON, parameters={"a": 2})], [NIGHTLY], ["change"]),
        ([replace(CRON, slug="a")], [on_server(RRULE, slug="a"), NIGHTLY], ["change", "remove"]),
    ],
)
def test_schedules_are_matched(wanted, found, actions):
    (step,) = steps(wanted, found)
    assert [one.action for one in step.schedules] == actions
    assert step.does_something == any(one != "unchanged" for one in actions)


def test_two_schedules_of_one_rule_are_told_apart_by_their_parameters():
    first, second = (replace(CRON, parameters={"a": number}) for number in (1, 2))
    there = [on_server(one, slug=f"tidemill-{one.parameters['a']}") for one in (second, first)]
    (step,) = steps([first, second], there)
    assert step.action == "unchanged"


def test_the_start_that_prefect_gives_a_rule_is_no_difference():
    rule = {"rrule": "DTSTART:20200101T000000\nFREQ=DAILY", "timezone": "UTC"}
    stored = on_server(RRULE, schedule=rule)
    (step,) = steps([RRULE], [stored])
    assert step.action == "unchanged"


def test_a_paused_schedule_is_mentioned_and_no_change():
    said = differences_text(steps([CRON], [PAUSED]), [], dry_run=False)
    assert "schedule cron 0 1 * * * timezone UTC is paused here, and stays so" in said
    assert said.endswith("Nothing changed: the server has what the file says.")


def test_the_text_names_field_old_and_new():
    new = DeploymentState("f/d", {"parameters": {"a": 3, "c": None}, "tags": []}, [CRON])
    values = {"parameters": {"a": 1, "b": 2}, "tags": ["x"]}
    old = DeploymentState("f/d", values, project="mine")
    gone = DeploymentState("f/gone", {}, [NIGHTLY], project="mine")
    said = differences_text(compare("mine", [new], [old, gone]), ["pool"], dry_run=True)
    assert [line.strip() for line in said.splitlines()] == [
        "create     work pool pool (type process)",
        "change     f/d",
        "parameters.a: 1 -> 3",
        "parameters.c: nothing -> null",
        "parameters.b: 2 -> nothing",
        'tags: ["x"] -> []',
        "create schedule: cron 0 1 * * * timezone UTC",
        "change     f/gone",
        "remove schedule: cron 0 1 * * * timezone UTC",
        "it left the file; `prefect deployment delete f/gone` removes it",
        "Dry run, nothing was done. It would be: 0 created, 2 changed, 0 unchanged.",
    ]


@pytest.mark.parametrize("owner", [None, "another"])
def test_a_name_that_is_taken_is_refused(owner):
    taken = DeploymentState("f/d", {}, project=owner)
    with pytest.raises(ArgumentError, match=r"f/d.*prefect deployment delete f/d"):
        compare("mine", [DeploymentState("f/d", {})], [taken])


def test_another_projects_deployments_are_left_alone():
    others = [DeploymentState("f/x", {}, project=owner) for owner in (None, "another")]
    assert compare("mine", [], others) == ()


@pytest.mark.parametrize("cron", ["0 1 * * *", "0 2 * * *"])
def test_a_changed_schedule_is_named_with_old_and_new(cron):
    new = Schedule(cron=cron, timezone="UTC", parameters={"a": 2}, slug="night").as_prefect()
    (step,) = steps([new], [NIGHTLY])
    title, *lines = (line.strip() for line in step.lines())
    rule = f"cron 0 1 * * * timezone UTC -> cron {cron} timezone UTC"
    expected = [
        f"change schedule: cron {cron} timezone UTC",
        f"schedule.rule: {rule}",
        "schedule.parameters.a: nothing -> 2",
        "schedule.slug: tidemill-1 -> night",
    ]
    assert title == "change     f/d"
    assert lines == [one for one in expected if cron != "0 1 * * *" or "rule" not in one]


def test_an_interval_without_a_start_goes_on_from_where_it_began():
    hourly = Schedule(interval=3600).as_prefect()
    there = on_server(hourly, schedule={"interval": 3600, "anchor_date": "2020-01-01T00:00:00Z"})
    (step,) = steps([hourly], [there])
    assert step.action == "unchanged"
    begun = Schedule(interval="PT1H", anchor_date="2021-01-01T00:00:00Z").as_prefect()
    (step,) = steps([begun], [there])
    assert step.does_something


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {"x": None}, {}),
        ({"x": 1, "only there": 2}, {"x": 1}, {}),
        ({"x": None}, {"x": ""}, {"x": 'nothing -> ""'}),
        ({}, {"p": {}}, {}),
        ({"p": {"a": 1}}, {"p": {"a": True}}, {"p.a": "1 -> true"}),
        ({"p": {}}, {"p": {"a": {}}}, {"p.a": "nothing -> {}"}),
        ({"p": {"a": "null"}}, {"p": {"a": None}}, {"p.a": "null -> null"}),
        ({"p": {"a": {"b": 1}}}, {"p": {"a": {"b": 2}}}, {"p.a.b": "1 -> 2"}),
        ({"s": [{"a": 1}]}, {"s": [{"a": 2}]}, {"s.0.a": "1 -> 2"}),
        ({"x": "a" * 200}, {"x": None}, {"x": f"{'a' * 97}... -> nothing"}),
    ],
)
def test_changes_are_found_entry_by_entry(old, new, expected):
    assert field_changes(old, new) == expected


def test_a_form_is_compared_by_its_parameters():
    def form(**properties):
        return {"parameter_openapi_schema": {"properties": properties}}

    old, new = form(a=1, b=2, c=3), form(a=1, b=4, d=5)
    assert field_changes(old, new) == {"parameter_openapi_schema": "+d, -c, b"}
    assert field_changes(new, new) == {}
