"""A file of deployments, ``prefect.yaml``, read strictly.

Prefect ignores keys that it does not know. Here the models refuse them, and values of other types;
all errors of a file are reported at once.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Self

from prefect.client.schemas import objects, schedules
from prefect.types import Name
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PositiveInt,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from tidemill.errors import ArgumentError, shorten
from tidemill.model.documents import parse_yaml, read_document
from tidemill.model.zones import likely_zone
from tidemill.orchestration.deploy.new_project import FILE, PACKAGED
from tidemill.orchestration.deploy.notify_section import Notify
from tidemill.orchestration.deploy.strict import Strict

__all__ = ["Deployment", "Project", "check_name", "project_file", "read_project"]

_RULES: dict[str, type[schedules.SCHEDULE_TYPES]] = {
    "cron": schedules.CronSchedule,
    "interval": schedules.IntervalSchedule,
    "rrule": schedules.RRuleSchedule,
}
_PLACEHOLDER = re.compile(r"\{\{\s*\$(\w+)\s*\}\}")
#: What to do about keys that look as if they worked.
_HINTS = {
    "retries": " (a parameter of the flow, if it has one)",
    "retry_delay_seconds": " (a parameter of the flow, if it has one)",
    "schedule": " (give a list: schedules)",
    "triggers": " (make an automation of it)",
}
#: What is allowed, by pydantic's types of errors; else pydantic's own words are good enough.
_ALLOWED = {
    "string_type": "text",
    "string_pattern_mismatch": "text without / % & < >",
    "string_too_short": "text that is not empty",
    "bool_type": "true or false",
    "int_type": "a whole number above 0",
    "greater_than": "a whole number above 0",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
    "none_required": "null: the installed package is run, nothing is built",
    "time_delta_type": "seconds, or text in the form of ISO 8601 like PT1H",
    "time_delta_parsing": "seconds, or text in the form of ISO 8601 like PT1H",
}


def _plain(value: Any) -> Any:
    """The value as it comes back from JSON: dates become text."""
    return json.loads(json.dumps(value, default=str))


def _text(*types: type) -> BeforeValidator:
    return BeforeValidator(lambda value: str(value) if isinstance(value, types) else value)


_Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Mapping = Annotated[dict[str, Any], BeforeValidator(_plain)]
_PullSteps = Annotated[list[dict[str, Any]], BeforeValidator(_plain)]
_Nothing = Annotated[None, BeforeValidator(lambda value: None if value == [] else value)]
_EverySpan = Annotated[dt.timedelta, Field(strict=False), _text(bool)]  # true is not 1 second
_Moment = Annotated[str, _text(dt.date)]


class WorkPool(Strict):
    """Where a deployment's runs are submitted."""

    name: Name
    work_queue_name: str = "default"
    job_variables: _Mapping = Field(default_factory=dict)


class ConcurrencyLimit(objects.ConcurrencyOptions, Strict):
    """How many runs of a deployment there may be at once: a number, or a mapping."""

    limit: PositiveInt
    collision_strategy: objects.ConcurrencyLimitStrategy = Field(
        objects.ConcurrencyLimitStrategy.ENQUEUE, strict=False
    )

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, given: Any) -> Any:
        return {"limit": given} if type(given) is int else given


class Schedule(Strict):
    """When runs start, by exactly one of cron, interval and rrule; and what they then get."""

    cron: str | None = None
    interval: _EverySpan | None = None
    rrule: str | None = None
    timezone: str | None = None
    anchor_date: _Moment | None = None
    day_or: bool | None = None
    active: bool = True
    parameters: _Mapping = Field(default_factory=dict)
    slug: str | None = None

    @model_validator(mode="after")
    def _is_known_to_prefect(self) -> Self:
        self.as_prefect()
        return self

    def as_prefect(self) -> objects.DeploymentSchedule:
        """The same as Prefect's own object, whose checks are those of the server."""
        own = {"active", "parameters", "slug"}
        rule = self.model_dump(exclude=own, exclude_none=True)
        kinds = [key for key in _RULES if key in rule]
        if len(kinds) != 1:
            raise ValueError(
                f"{' and '.join(kinds) or 'no rule'} given; give one of {', '.join(_RULES)}"
            )
        try:
            parsed = _RULES[kinds[0]].model_validate(rule)
        except ValidationError as error:
            raise ValueError(shorten(map(_refusal, error.errors()))) from None
        return objects.DeploymentSchedule(schedule=parsed, **self.model_dump(include=own))


def _refusal(error: ErrorDetails) -> str:
    """What Prefect's own check refuses, in words."""
    name, value = ".".join(map(str, error["loc"])), error["input"]
    if name == "timezone":
        meant = likely_zone(value)
        allowed = "give an IANA name such as UTC or Europe/Berlin"
        return f"{name}={value!r} is not allowed; " + (f"write {meant!r}" if meant else allowed)
    return f"{name}={value!r} is not allowed: {error['msg']}"


class Deployment(Strict):
    """One deployment of the file."""

    name: Name
    description: str | None = None
    version: str | None = None
    entrypoint: str
    tags: list[str] = Field(default_factory=list)
    parameters: _Mapping = Field(default_factory=dict)
    enforce_parameter_schema: bool = True
    work_pool: WorkPool
    concurrency_limit: ConcurrencyLimit | None = None
    schedules: list[Schedule] = Field(default_factory=list)
    paused: bool = False
    build: _Nothing = None
    push: _Nothing = None
    pull: _PullSteps | None = None

    @field_validator("schedules")
    @classmethod
    def _each_slug_once(cls, given: list[Schedule]) -> list[Schedule]:
        slugs = [one.slug for one in given if one.slug]
        if len(set(slugs)) < len(slugs):
            raise ValueError(f"slug given twice; each may be given once: {shorten(slugs)}")
        return given


class Project(Strict):
    """A file of deployments; its name marks on the server what was made from it."""

    name: _Title
    prefect_version: str | None = Field(None, alias="prefect-version")
    build: _Nothing = None
    push: _Nothing = None
    pull: _PullSteps = Field(default_factory=list)
    definitions: _Mapping = Field(default_factory=dict)
    deployments: list[Deployment]
    notify: list[Notify] = Field(default_factory=list)


#: Keys whose values are models of their own, or lists of these.
_MODELS: dict[Any, type[BaseModel]] = {
    "deployments": Deployment, "work_pool": WorkPool, "concurrency_limit": ConcurrencyLimit,
    "schedules": Schedule, "notify": Notify,
}  # fmt: skip


def check_name(name: str, argument: str) -> None:
    """Refuse a name that Prefect would refuse, by an ArgumentError."""
    if not re.fullmatch(r"[^/%&<>]+", name):
        allowed = _ALLOWED["string_pattern_mismatch"]
        raise ArgumentError(f"{argument}={name!r} is not allowed; allowed: {allowed}")


def project_file(given: str | os.PathLike[str] | None = None) -> Path:
    """Path of the file to use: the one given, one in this folder, or that of the package."""
    return Path(given or (FILE if Path(FILE).exists() else PACKAGED / FILE))


def read_project(file: Path) -> Project:
    """Read a file of deployments.

    Raises
    ------
    ArgumentError
        If a key is unknown or missing, or a value is not allowed.
    """
    raw = _resolved(_parsed(file), file)
    try:
        return Project.model_validate(raw)
    except ValidationError as error:
        # A misspelt key before the one that is missing because of it.
        errors = sorted(error.errors(), key=lambda one: one["type"] == "missing")
        wrong = [f"{file}: {_sentence(one, raw)}" for one in errors]
        raise ArgumentError(*wrong) from None


def _parsed(file: Path) -> Any:
    try:
        return parse_yaml(read_document(file))
    except FileNotFoundError:
        raise ArgumentError(
            f"{str(file)!r} does not exist; `tidemill init DIR` writes a project with one"
        ) from None
    except OSError as error:
        reason = error.strerror or error
        raise ArgumentError(f"{str(file)!r} cannot be read: {reason}") from None
    except ValueError as error:
        raise ArgumentError(f"{file} is not YAML: {error}") from None


def _resolved(raw: Any, file: Path) -> Any:
    """With ``{{ $NAME }}`` replaced by the environment variable, except where runs resolve it."""
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
            f"{file}: {text!r} cannot be filled in; allowed: environment variables that are "
            "set, as {{ $NAME }}"
        )
    return text


def _sentence(error: ErrorDetails, raw: Any) -> str:
    """What is wrong and where, and what is allowed."""
    kind, loc = error["type"], error["loc"]
    if kind == "value_error":  # raised by a model's own check, which names the key
        return f"{_place((*loc, ''), raw)[0]}{error['ctx']['error']}"
    at, model, key = _place(loc, raw)
    keys = {field.alias or name: field for name, field in model.model_fields.items()}
    if key not in keys:
        what = f"key {key!r} is not allowed{_HINTS.get(key, '')}" if loc else "not a mapping"
        return f"{at}{what}; allowed: {', '.join(keys)}"
    if kind == "missing":
        needed = [name for name, field in keys.items() if field.is_required()]
        return f"{at}key {key!r} is missing; required: {', '.join(needed)}"
    allowed = _ALLOWED.get(kind, error["msg"].removeprefix("Input should be ").replace("'", ""))
    return f"{at}{key}={error['input']!r} is not allowed; allowed: {allowed}"


def _place(loc: tuple[Any, ...], raw: Any) -> tuple[str, type[BaseModel], Any]:
    """Where something is in the file, in words; the model there, and the key in it."""
    at = ""
    model: type[BaseModel] = Project
    while loc and loc[0] in _MODELS:
        key, *rest = loc
        number = rest.pop(0) if rest and isinstance(rest[0], int) else None
        if not rest:
            break
        raw = raw[key] if number is None else raw[key][number]
        one = key.removesuffix("s")
        at += f"{key}: " if number is None else f"{one} {raw.get('name') or number + 1!r}: "
        model, loc = _MODELS[key], tuple(rest)
    return at, model, loc[0] if loc else None
