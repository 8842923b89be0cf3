"""How a file of deployments and a server differ: pure functions, and the text for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Generic, TypeVar
from uuid import UUID

from prefect.client.schemas.objects import DeploymentSchedule

from tidemill.errors import ArgumentError

__all__ = [
    "DeploymentDifference",
    "DeploymentState",
    "Difference",
    "ScheduleDifference",
    "compare",
    "differences_text",
    "field_changes",
]

_FORM = "parameter_openapi_schema"
_WIDTH = 100  # characters of a value that is shown
_Wanted = TypeVar("_Wanted")
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class DeploymentState:
    """A deployment as the file wants it, or as the server has it."""

    name: str  # of flow and deployment, like extract/nightly
    fields: Mapping[str, Any]  # JSON values, by the names of Prefect's API
    schedules: Sequence[DeploymentSchedule] = ()
    paused: bool = False
    project: str | None = None  # whose file it was made from
    id: UUID | None = None  # on the server


@dataclass(frozen=True)
class Difference(Generic[_Wanted, _Found]):
    """Something that the file wants, the server has, or both."""

    name: str
    wanted: _Wanted | None
    found: _Found | None
    changes: Mapping[str, str] = field(default_factory=dict)  # what `field_changes` returns

    @property
    def action(self) -> str:
        """One of create, remove, change and unchanged."""
        if self.found is None:
            return "create"
        if self.wanted is None:
            return "remove"
        return "change" if self.changes else "unchanged"


ScheduleDifference = Difference[DeploymentSchedule, DeploymentSchedule]


@dataclass(frozen=True)
class DeploymentDifference(Difference[DeploymentState, DeploymentState]):
    """A deployment and its schedules. One that left the file stays, without schedules."""

    schedules: tuple[ScheduleDifference, ...] = ()

    @property
    def does_something(self) -> bool:
        """Whether it changes the server."""
        own = self.action in {"create", "change"}
        return own or any(one.action != "unchanged" for one in self.schedules)

    def lines(self) -> Iterator[str]:
        """Describe it for people."""
        action = self.action
        if self.found:
            still = "unchanged" if self.wanted else "left"
            action = "change" if self.does_something else still
        yield f"{action:<10} {self.name}"
        yield from (f"{'':<10}   {one}" for one in self._details())

    def _details(self) -> Iterator[str]:
        for path, change in self.changes.items():
            yield f"{'form of parameters' if path == _FORM else path}: {change}"
        for one in self.schedules:
            if one.action != "unchanged":
                yield f"{one.action} schedule: {one.name}"
            yield from (f"schedule.{path}: {change}" for path, change in one.changes.items())
            if one.wanted and one.found and one.wanted.active != one.found.active:
                state = "active" if one.found.active else "paused"
                yield f"schedule {one.name} is {state} here, and stays so"
        if self.wanted is None:
            yield f"it left the file; `prefect deployment delete {self.name}` removes it"
        elif self.found and self.found.paused and not self.wanted.paused:
            yield "the deployment is paused here, and stays so"


def compare(
    project: str, wanted: Sequence[DeploymentState], found: Iterable[DeploymentState]
) -> tuple[DeploymentDifference, ...]:
    """What has to be done so that the server has what the file of ``project`` wants.

    Deployments that were not made from this file are left alone.

    Raises
    ------
    ArgumentError
        If a name is taken by such a deployment.
    """
    there = {one.name: one for one in found}
    names = [one.name for one in wanted]
    if taken := [there[n] for n in names if n in there and there[n].project != project]:
        raise ArgumentError(*(_taken(one, project) for one in taken))
    left = sorted(n for n, one in there.items() if one.project == project and n not in names)
    return (
        *(_difference(one.name, one, there.get(one.name)) for one in wanted),
        *(_difference(name, None, there[name]) for name in left),
    )


def _taken(found: DeploymentState, project: str) -> str:
    maker = f"from project {found.project!r}" if found.project else "not by `tidemill deploy`"
    return (
        f"deployment {found.name!r} is on the server and was made {maker}, so project {project!r} "
        "leaves it alone; give yours another name in the file, or delete that one: "
        f"prefect deployment delete {found.name}"
    )


def _difference(
    name: str, wanted: DeploymentState | None, found: DeploymentState | None
) -> DeploymentDifference:
    changes = field_changes(found.fields, wanted.fields) if wanted and found else {}
    schedules = _schedule_differences(
        wanted.schedules if wanted else (), found.schedules if found else ()
    )
    return DeploymentDifference(name, wanted, found, changes, tuple(schedules))


def field_changes(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    plain: Callable[[Any], Any] = lambda value: value,
) -> dict[str, str]:
    """How the fields of ``new`` differ in ``old``: text like 'efficient -> minimal' by path.

    A path is that of one entry, like parameters.settings; values are compared after ``plain``.
    """
    changes = {}
    for key, value in new.items():
        if key == _FORM:
            if old.get(key) != value:
                changes[key] = _form_change(old.get(key), value)
            continue
        before, after = (
            {path: json.dumps(plain(leaf)) for path, leaf in _leaves(one, key)}
            for one in (old.get(key), value)
        )
        for path in dict.fromkeys([*after, *before]):
            if before.get(path) != after.get(path):
                changes[path] = f"{_shown(before.get(path))} -> {_shown(after.get(path))}"
    return changes


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Path and value of all that is no mapping, and no list of mappings."""
    is_entry = "." in path
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        value = dict(enumerate(value))
    if isinstance(value, Mapping) and (value or not is_entry):
        for key, one in value.items():
            yield from _leaves(one, f"{path}.{key}")
    elif value is not None or is_entry:  # a field that is null is not there
        yield path, value


def _shown(text: str | None) -> str:
    """JSON as people write it."""
    if text is None:
        return "nothing"
    if text.startswith('"') and text != '""':
        text = json.loads(text)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _form_change(old: Any, new: Any) -> str:
    """Names of the parameters that were added, removed or changed in the form."""
    before, after = ((form or {}).get("properties", {}) for form in (old, new))
    added = [f"+{name}" for name in after if name not in before]
    removed = [f"-{name}" for name in before if name not in after]
    changed = [name for name in after if name in before and before[name] != after[name]]
    return ", ".join([*added, *removed, *changed]) or "as the installed flow has it"


def _schedule_differences(
    wanted: Sequence[DeploymentSchedule], found: Sequence[DeploymentSchedule]
) -> Iterator[ScheduleDifference]:
    """Pairs by slug, then by content; a single one left on each side was changed.

    A schedule without a slug was not made from the file: it is a person's and stays.
    """
    wants, has = list(wanted), [one for one in found if one.slug]
    for matches in (
        lambda new, old: new.slug == old.slug,
        lambda new, old: _same_rule(new, old) and new.parameters == old.parameters,
        _same_rule,
        lambda *_: len(wants) == len(has) == 1,
    ):
        for new, old in product(tuple(wants), tuple(has)):
            if new in wants and old in has and matches(new, old):
                wants.remove(new)
                has.remove(old)
                yield _schedule_difference(new, old)
    yield from (Difference(_rule_text(one), None, one) for one in has)
    yield from (Difference(_rule_text(one), one, None) for one in wants)


def _schedule_difference(new: DeploymentSchedule, old: DeploymentSchedule) -> ScheduleDifference:
    changes = field_changes(
        {"parameters": old.parameters, "slug": old.slug},
        {"parameters": new.parameters, "slug": new.slug or old.slug},
    )
    if not _same_rule(new, old):
        changes = {"rule": f"{_rule_text(old)} -> {_rule_text(new)}", **changes}
    return Difference(_rule_text(new), new, old, changes)


def _same_rule(new: DeploymentSchedule, old: DeploymentSchedule) -> bool:
    """Whether they start runs at the same times; the server fills in what the file leaves out."""
    given = new.schedule.model_fields_set | {"timezone"}
    wants, has = (one.schedule.model_dump(include=given) for one in (new, old))
    if "rrule" in wants and "rrule" in has and "DTSTART" not in wants["rrule"]:
        has["rrule"] = re.sub(r"^DTSTART.*\n", "", has["rrule"])
    return bool(wants == has)


def _rule_text(one: DeploymentSchedule) -> str:
    """Like 'cron 30 2 * * * timezone UTC'."""
    given = (one.schedule.model_fields_set | {"timezone"}) - {"day_or"}
    shown = one.schedule.model_dump(mode="json", include=given, exclude_none=True)
    return " ".join(f"{key} {value}" for key, value in shown.items())


def differences_text(
    steps: Sequence[DeploymentDifference],
    new_pools: Sequence[str],
    others: Sequence[str] = (),
    *,
    dry_run: bool,
) -> str:
    """All differences and their counts, for people; ``others`` are lines about automations."""
    lines = [f"{'create':<10} work pool {name} (type process)" for name in new_pools]
    lines += [line for step in steps for line in step.lines()]
    done = [one for one in steps if one.does_something]
    if not (done or new_pools or others):
        return "\n".join([*lines, "Nothing changed: the server has what the file says."])
    created = sum(one.action == "create" for one in done)
    counts = f"{created} created, {len(done) - created} changed, {len(steps) - len(done)} unchanged"
    verb = "Dry run, nothing was done. It would be" if dry_run else "Done"
    return "\n".join([*lines, *others, f"{verb}: {counts}."])
