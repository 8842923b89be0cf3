"""Automations that tell people of runs: what a file's section ``notify`` wants, as schemas.

One of each entry tells of runs that failed, crashed or warned, and one for each deployment that it
has not had a good run for some time. A second report of one death, which workers send a few seconds
after the first, is not told again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from prefect.events.schemas.automations import AutomationCore

from tidemill.errors import ArgumentError, shorten
from tidemill.model.durations import parse_duration
from tidemill.orchestration.deploy.automations import automation, resources, trigger_of_runs
from tidemill.orchestration.deploy.channels import Channel
from tidemill.orchestration.deploy.diff import DeploymentState
from tidemill.orchestration.deploy.messages import Message, about_late_runs, about_runs
from tidemill.orchestration.deploy.notify_section import Notify

__all__ = ["check_section", "notifying_automations"]

#: Names of states in which a run had a result; in the last, one without intervals had it before.
_GOOD = ("Completed", "Warned")
_NOTHING_CHANGED = "Skipped"
#: Seconds in which the same state of the same attempt is told once.
_ONCE_SECONDS = 60
_LABELS = ("prefect.resource.id", "prefect.state-name", "prefect.run-count")


def check_section(section: Sequence[Notify], deployments: Sequence[DeploymentState]) -> None:
    """Refuse entries that do not fit the file's deployments.

    Raises
    ------
    ArgumentError
        If a name is not that of a deployment, nothing is ever late, or an entry is there twice.
    """
    names = [_own_name(one) for one in deployments]
    for number, one in enumerate(section, start=1):
        at = f"notify {number}: "
        if unknown := [name for name in one.deployments if name not in names]:
            raise ArgumentError(
                f"{at}deployments: {shorten(unknown)} not in the file; allowed: {', '.join(names)}"
            )
        if "late" in one.kinds:
            _check_late(one, deployments, at)
    keys = [(one.channel, tuple(one.to), tuple(one.deployments)) for one in section]
    for number, key in enumerate(keys, start=1):
        if key in keys[: number - 1]:
            raise ArgumentError(
                f"notify {number}: {key[0]} is given twice for the same deployments; give it once"
            )


def _check_late(one: Notify, deployments: Sequence[DeploymentState], at: str) -> None:
    late = list(_scheduled(one, deployments))
    if not late or (one.deployments and len(late) < len(one.deployments)):
        scheduled = [_own_name(each) for each in deployments if each.schedules]
        raise ArgumentError(
            f"{at}max_age is for deployments with a schedule; those of the file are: "
            f"{', '.join(scheduled) or 'none'}"
        )
    for deployment in late:
        every = _every(deployment)
        if every and parse_duration("every", every) // 10**9 > one.max_age_seconds:
            raise ArgumentError(
                f"{at}max_age={one.max_age!r} is shorter than every={every!r} of deployment "
                f"{deployment.name!r}, which would always be late; give more, and time for the run"
            )


def notifying_automations(
    project: str,
    section: Sequence[Notify],
    channels: Sequence[tuple[Channel, UUID]],
    deployments: Sequence[DeploymentState],
    ids: Mapping[str, str],
) -> Iterator[AutomationCore]:
    """The automations that a section wants.

    Parameters
    ----------
    project : name of the file's project
    section : checked
    channels : where each entry's messages go, and the id of the block
    deployments : of the file
    ids : of deployments by their names; one that does not exist yet goes by its name
    """
    for one, (channel, block) in zip(section, channels, strict=True):
        told = [kind.capitalize() for kind in one.kinds if kind != "late"]
        if told:
            names = [each.name for each in _chosen(one, deployments)]
            action = _action(channel, block, about_runs(project))
            yield _telling_of_runs(one, told, resources(names, ids), action)
        if "late" in one.kinds:
            for each in _scheduled(one, deployments):
                yield _telling_of_lateness(project, one, each, (channel, block), ids)


def _telling_of_runs(
    one: Notify, told: Sequence[str], deployments: list[str], action: dict[str, Any]
) -> AutomationCore:
    whose = f" of {', '.join(one.deployments)}" if one.deployments else ""
    trigger = trigger_of_runs(deployments) | {
        "for_each": list(_LABELS),
        "posture": "Reactive",
        "expect": [f"prefect.flow-run.{state}" for state in told],
        "within": _ONCE_SECONDS,
    }
    text = f"Runs that end as {', '.join(told)} are told."
    return automation(f"runs{whose} are told to {one.channel}", text, trigger, action)


def _telling_of_lateness(
    project: str,
    one: Notify,
    deployment: DeploymentState,
    channel: tuple[Channel, UUID],
    ids: Mapping[str, str],
) -> AutomationCore:
    parameters, max_age = deployment.fields["parameters"], str(one.max_age)
    states = _GOOD if _every(deployment) else (*_GOOD, _NOTHING_CHANGED)
    good = [f"prefect.flow-run.{state}" for state in states]
    # Not for each of several: so the time begins when the automation is made, and a deployment
    # that never had a good run is late, too.
    trigger = trigger_of_runs(resources([deployment.name], ids)) | {
        "posture": "Proactive",
        "after": good,
        "expect": good,
        "within": one.max_age_seconds,
    }
    table = str(parameters.get("sink", ""))
    action = _action(*channel, about_late_runs(project, deployment.name, table, max_age))
    text = f"It is told if there was no good run for {max_age}."
    name = f"{_own_name(deployment)} is late after {max_age}, told to {one.channel}"
    return automation(name, text, trigger, action)


def _action(channel: Channel, block: UUID, message: Message) -> dict[str, Any]:
    if channel.takes_json:
        content = {"type": "call-webhook", "payload": message.payload}
    else:
        content = {"type": "send-notification", "subject": message.subject, "body": message.body}
    return {**content, "block_document_id": block}


def _chosen(one: Notify, deployments: Sequence[DeploymentState]) -> Iterator[DeploymentState]:
    chosen = one.deployments
    yield from (each for each in deployments if not chosen or _own_name(each) in chosen)


def _scheduled(one: Notify, deployments: Sequence[DeploymentState]) -> Iterator[DeploymentState]:
    """Those of which a run can be late."""
    yield from (each for each in _chosen(one, deployments) if each.schedules)


def _every(deployment: DeploymentState) -> str | None:
    """Length of the intervals that its runs are about; None if they are about none."""
    form = deployment.fields["parameter_openapi_schema"].get("properties", {})
    default = form["every"].get("default") if "every" in form else None
    every: str | None = deployment.fields["parameters"].get("every", default)
    return every


def _own_name(deployment: DeploymentState) -> str:
    """Its name without that of the flow, as in the file."""
    return deployment.name.partition("/")[2]
