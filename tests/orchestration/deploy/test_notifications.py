"""Which automations a section `notify` wants, and what does not fit the file's deployments."""

from __future__ import annotations

from uuid import UUID

import pytest
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.channels import Channel
from tidemill.orchestration.deploy.diff import DeploymentState
from tidemill.orchestration.deploy.notifications import check_section, notifying_automations
from tidemill.orchestration.deploy.notify_section import Notify

BLOCK = UUID(int=7)
NIGHTLY = DeploymentSchedule(schedule=CronSchedule(cron="30 2 * * *"))
WITH_INTERVALS = {"properties": {"every": {"default": "1d"}}}


def deployment(name, form=WITH_INTERVALS, schedules=(NIGHTLY,), **parameters):
    fields = {"parameters": {"sink": "~/table", **parameters}, "parameter_openapi_schema": form}
    return DeploymentState(name, fields, schedules)


DAILY = deployment("extract-interval/daily")
HOURLY = deployment("extract-interval/hourly", every="1h")
BY_HAND = deployment("extract/on-demand", {"properties": {}}, ())
ALL = (DAILY, HOURLY, BY_HAND)
IDS = {one.name: f"id-{one.name.partition('/')[2]}" for one in ALL}


def wanted(*entries, deployments=ALL, type_="webhook"):
    section = [Notify.model_validate(one) for one in entries]
    check_section(section, deployments)
    places = [(Channel(one.channel, type_, "name"), BLOCK) for one in section]
    return list(notifying_automations("mine", section, places, deployments, IDS))


def resources(automation):
    return automation.trigger.match_related["prefect.resource.id"]


def test_runs_of_all_deployments_are_told_by_one_automation():
    (one,) = wanted({"webhook": "HOOK"})
    assert one.name == "runs are told to webhook HOOK"
    assert one.trigger.posture.value == "Reactive"
    assert one.trigger.expect == {f"prefect.flow-run.{s}" for s in ("Failed", "Crashed", "Warned")}
    assert resources(one) == sorted(f"prefect.deployment.{id_}" for id_ in IDS.values())
    assert one.actions[0].type == "call-webhook"
    assert one.actions[0].block_document_id == BLOCK


def test_another_place_gets_a_subject_and_a_text():
    (one,) = wanted({"slack": "SLACK", "on": "failed"}, type_="slack-webhook")
    assert one.actions[0].type == "send-notification"
    assert "{{ verdict" in one.actions[0].subject


def test_each_scheduled_deployment_is_late_by_itself_from_the_start():
    runs, daily, hourly = wanted({"webhook": "HOOK", "max_age": "26h"})
    assert runs.name.startswith("runs are told")
    assert daily.name == "daily is late after 26h, told to webhook HOOK"
    for one, name in ((daily, "daily"), (hourly, "hourly")):
        assert resources(one) == [f"prefect.deployment.id-{name}"]
        assert one.trigger.posture.value == "Proactive"
        assert one.trigger.within.total_seconds() == 26 * 3600
        assert one.trigger.for_each == set()
        assert one.trigger.after == one.trigger.expect
        assert one.trigger.expect == {"prefect.flow-run.Completed", "prefect.flow-run.Warned"}
        assert f"extract-interval/{name}" in one.actions[0].payload


def test_a_run_that_finds_nothing_new_is_good_unless_it_is_about_an_interval():
    nightly = deployment("extract/nightly", {"properties": {}})
    entry = {"webhook": "HOOK", "on": "late", "max_age": "2d"}
    (late,) = wanted(entry, deployments=[nightly])
    assert "prefect.flow-run.Skipped" in late.trigger.expect


def test_one_place_may_be_told_of_deployments_at_different_ages():
    names = [
        one.name
        for one in wanted(
            {"webhook": "HOOK", "on": "late", "max_age": "3h", "deployments": ["hourly"]},
            {"webhook": "HOOK", "max_age": "26h", "deployments": ["daily"]},
        )
    ]
    assert len(names) == len(set(names)) == 3
    assert "runs of daily are told to webhook HOOK" in names


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"webhook": "A", "deployments": ["dayly"]}],
         "notify 1: deployments: dayly not in the file; allowed: daily, hourly, on-demand"),
        ([{"webhook": "A", "max_age": "1d", "deployments": ["on-demand"]}],
         "notify 1: max_age is for deployments with a schedule; those of the file are: daily, ho"),
        ([{"webhook": "A", "max_age": "2h"}],
         "notify 1: max_age='2h' is shorter than every='1d' of deployment 'extract-interval/da"),
        ([{"webhook": "A"}, {"webhook": "A", "on": "failed"}],
         "notify 2: webhook A is given twice for the same deployments"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_deployments_is_refused(entries, message):
    with pytest.raises(ArgumentError) as error:
        wanted(*entries)
    assert message in str(error.value)


def test_max_age_needs_a_schedule_somewhere():
    with pytest.raises(ArgumentError, match="with a schedule; those of the file are: none"):
        wanted({"webhook": "A", "max_age": "1d"}, deployments=[BY_HAND])
