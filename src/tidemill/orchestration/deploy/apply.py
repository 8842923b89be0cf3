"""Deployments on a Prefect server: those of the file and the server's, compared and applied."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentCreate,
    DeploymentScheduleCreate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from pydantic import TypeAdapter, ValidationError

from tidemill.errors import ArgumentError, ServerError, shorten
from tidemill.orchestration.deploy.automations import (
    AutomationStep,
    FoundAutomation,
    compare_automations,
    wanted_automations,
)
from tidemill.orchestration.deploy.diff import (
    OWN_SLUG,
    Found,
    ScheduleStep,
    Step,
    Wanted,
    compare,
    differences_text,
)
from tidemill.orchestration.deploy.entrypoints import (
    load_flow,
    parameter_form,
    wrong_parameters,
    wrong_steps,
)
from tidemill.orchestration.deploy.project_file import (
    Deployment,
    Project,
    Schedule,
    check_name,
    project_file,
    read_project,
)

__all__ = ["deploy"]

#: Label of a deployment that says which project it was made from.
LABEL = "tidemill.project"
_PAGE = 200  # deployments per request, the most that a server gives
_RULES = TypeAdapter(CronSchedule | IntervalSchedule | RRuleSchedule)


def deploy(
    file: str | os.PathLike[str] | None = None,
    work_pool: str | None = None,
    *,
    dry_run: bool = False,
) -> str:
    """Make the server's deployments those of the file; what was done, for people.

    Raises
    ------
    ArgumentError
        If the file is wrong in anything, or a name is taken. Then nothing is applied.
    ServerError
        If there is no server, or it refuses.
    """
    if work_pool is not None:
        check_name(work_pool, "work_pool")
    project = read_project(project_file(file))
    wanted = _wanted(project, work_pool)
    with _server() as client:
        found = _found(client, project.name, wanted)
        steps = compare(project.name, wanted, found)
        new_pools = _check_pools(client, project.file, wanted)
        automations = _automation_steps(client, project, wanted, found)
        if not dry_run:
            for name in new_pools:
                client.create_work_pool(_process_pool(name))
            for step in steps:
                _apply(client, step, project.name)
            now = _found(client, project.name, wanted)  # by their ids
            for one in _automation_steps(client, project, wanted, now):
                _apply_automation(client, one)
    lines = [line for one in automations for line in one.lines()]
    return differences_text(steps, new_pools, lines, dry_run=dry_run)


@contextmanager
def _server() -> Iterator[SyncPrefectClient]:
    url = re.sub(r"//[^/@]*@", "//", PREFECT_API_URL.value() or "")  # without a password
    if not url:
        raise ServerError(
            "no Prefect server is configured, and deployments need one that stays; start one with "
            "`prefect server start` and set PREFECT_API_URL=http://127.0.0.1:4200/api"
        )
    try:
        with get_client(sync_client=True) as client:
            if fault := client.api_healthcheck():
                raise ServerError.unreachable(url, fault)
            yield client
    except httpx.HTTPStatusError as error:
        raise ServerError(f"the Prefect server refused: {_detail(error.response)}") from error
    except httpx.HTTPError as error:
        raise ServerError(f"the Prefect server at {url} was lost: {error!r}") from error


def _detail(response: httpx.Response) -> Any:
    try:
        return response.json()["detail"]
    except (ValueError, KeyError):
        return response.text


def _wanted(project: Project, work_pool: str | None) -> list[Wanted]:
    """The deployments with what their flows say of themselves; all that is wrong at once."""
    wanted: list[Wanted] = []
    wrong: list[str] = []
    for one in project.deployments:
        at = f"{project.file}: deployment {one.name!r}"
        try:
            flow = load_flow(one.entrypoint, project.file.absolute().parent)
            problems = [*wrong_parameters(one, flow), *wrong_steps(one.fields["pull_steps"])]
            schedules = tuple(_checked(schedule) for schedule in one.schedules)
        except ArgumentError as error:
            wrong.append(f"{at}: {error}")
            continue
        wrong += [f"{at}: {problem}" for problem in problems]
        wanted.append(_one_wanted(one, flow, schedules, work_pool))
    names = [one.name for one in wanted]
    wrong += [
        f"{project.file}: deployment {name!r} stands twice; give each a name of its own"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if wrong:
        raise ArgumentError("\n".join(wrong))
    return wanted


def _one_wanted(
    one: Deployment, flow: Flow[Any, Any], schedules: tuple[Schedule, ...], work_pool: str | None
) -> Wanted:
    fields = {
        **one.fields,
        "description": one.fields["description"] or flow.description,
        "work_pool_name": work_pool or one.fields["work_pool_name"],
        "parameter_openapi_schema": parameter_form(flow),
    }
    return Wanted(f"{flow.name}/{one.name}", fields, schedules, one.paused)


def _checked(schedule: Schedule) -> Schedule:
    """With its rule as the server gives it back."""
    rule = dict(schedule.rule)
    try:
        parsed = _RULES.validate_python(rule)
    except ValidationError as error:
        reasons = dict.fromkeys(
            str(one["msg"])
            for one in error.errors()
            if one["type"] not in {"missing", "extra_forbidden"}
        )
        raise ArgumentError(
            f"schedule {schedule} is not allowed: {shorten(reasons) or 'its keys do not fit'}"
        ) from None
    plain = _plain_rule(parsed)
    kept = {"timezone", *rule} & plain.keys()
    return replace(schedule, rule={key: plain[key] for key in plain if key in kept})


def _plain_rule(parsed: Any) -> dict[str, Any]:
    """A rule as JSON values."""
    plain: dict[str, Any] = parsed.model_dump(mode="json")
    if "interval" in plain:
        plain["interval"] = parsed.interval.total_seconds()
    return plain


def _found(client: SyncPrefectClient, project: str, wanted: Sequence[Wanted]) -> list[Found]:
    """The project's deployments, and others of the same names."""
    names = {one.name for one in wanted}
    flows: dict[UUID, str] = {}
    found = []
    for one in _all_deployments(client):
        owner = (one.labels or {}).get(LABEL)
        if owner == project or any(name.endswith(f"/{one.name}") for name in names):
            if one.flow_id not in flows:
                flows[one.flow_id] = client.read_flow(one.flow_id).name
            found.append(_one_found(one, flows[one.flow_id], owner))
    return [one for one in found if one.project == project or one.name in names]


def _all_deployments(client: SyncPrefectClient) -> Iterator[DeploymentResponse]:
    offset = 0
    while page := client.read_deployments(limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)


def _one_found(one: DeploymentResponse, flow: str, owner: Any) -> Found:
    limit = one.global_concurrency_limit
    options = one.concurrency_options
    fields = {
        **one.model_dump(
            mode="json",
            include={
                "entrypoint", "description", "version", "tags", "parameters", "work_pool_name",
                "work_queue_name", "job_variables", "parameter_openapi_schema",
                "enforce_parameter_schema",
            },
        ),
        "pull_steps": one.pull_steps or [],
        "concurrency_limit": limit.limit if limit else None,
        "concurrency_options": options.model_dump(mode="json", exclude_none=True)
        if options
        else {},
    }  # fmt: skip
    schedules = tuple(_found_schedule(schedule) for schedule in one.schedules)
    return Found(
        f"{flow}/{one.name}", str(one.id), None if owner is None else str(owner), fields,
        schedules, one.paused,
    )  # fmt: skip


def _found_schedule(one: DeploymentSchedule) -> Schedule:
    rule = _plain_rule(one.schedule)
    return Schedule(rule, one.parameters, one.active, one.slug, str(one.id))


def _check_pools(client: SyncPrefectClient, file: Path, wanted: Iterable[Wanted]) -> list[str]:
    """The work pools that have to be created; job variables must fit theirs."""
    templates: dict[str, Any] = {}
    missing = []
    for one in wanted:
        name = one.fields["work_pool_name"]
        if name not in templates:
            try:
                templates[name] = client.read_work_pool(name).base_job_template
            except ObjectNotFound:
                missing.append(name)
                templates[name] = _process_pool(name).base_job_template
        known = templates[name].get("variables", {}).get("properties", {})
        if known and (unknown := one.fields["job_variables"].keys() - known.keys()):
            raise ArgumentError(
                f"{file}: deployment {one.name!r}: work_pool: job_variables: "
                f"{shorten(sorted(unknown))} not allowed in pool {name!r}; "
                f"allowed: {', '.join(known)}"
            )
    return missing


def _process_pool(name: str) -> WorkPoolCreate:
    from prefect.workers.process import ProcessWorker

    return WorkPoolCreate(
        name=name, type="process", base_job_template=ProcessWorker.get_default_base_job_template()
    )


def _apply(client: SyncPrefectClient, step: Step, project: str) -> None:
    if step.action == "create" and step.wanted:
        _create(client, step.wanted, project)
    elif step.found:
        deployment = UUID(step.found.id)
        if step.changes and step.wanted:
            client.update_deployment(deployment, _update(step))
        for schedule in step.schedules:
            _apply_schedule(client, deployment, schedule)


def _create(client: SyncPrefectClient, wanted: Wanted, project: str) -> None:
    flow, name = wanted.name.split("/", 1)
    fields: dict[str, Any] = {
        **_sent(wanted.fields),
        "name": name,
        "flow_id": client.create_flow_from_name(flow),
        "paused": wanted.paused,
        "labels": {LABEL: project},
        "schedules": [_new_schedule(one) for one in wanted.schedules],
    }
    schema = DeploymentCreate(**fields)
    content = schema.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    client.request("POST", "/deployments/", json=content)


def _update(step: Step) -> DeploymentUpdate:
    """Only what changes: the server leaves the rest as it is."""
    assert step.wanted is not None
    changed = {one.field.split(".")[0] for one in step.changes}
    if changed & {"work_pool_name", "work_queue_name"}:
        changed |= {"work_pool_name", "work_queue_name"}
    return DeploymentUpdate(**_sent({key: step.wanted.fields[key] for key in changed}))


def _sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As the server takes them: it has no empty options."""
    return {
        key: value or None if key == "concurrency_options" else value
        for key, value in fields.items()
    }


def _new_schedule(one: Schedule) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate(
        schedule=_RULES.validate_python(dict(one.rule)),
        active=one.active,
        parameters=dict(one.parameters),
        slug=one.slug or f"{OWN_SLUG}{uuid.uuid4().hex[:8]}",
    )


def _apply_schedule(client: SyncPrefectClient, deployment: UUID, step: ScheduleStep) -> None:
    """By requests of our own: older clients know neither slugs nor parameters of schedules."""
    ids = {"id": str(deployment), "schedule_id": step.old.id if step.old else None}
    if step.action == "create" and step.new:
        content = [_new_schedule(step.new).model_dump(mode="json", exclude_unset=True)]
        client.request("POST", "/deployments/{id}/schedules", path_params=ids, json=content)
    elif step.action == "remove":
        client.request("DELETE", "/deployments/{id}/schedules/{schedule_id}", path_params=ids)
    elif step.action == "change" and step.old and step.new:
        change = _schedule_change(step.old, step.new)
        client.request(
            "PATCH", "/deployments/{id}/schedules/{schedule_id}", path_params=ids, json=change
        )


def _schedule_change(old: Schedule, new: Schedule) -> dict[str, Any]:
    """Without `active`: one that a person paused stays paused."""
    rule = dict(new.rule)
    if "interval" in rule and "anchor_date" in old.rule:  # it goes on from where it began
        rule.setdefault("anchor_date", old.rule["anchor_date"])
    return {
        "schedule": _RULES.validate_python(rule).model_dump(mode="json"),
        "parameters": dict(new.parameters),
        "slug": new.slug or old.slug,
    }


def _automation_steps(
    client: SyncPrefectClient, project: Project, wanted: Sequence[Wanted], found: Sequence[Found]
) -> tuple[AutomationStep, ...]:
    ids = {one.name: one.id for one in found}
    automations = wanted_automations(project.name, project.file.name, wanted, ids)
    return compare_automations(project.name, automations, _all_automations(client), ids)


def _all_automations(client: SyncPrefectClient) -> Iterator[FoundAutomation]:
    offset = 0
    while page := client.read_automations(limit=_PAGE, offset=offset):
        for one in page:
            yield FoundAutomation(str(one.id), one.enabled, one.model_dump(mode="json"))
        offset += len(page)


def _apply_automation(client: SyncPrefectClient, step: AutomationStep) -> None:
    """One that a person disabled stays disabled."""
    if step.action == "create":
        client.create_automation(AutomationCore.model_validate(step.fields))
    elif step.action == "change" and step.found:
        core = AutomationCore.model_validate({**step.fields, "enabled": step.found.enabled})
        client.update_automation(UUID(step.found.id), core)
    elif step.action == "remove" and step.found:
        client.delete_automation(UUID(step.found.id))
