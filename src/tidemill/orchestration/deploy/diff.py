"""What a file of deployments and a server differ in: pure functions, and the text for people."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import ArgumentError
from tidemill.orchestration.deploy.project_file import Schedule

__all__ = ["Change", "Found", "ScheduleStep", "Step", "Wanted", "compare", "differences_text"]

#: Begins the slug of a schedule whose slug the file does not give: it is known as the file's.
OWN_SLUG = "tidemill-"
#: Fields whose entries are compared one by one.
_ENTRIES = frozenset({"parameters", "job_variables", "concurrency_options"})
_FORM = "parameter_openapi_schema"
_WIDTH = 100  # characters of a value that is shown


@dataclass(frozen=True)
class Wanted:
    """A deployment as the file wants it. Its full name is that of flow and deployment."""

    name: str
    fields: Mapping[str, Any]
    schedules: tuple[Schedule, ...]
    paused: bool = False


@dataclass(frozen=True)
class Found:
    """A deployment as the server has it."""

    name: str
    id: str
    project: str | None  # whose file it was made from
    fields: Mapping[str, Any]
    schedules: tuple[Schedule, ...]
    paused: bool = False


@dataclass(frozen=True)
class Change:
    """One value that is to change."""

    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        """Like 'parameters.settings: efficient -> minimal'."""
        if self.field == _FORM:
            return f"form of parameters: {_form_change(self.old, self.new)}"
        return f"{self.field}: {_shown(self.old)} -> {_shown(self.new)}"


@dataclass(frozen=True)
class ScheduleStep:
    """What is done with one schedule."""

    action: str  # create, change, remove or unchanged
    old: Schedule | None
    new: Schedule | None

    def lines(self) -> Iterator[str]:
        """What is to be said of it."""
        if self.action == "change":
            yield f"change schedule: {self.old} -> {self.new}"
        elif self.action != "unchanged":
            yield f"{self.action} schedule: {self.new or self.old}"
        if self.old and self.new:
            yield from self._details(self.old, self.new)

    def _details(self, old: Schedule, new: Schedule) -> Iterator[str]:
        yield from map(str, _entry_changes("schedule.parameters", old.parameters, new.parameters))
        if new.slug not in {None, old.slug}:
            yield str(Change("schedule.slug", old.slug, new.slug))
        if old.active != new.active:
            yield f"schedule {new} is {'active' if old.active else 'paused'} here, and stays so"


@dataclass(frozen=True)
class Step:
    """What is done with one deployment."""

    action: str  # create, change, unchanged, or left: it is in the file no more
    name: str
    wanted: Wanted | None = None
    found: Found | None = None
    changes: tuple[Change, ...] = ()
    schedules: tuple[ScheduleStep, ...] = field(default=())

    @property
    def does_something(self) -> bool:
        """Whether the server is changed by it."""
        return self.action in {"create", "change"} or any(
            one.action != "unchanged" for one in self.schedules
        )

    def lines(self) -> Iterator[str]:
        """What is to be said of it."""
        title = "change" if self.action == "left" and self.does_something else self.action
        yield f"{title:<10} {self.name}"
        details = [str(one) for one in self.changes]
        details += [line for one in self.schedules for line in one.lines()]
        if self.action == "left":
            details.append(f"it left the file; `prefect deployment delete {self.name}` removes it")
        if self.wanted and self.found and self.found.paused and not self.wanted.paused:
            details.append("the deployment is paused here, and stays so")
        yield from (f"{'':<10}   {one}" for one in details)


def compare(project: str, wanted: Sequence[Wanted], found: Iterable[Found]) -> tuple[Step, ...]:
    """What has to be done so that the server has what the file of ``project`` wants.

    Deployments that were not made from this file are no part of it.

    Raises
    ------
    ArgumentError
        If a name is taken by such a deployment.
    """
    there = {one.name: one for one in found}
    if strangers := [
        there[one.name] for one in wanted if _is_strange(there.get(one.name), project)
    ]:
        raise ArgumentError("\n".join(_taken(one, project) for one in strangers))
    steps = [_step(one, there.get(one.name)) for one in wanted]
    names = {one.name for one in wanted}
    left = [one for one in there.values() if one.project == project and one.name not in names]
    return (*steps, *(_left(one) for one in sorted(left, key=lambda one: one.name)))


def _is_strange(found: Found | None, project: str) -> bool:
    return found is not None and found.project != project


def _taken(found: Found, project: str) -> str:
    maker = (
        "not by `tidemill deploy`" if found.project is None else f"from project {found.project!r}"
    )
    return (
        f"deployment {found.name!r} is on the server and was made {maker}, so project {project!r} "
        "leaves it alone; give yours another name in the file, or delete that one: "
        f"prefect deployment delete {found.name}"
    )


def _step(wanted: Wanted, found: Found | None) -> Step:
    if found is None:
        created = tuple(ScheduleStep("create", None, one) for one in wanted.schedules)
        return Step("create", wanted.name, wanted, schedules=created)
    changes = tuple(_changes(found.fields, wanted.fields))
    schedules = tuple(_schedule_steps(wanted.schedules, found.schedules))
    changed = changes or any(one.action != "unchanged" for one in schedules)
    return Step(
        "change" if changed else "unchanged", wanted.name, wanted, found, changes, schedules
    )


def _left(found: Found) -> Step:
    return Step(
        "left", found.name, None, found, schedules=tuple(_schedule_steps((), found.schedules))
    )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key, value in new.items():
        if key in _ENTRIES:
            yield from _entry_changes(key, old.get(key) or {}, value)
        elif old.get(key) != value:
            yield Change(key, old.get(key), value)


def _entry_changes(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys([*new, *old]):
        if (name in old, old.get(name)) != (name in new, new.get(name)):
            yield Change(f"{key}.{name}", _entry(old, name), _entry(new, name))


def _entry(entries: Mapping[str, Any], name: str) -> Any:
    """For people: an entry that is null is not an entry that is not there."""
    return "null" if name in entries and entries[name] is None else entries.get(name)


def _schedule_steps(
    wanted: Sequence[Schedule], found: Sequence[Schedule]
) -> Iterator[ScheduleStep]:
    """Pairs by slug, then by what they say; one that is left on either side was changed.

    A schedule without a slug was not made from the file: it is a person's and stays.
    """
    wants, has = list(wanted), [one for one in found if one.slug]
    pairs: list[tuple[Schedule, Schedule]] = []
    for matches in (_same_slug, _same, _same_rule):
        pairs += _take_pairs(wants, has, matches)
    if len(wants) == len(has) == 1:
        pairs.append((wants.pop(), has.pop()))
    for new, old in pairs:
        same = _same(new, old) and new.slug in {None, old.slug}
        yield ScheduleStep("unchanged" if same else "change", old, new)
    yield from (ScheduleStep("remove", one, None) for one in has)
    yield from (ScheduleStep("create", None, one) for one in wants)


def _take_pairs(
    wants: list[Schedule], has: list[Schedule], matches: Callable[[Schedule, Schedule], bool]
) -> Iterator[tuple[Schedule, Schedule]]:
    for new in tuple(wants):
        old = next((one for one in has if matches(new, one)), None)
        if old is not None:
            wants.remove(new)
            has.remove(old)
            yield new, old


def _same_slug(new: Schedule, old: Schedule) -> bool:
    return new.slug is not None and new.slug == old.slug


def _same(new: Schedule, old: Schedule) -> bool:
    return _same_rule(new, old) and new.parameters == old.parameters


def _same_rule(new: Schedule, old: Schedule) -> bool:
    """Whether they start runs at the same times; what the file leaves open is as it is."""
    return all(_same_value(value, old.rule.get(key)) for key, value in new.rule.items())


def _same_value(new: Any, old: Any) -> bool:
    """Prefect gives an rrule a start if it has none."""
    if isinstance(new, str) and isinstance(old, str) and "DTSTART" not in new:
        return new == re.sub(r"^DTSTART.*\n", "", old)
    return bool(new == old)


def differences_text(
    steps: Sequence[Step], new_pools: Sequence[str], others: Sequence[str] = (), *, dry_run: bool
) -> str:
    """All differences and their sum, for people; ``others`` are lines about automations."""
    lines = [f"{'create':<10} work pool {name} (type process)" for name in new_pools]
    for step in steps:
        lines += step.lines()
    is_same = not new_pools and not others
    return "\n".join([*lines, *others, _sum(steps, is_same=is_same, dry_run=dry_run)])


def _sum(steps: Sequence[Step], *, is_same: bool, dry_run: bool) -> str:
    done = [one for one in steps if one.does_something]
    if not done and is_same:
        return "Nothing changed: the server has what the file says."
    created = sum(one.action == "create" for one in done)
    counts = f"{created} created, {len(done) - created} changed, {len(steps) - len(done)} unchanged"
    return f"Dry run, nothing was done. It would be: {counts}." if dry_run else f"Done: {counts}."


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) and value else json.dumps(value)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _form_change(old: Any, new: Any) -> str:
    """The names of parameters whose place in the form is another."""
    before, after = ((form or {}).get("properties", {}) for form in (old, new))
    names = [
        f"{sign}{name}"
        for sign, mine, other in (("+", after, before), ("-", before, after))
        for name in mine
        if name not in other
    ]
    names += [name for name in after if name in before and before[name] != after[name]]
    return ", ".join(names) or "as the installed flow has it"
