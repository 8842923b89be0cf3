"""Automations on a Prefect server: runs whose process or host died are found, and started again.

Two for a project. The first marks runs as Crashed that tell no more that they live; a worker does
so itself when it sees a process die. The second starts a crashed run again, once. Pure functions:
what a project wants, as JSON of Prefect's API, and what differs on the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.diff import Change, Wanted

__all__ = ["AutomationStep", "FoundAutomation", "compare_automations", "wanted_automations"]

#: Variable of a flow's process that has it tell that it lives, every so many seconds.
HEARTBEAT = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
LEAST_SECONDS = 30  # Prefect's own least
MISSED = 3  # heartbeats that do not come, and the run counts as dead
#: Seconds before a crashed run is started again. The worker tells some deaths twice, a few seconds
#: apart, and the second would stop the new attempt.
SETTLE_SECONDS = 20
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed")
#: What ends the wait: it goes on already, or it was cancelled, and the crash was how it stopped.
_OTHERWISE = ("AwaitingRetry", "Cancelled", "Cancelling", "Pending", "Running", "Scheduled")
_RUNS = "prefect.flow-run."


@dataclass(frozen=True)
class FoundAutomation:
    """An automation as the server has it."""

    id: str
    enabled: bool
    fields: Mapping[str, Any]  # by the API's names


@dataclass(frozen=True)
class AutomationStep:
    """What is done with one automation."""

    action: str  # create, change, remove or unchanged
    name: str
    fields: Mapping[str, Any]
    found: FoundAutomation | None = None
    changes: tuple[Change, ...] = ()

    def lines(self) -> Iterator[str]:
        """What is to be said of it, if it is done."""
        if self.action != "unchanged":
            yield f"{self.action:<10} automation {self.name!r}"
        yield from (f"{'':<10}   {one}" for one in self.changes)


def wanted_automations(
    project: str, file: str, wanted: Sequence[Wanted], ids: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The automations for a project's deployments.

    Parameters
    ----------
    project : name of the project
    file : name of its file, for people
    wanted : its deployments; those without heartbeats are restarted only if a worker saw them die
    ids : ids of the deployments by their names; one that is not there yet goes by its name

    Raises
    ------
    ArgumentError
        If a heartbeat is not a number of seconds.
    """
    beats = {one.name: seconds for one in wanted if (seconds := _heartbeat(one))}
    found = []
    if beats:
        found.append(_marking(_ids(beats, ids), MISSED * max(beats.values())))
    if wanted:
        found.append(_restarting(_ids([one.name for one in wanted], ids)))
    mark = f"{_mark(project)} ({file}), and changed there."
    return [
        {**one, "name": f"{project}: {one['name']}", "description": f"{one['description']} {mark}"}
        for one in found
    ]


def _mark(project: str) -> str:
    return f"Made by `tidemill deploy` from project {project!r}"


def _heartbeat(one: Wanted) -> int | None:
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


def _ids(names: Iterable[str], ids: Mapping[str, str]) -> list[str]:
    return sorted(f"prefect.deployment.{ids.get(name, name)}" for name in names)


def _marking(deployments: list[str], seconds: int) -> dict[str, Any]:
    return {
        "name": "runs without heartbeat have crashed",
        "description": f"A run that does not tell for {seconds} s that it lives is Crashed.",
        "trigger": {
            **_of_runs(deployments),
            "posture": "Proactive",
            "after": [f"{_RUNS}heartbeat"],
            "expect": sorted(f"{_RUNS}{event}" for event in ("heartbeat", *_ENDS)),
            "within": float(seconds),
        },
        "actions": [
            _change_state("CRASHED", "Crashed", f"no heartbeat for {seconds} s: its host died")
        ],
    }


def _restarting(deployments: list[str]) -> dict[str, Any]:
    trigger = _of_runs(deployments)
    return {
        "name": "crashed runs start once more",
        "description": "A run that crashed the first time is started again, about the same time.",
        "trigger": {
            **trigger,
            "match": {**trigger["match"], "prefect.run-count": "1"},  # which is what bounds it
            "posture": "Proactive",
            "after": [f"{_RUNS}Crashed"],
            "expect": sorted(f"{_RUNS}{event}" for event in _OTHERWISE),
            "within": float(SETTLE_SECONDS),
        },
        "actions": [
            _change_state("SCHEDULED", "AwaitingRetry", "its process died: started once more")
        ],
    }


def _of_runs(deployments: list[str]) -> dict[str, Any]:
    """A trigger for each run of some deployments."""
    return {
        "type": "event",
        "match": {"prefect.resource.id": f"{_RUNS}*"},
        "match_related": {
            "prefect.resource.role": "deployment",
            "prefect.resource.id": deployments,
        },
        "for_each": ["prefect.resource.id"],
        "threshold": 1,
    }


def _change_state(state: str, name: str, message: str) -> dict[str, Any]:
    return {"type": "change-flow-run-state", "state": state, "name": name, "message": message}


def compare_automations(
    project: str,
    wanted: Sequence[Mapping[str, Any]],
    found: Iterable[FoundAutomation],
    ids: Mapping[str, str],
) -> tuple[AutomationStep, ...]:
    """What has to be done so that the server has the automations that a project wants.

    Those that were not made from the project's file are no part of it, whatever their names.
    """
    names = {f"prefect.deployment.{value}": name for name, value in ids.items()}
    left = {
        str(one.fields["name"]): one
        for one in found
        if _mark(project) in str(one.fields.get("description"))
    }
    steps = [_step(one, left.pop(one["name"], None), names) for one in wanted]
    gone = (AutomationStep("remove", name, {}, one) for name, one in left.items())
    return (*steps, *gone)


def _step(
    wanted: Mapping[str, Any], found: FoundAutomation | None, names: Mapping[str, str]
) -> AutomationStep:
    if found is None:
        return AutomationStep("create", wanted["name"], wanted)
    old = {path: _named(value, names) for path, value in _leaves(found.fields)}
    new = {path: _named(value, names) for path, value in _leaves(wanted)}
    changes = tuple(
        Change(path, old.get(path), value) for path, value in new.items() if old.get(path) != value
    )
    action = "change" if changes else "unchanged"
    return AutomationStep(action, wanted["name"], wanted, found, changes)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of all that is no mapping; lists of text are sets for Prefect."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for number, one in enumerate(value):
            yield from _leaves(one, f"{path}.{number}")
    else:
        yield path, sorted(value) if isinstance(value, list) else value


def _named(value: Any, names: Mapping[str, str]) -> Any:
    """With deployments by their names, for people."""
    if not isinstance(value, list):
        return value
    prefix = "prefect.deployment."
    return sorted(names.get(one, one.removeprefix(prefix)) for one in value)
