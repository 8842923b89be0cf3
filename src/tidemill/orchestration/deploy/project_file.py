"""Deployments as data: ``prefect.yaml``, read strictly; a project of one's own, written.

Prefect ignores keys that it does not know. Here every key and every kind of value is checked, and
all that is wrong is said at once. Nothing in this module imports Prefect.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from tidemill.errors import ArgumentError, shorten

__all__ = [
    "Deployment",
    "Project",
    "Schedule",
    "check_name",
    "project_file",
    "read_project",
    "write_project",
]

FILE = "prefect.yaml"
#: What a deployment gets that does not name them.
DEFAULT_QUEUE = "default"
DEFAULT_STRATEGY = "ENQUEUE"
_RULES = ("cron", "interval", "rrule")
_PLACEHOLDER = re.compile(r"\{\{\s*\$(\w+)\s*\}\}")


@dataclass(frozen=True)
class Schedule:
    """When runs start, as the file or the server has it."""

    rule: Mapping[str, Any]  # cron, interval (seconds) or rrule, with timezone and the like
    parameters: Mapping[str, Any] = field(default_factory=dict)
    active: bool = True
    slug: str | None = None
    id: str | None = None  # on the server

    def __str__(self) -> str:
        """Like 'cron 30 2 * * * timezone UTC'."""
        first = [key for key in _RULES if key in self.rule]
        shown = [key for key in (*first, "timezone", "anchor_date") if self.rule.get(key)]
        return " ".join(f"{key} {self.rule[key]}" for key in dict.fromkeys(shown))


@dataclass(frozen=True)
class Deployment:
    """One deployment of the file."""

    name: str
    entrypoint: str
    fields: Mapping[str, Any]  # by the names that Prefect's API has for them
    schedules: tuple[Schedule, ...]
    paused: bool


@dataclass(frozen=True)
class Project:
    """A file of deployments. Its name marks on the server what was made from it."""

    name: str
    file: Path
    deployments: tuple[Deployment, ...]


@dataclass(frozen=True)
class _Kind:
    """Which values a key may have, and how to say so."""

    fits: Callable[[Any], bool]
    words: str


def _of(*types: type, words: str) -> _Kind:
    return _Kind(lambda value: isinstance(value, types) and not isinstance(value, bool), words)


_TEXT = _of(str, words="text")
#: What Prefect allows in names, which are parts of addresses.
_NAME = _Kind(
    lambda v: isinstance(v, str) and re.fullmatch(r"[^/%&<>]+", v) is not None,
    "text without / % & < >",
)
_TITLE = _Kind(lambda v: isinstance(v, str) and bool(v.strip()), "text that is not empty")
_COUNT = _Kind(lambda v: type(v) is int and v > 0, "a whole number above 0")
_SWITCH = _Kind(lambda value: isinstance(value, bool), "true or false")
_MAPPING = _of(dict, words="a mapping")
_TEXTS = _Kind(
    lambda v: isinstance(v, list) and all(isinstance(one, str) for one in v), "a list of text"
)
_MAPPINGS = _Kind(
    lambda v: isinstance(v, list) and all(isinstance(one, dict) for one in v), "a list of mappings"
)
_NOTHING = _Kind(lambda _: False, "null: the installed package is run, nothing is built")

_PROJECT = {
    "name": _TITLE, "prefect-version": _TEXT, "build": _NOTHING, "push": _NOTHING,
    "pull": _MAPPINGS, "definitions": _MAPPING, "deployments": _MAPPINGS,
}  # fmt: skip
_DEPLOYMENT = {
    "name": _NAME, "description": _TEXT, "version": _TEXT, "entrypoint": _TEXT, "tags": _TEXTS,
    "parameters": _MAPPING, "enforce_parameter_schema": _SWITCH, "work_pool": _MAPPING,
    "concurrency_limit": _of(int, dict, words="a whole number or a mapping"),
    "schedules": _MAPPINGS, "paused": _SWITCH, "build": _NOTHING, "push": _NOTHING,
    "pull": _MAPPINGS,
}  # fmt: skip
_WORK_POOL = {"name": _NAME, "work_queue_name": _TEXT, "job_variables": _MAPPING}
_CONCURRENCY = {
    "limit": _COUNT,
    "collision_strategy": _Kind(
        lambda v: v in {"ENQUEUE", "CANCEL_NEW", "CANCEL_EXISTING"},
        "ENQUEUE, CANCEL_NEW or CANCEL_EXISTING",
    ),
    "grace_period_seconds": _COUNT,
}
_SCHEDULE = {
    "cron": _TEXT,
    "interval": _of(int, float, str, words="seconds, or text in the form of ISO 8601 like PT1H"),
    "rrule": _TEXT,
    "timezone": _TEXT,
    "anchor_date": _of(str, dt.date, words="a date and time"),
    "day_or": _SWITCH,
    "active": _SWITCH,
    "parameters": _MAPPING,
    "slug": _TEXT,
}


def check_name(name: str, argument: str) -> None:
    """Refuse a name that Prefect would refuse.

    Raises
    ------
    ArgumentError
        If it does.
    """
    if not _NAME.fits(name):
        raise ArgumentError(f"{argument}={name!r} is not allowed; allowed: {_NAME.words}")


def project_file(given: str | os.PathLike[str] | None = None) -> Path:
    """The file that is meant: the one given, one in this folder, or that of the package."""
    if given is not None:
        return Path(given)
    here = Path(FILE)
    return here if here.exists() else Path(str(_packaged() / FILE))


def read_project(file: Path) -> Project:
    """Read a file of deployments.

    Raises
    ------
    ArgumentError
        If a key is unknown, a value is of the wrong kind or something is missing.
    """
    raw = _resolved(_parsed(file), file)
    if wrong := list(_wrong_project(raw)):
        raise ArgumentError("\n".join(f"{file}: {one}" for one in wrong))
    return Project(
        raw["name"], file, tuple(_deployment(one, raw) for one in raw["deployments"] or ())
    )


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML's own rule, which PyYAML does not keep."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (PyYAML's own)
        keys = [one.value for one, _ in node.value if one.value != "<<"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _parsed(file: Path) -> Any:
    try:
        return yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        raise ArgumentError(
            f"{str(file)!r} does not exist; `tidemill init DIR` writes a project with one"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ArgumentError(f"{file} is not YAML: {error}") from None


def _resolved(raw: Any, file: Path) -> Any:
    """With ``{{ $NAME }}`` replaced by the environment variable, but for what runs resolve."""
    if isinstance(raw, dict):
        left = {"pull", "job_variables"}
        return {key: value if key in left else _resolved(value, file) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_resolved(one, file) for one in raw]
    if not isinstance(raw, str):
        return raw
    text = _PLACEHOLDER.sub(lambda found: os.environ.get(found[1], found[0]), raw)
    if "{{" in text:
        raise ArgumentError(
            f"{file}: {text!r} cannot be filled in; allowed are environment variables that are "
            "set, as {{ $NAME }}"
        )
    return text


def _wrong_project(raw: Any) -> Iterator[str]:
    wrong = list(_wrong_keys(raw, _PROJECT, "", required=("name", "deployments")))
    yield from wrong
    if wrong:
        return
    for number, one in enumerate(raw["deployments"], start=1):
        yield from _wrong_deployment(one, f"deployment {one.get('name') or number!r}: ")


def _wrong_deployment(one: Mapping[str, Any], at: str) -> Iterator[str]:
    yield from _wrong_keys(one, _DEPLOYMENT, at, required=("name", "entrypoint", "work_pool"))
    yield from _wrong_keys(
        one.get("work_pool") or {"name": "given later"}, _WORK_POOL, f"{at}work_pool: ", ("name",)
    )
    if isinstance(limit := one.get("concurrency_limit"), dict):
        yield from _wrong_keys(limit, _CONCURRENCY, f"{at}concurrency_limit: ", ("limit",))
    elif isinstance(limit, int) and not _COUNT.fits(limit):
        yield f"{at}concurrency_limit: {limit!r} is not allowed; allowed: {_COUNT.words}"
    for number, schedule in enumerate(_list(one.get("schedules")), start=1):
        yield from _wrong_schedule(schedule, f"{at}schedule {number}: ")
    slugs = [
        s["slug"] for s in _list(one.get("schedules")) if isinstance(s, dict) and s.get("slug")
    ]
    if len(set(slugs)) < len(slugs):
        yield f"{at}schedules: slug given twice; each may stand once: {shorten(slugs)}"


def _wrong_schedule(one: Any, at: str) -> Iterator[str]:
    yield from _wrong_keys(one, _SCHEDULE, at)
    if isinstance(one, dict):
        rules = [key for key in _RULES if one.get(key) is not None]
        if len(rules) != 1:
            yield f"{at}{' and '.join(rules) or 'no rule'} given; give one of {', '.join(_RULES)}"


def _wrong_keys(
    given: Any, allowed: Mapping[str, _Kind], at: str, required: tuple[str, ...] = ()
) -> Iterator[str]:
    if not isinstance(given, dict):
        yield f"{at}{given!r} is not a mapping; allowed keys: {', '.join(allowed)}"
        return
    for key, value in given.items():
        if key not in allowed:
            yield f"{at}key {key!r} is not allowed{_hint(key)}; allowed: {', '.join(allowed)}"
        elif value is not None and not allowed[key].fits(value) and not _is_empty_step(key, value):
            yield f"{at}{key}={value!r} is not allowed; allowed: {allowed[key].words}"
    for key in required:
        if given.get(key) is None:
            yield f"{at}key {key!r} is missing; give {allowed[key].words}"


def _is_empty_step(key: str, value: Any) -> bool:
    return key in {"build", "push"} and value == []


def _hint(key: str) -> str:
    """What to do about keys that look as if they worked."""
    return {
        "retries": " (a parameter of the flow, if it has one)",
        "retry_delay_seconds": " (a parameter of the flow, if it has one)",
        "schedule": " (give a list: schedules)",
        "triggers": " (make an automation of it)",
    }.get(key, "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _deployment(raw: Mapping[str, Any], project: Mapping[str, Any]) -> Deployment:
    pool = raw["work_pool"]
    limit, options = _concurrency(raw.get("concurrency_limit"))
    fields = {
        "entrypoint": raw["entrypoint"],
        "description": raw.get("description"),
        "tags": raw.get("tags") or [],
        "parameters": _plain(raw.get("parameters") or {}),
        "enforce_parameter_schema": raw.get("enforce_parameter_schema") is not False,
        "work_pool_name": pool["name"],
        "work_queue_name": pool.get("work_queue_name") or DEFAULT_QUEUE,
        "job_variables": _plain(pool.get("job_variables") or {}),
        "concurrency_limit": limit,
        "concurrency_options": options,
        "pull_steps": (raw["pull"] if "pull" in raw else project.get("pull")) or [],
    }
    if raw.get("version") is not None:  # else `prefect deploy` may have set one: it stays
        fields["version"] = raw["version"]
    schedules = tuple(_schedule(one) for one in raw.get("schedules") or ())
    return Deployment(raw["name"], raw["entrypoint"], fields, schedules, bool(raw.get("paused")))


def _concurrency(given: Any) -> tuple[int | None, dict[str, Any]]:
    if given is None:
        return None, {}
    if isinstance(given, int):
        return given, {"collision_strategy": DEFAULT_STRATEGY}
    options = {"collision_strategy": given.get("collision_strategy") or DEFAULT_STRATEGY}
    if given.get("grace_period_seconds") is not None:
        options["grace_period_seconds"] = given["grace_period_seconds"]
    return given["limit"], options


def _schedule(raw: Mapping[str, Any]) -> Schedule:
    own = {"parameters", "active", "slug"}
    rule = {key: value for key, value in raw.items() if key not in own and value is not None}
    return Schedule(
        _plain(rule), _plain(raw.get("parameters") or {}), raw.get("active") is not False,
        raw.get("slug"),
    )  # fmt: skip


def _plain(value: Any) -> Any:
    """As it comes back from JSON: dates as text, too."""
    return json.loads(json.dumps(value, default=str))


def _packaged() -> Traversable:
    return resources.files("tidemill.deployments")


def write_project(folder: str | os.PathLike[str]) -> str:
    """Write a project of one's own from the package's files; what to do next, in three lines.

    Its name is that of the folder, so that two projects on one server keep apart.

    Raises
    ------
    ArgumentError
        If one of the files is there already; then nothing is written.
    """
    target = Path(folder).absolute()
    content = dict(_project_files(_packaged(), Path()))
    if there := [str(target / name) for name in content if (target / name).exists()]:
        raise ArgumentError(
            f"{shorten(there)} would be overwritten; give another folder, or move what is there"
        )
    for name, text in content.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        own = text.replace("\nname: tidemill\n", f"\nname: {json.dumps(target.name)}\n", 1)
        (target / name).write_text(own, encoding="utf-8")
    file = Path(folder) / FILE
    return (
        f"1. Edit {file}: source, sink and columns, by absolute paths or URLs; then the schedule.\n"
        f"2. tidemill deploy {file} --dry-run, and again without --dry-run\n"
        "3. prefect worker start --pool tidemill"
    )


def _project_files(folder: Traversable, at: Path) -> Iterator[tuple[Path, str]]:
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.is_dir() and one.name != "__pycache__":
            yield from _project_files(one, at / one.name)
        elif one.name.endswith(".yaml"):
            yield at / one.name, one.read_text(encoding="utf-8")
