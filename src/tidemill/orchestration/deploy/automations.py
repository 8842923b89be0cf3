"""Automations on a Prefect server: dead runs are detected, and crashed runs started again.

Two for a project, beside those that tell people. The first marks runs as Crashed that stopped
sending heartbeats; a worker does so itself when it sees a process die. The second starts a crashed
run again, once. Pure functions: what a project wants, as Prefect's own schemas, and what differs on
the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prefect.events.schemas.automations import Automation, AutomationCore

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.diff import DeploymentState, Difference, field_changes

__all__ = [
    "AutomationDifference",
    "automation",
    "automation_lines",
    "compare_automations",
    "marked",
    "resources",
    "trigger_of_runs",
    "wanted_automations",
]

AutomationDifference = Difference[AutomationCore, Automation]

#: Environment variable of a flow's process: seconds between its heartbeats.
HEARTBEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
LEAST_SECONDS = 30  # Prefect's own least
MISSED = 3  # missing heartbeats after which a run counts as dead
#: Seconds before a crashed run is started again. The worker reports some deaths twice, a few
#: seconds apart, and the second report would stop the new attempt.
SETTLE_SECONDS = 20
_ENDS = ("Completed", "Warned", "Skipped", "Failed", "Cancelled", "Crashed")
#: What ends the wait: the run goes on already, or it was cancelled, and crashed as it stopped.
_OTHERWISE = ("AwaitingRetry", "Cancelled", "Cancelling", "Pending", "Running", "Scheduled")
_DEPLOYMENT = "prefect.deployment."


def wanted_automations(
    wanted: Sequence[DeploymentState], ids: Mapping[str, str]
) -> list[AutomationCore]:
    """The automations that look after the runs of a project's deployments.

    ``ids`` are those of deployments by their names; one that does not exist yet goes by its name.
    Runs without heartbeats are started again only if a worker saw them die.

    Raises
    ------
    ArgumentError
        If a heartbeat is not a number of seconds.
    """
    beats = {one.name: seconds for one in wanted if (seconds := _heartbeat(one))}
    automations = []
    if beats:
        automations.append(_marking(resources(beats, ids), MISSED * max(beats.values())))
    if wanted:
        automations.append(_restarting(resources([one.name for one in wanted], ids)))
    return automations


def marked(automations: Iterable[AutomationCore], project: str, file: str) -> list[AutomationCore]:
    """The same as those of a project: its name comes first, and the description names the file."""
    made = f"{_mark(project)} ({file}), and changed there."
    return [
        one.model_copy(
            update={"name": f"{project}: {one.name}", "description": f"{one.description} {made}"}
        )
        for one in automations
    ]


def _mark(project: str) -> str:
    return f"Made by `tidemill deploy` from project {project!r}"


def _heartbeat(one: DeploymentState) -> int | None:
    """Seconds between heartbeats of a deployment's runs; None without any."""
    given = (one.fields.get("job_variables") or {}).get("env", {}).get(HEARTBEAT)
    if given is None:
        return None
    if not str(given).isdecimal() or int(given) < LEAST_SECONDS:
        raise ArgumentError(
            f"deployment {one.name!r}: work_pool: job_variables: env: {HEARTBEAT}={given!r} is not "
            f"allowed; allowed: a whole number of seconds, {LEAST_SECONDS} or more"
        )
    return int(given)


def resources(names: Iterable[str], ids: Mapping[str, str]) -> list[str]:
    """Resources of deployments, by the ids that their names have on the server."""
    return sorted(f"{_DEPLOYMENT}{ids.get(name, name)}" for name in names)


def _marking(deployments: list[str], seconds: int) -> AutomationCore:
    text = f"A run without a heartbeat for {seconds} s is marked as Crashed."
    trigger = _missing(("heartbeat", *_ENDS), "heartbeat", seconds, deployments)
    message = f"no heartbeat for {seconds} s: its host died"
    action = _change_to("CRASHED", "Crashed", message)
    return automation("runs without heartbeat have crashed", text, trigger, action)


def _restarting(deployments: list[str]) -> AutomationCore:
    text = "A run that crashed the first time is started again, about the same time."
    trigger = _missing(_OTHERWISE, "Crashed", SETTLE_SECONDS, deployments)
    trigger["match"]["prefect.run-count"] = "1"  # which is what bounds it
    message = "its process died: started once more"
    action = _change_to("SCHEDULED", "AwaitingRetry", message)
    return automation("crashed runs start once more", text, trigger, action)


def _missing(
    events: Iterable[str], after: str, seconds: int, deployments: list[str]
) -> dict[str, Any]:
    """A trigger for each run of some deployments without any of these events after another."""
    return trigger_of_runs(deployments) | {
        "for_each": ["prefect.resource.id"],
        "posture": "Proactive",
        "after": [f"prefect.flow-run.{after}"],
        "expect": [f"prefect.flow-run.{event}" for event in events],
        "within": seconds,
    }


def trigger_of_runs(deployments: list[str]) -> dict[str, Any]:
    """What all triggers have in common that look at the runs of some deployments."""
    return {
        "type": "event",
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "match_related": {
            "prefect.resource.role": "deployment",
            "prefect.resource.id": deployments,
        },
        "threshold": 1,
    }


def _change_to(state: str, name: str, message: str) -> dict[str, Any]:
    return {"type": "change-flow-run-state", "state": state, "name": name, "message": message}


def automation(
    name: str, description: str, trigger: dict[str, Any], action: dict[str, Any]
) -> AutomationCore:
    """An automation; its types are given, because an update sends only what is."""
    content = {
        "name": name, "description": description, "trigger": trigger, "actions": [action]
    }  # fmt: skip
    return AutomationCore.model_validate(content)


def compare_automations(
    project: str,
    wanted: Sequence[AutomationCore],
    found: Iterable[Automation],
    ids: Mapping[str, str],
) -> tuple[AutomationDifference, ...]:
    """What has to be done so that the server has the automations that a project wants.

    Those that were not made from the project's file are left alone, whatever their names.
    """
    names = {f"{_DEPLOYMENT}{value}": name for name, value in ids.items()}
    left = {one.name: one for one in found if _mark(project) in one.description}
    pairs = [(one, left.pop(one.name, None)) for one in wanted]
    return (
        *(Difference(new.name, new, old, _changes(old, new, names)) for new, old in pairs),
        *(Difference(name, None, one) for name, one in left.items()),
    )


def _changes(
    found: Automation | None, wanted: AutomationCore, names: Mapping[str, str]
) -> dict[str, str]:
    def named(value: Any) -> Any:
        """With deployments by their names, for people; a list is a set for Prefect."""
        if not isinstance(value, list):
            return value
        return sorted(names.get(one, one.removeprefix(_DEPLOYMENT)) for one in value)

    if found is None:
        return {}
    old, new = (
        one.model_dump(mode="json", include={"description", "trigger", "actions"})
        for one in (found, wanted)
    )
    return field_changes(old, new, named)


def automation_lines(one: AutomationDifference) -> Iterator[str]:
    """Describe it for people, if it changes the server."""
    if one.action != "unchanged":
        yield f"{one.action:<10} automation {one.name!r}"
    yield from (f"{'':<10}   {path}: {change}" for path, change in one.changes.items())
