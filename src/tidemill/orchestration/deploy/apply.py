"""Deployments on a Prefect server: those of the file and the server's, compared and applied."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import actions
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL

from tidemill.errors import ArgumentError, ServerError, shorten
from tidemill.orchestration.deploy import automations, channels, diff, entrypoints, notifications
from tidemill.orchestration.deploy.diff import DeploymentState
from tidemill.orchestration.deploy.project_file import (
    Deployment,
    Project,
    check_name,
    project_file,
    read_project,
)
from tidemill.orchestration.parameter_form import parameter_form

__all__ = ["check_project", "deploy"]

#: Label of a deployment that names the project it was made from.
LABEL = "tidemill.project"
#: Begins the slug of a schedule made from a file that gives it none: it belongs to the file.
OWN_SLUG = "tidemill-"
_PAGE = 200  # objects per request, the most that a server gives
_Read = TypeVar("_Read")


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
        If anything in the file is wrong, or a name is taken. Then nothing is applied.
    ServerError
        If there is no server, or it refuses.
    """
    if work_pool is not None:
        check_name(work_pool, "work_pool")
    path = project_file(file)
    project = read_project(path)
    wanted = _wanted(project, path, work_pool)
    notifications.check_section(project.notify, wanted)
    told = [channels.channel_of(project.name, one, os.environ) for one in project.notify]
    with _server() as client:
        found = _found(client, project.name, wanted)
        steps = diff.compare(project.name, wanted, found)
        new_pools = _check_pools(client, path, wanted)
        blocks = channels.compare_blocks(client, project.name, told)
        others = _compare_automations(client, project, path, wanted, found, told)
        if not dry_run:
            for name in new_pools:
                client.create_work_pool(_process_pool(name))
            for step in steps:
                _apply(client, step, project.name)
            for block in blocks:
                channels.apply_block(client, block)
            now = _found(client, project.name, wanted)  # by their ids
            for one in _compare_automations(client, project, path, wanted, now, told):
                _apply_automation(client, one)
            for block in blocks:  # now that no automation needs them
                channels.remove_block(client, block)
    lines = [line for block in blocks for line in channels.block_lines(block)]
    lines += [line for one in others for line in automations.automation_lines(one)]
    return diff.differences_text(steps, new_pools, lines, dry_run=dry_run)


def check_project(file: Path) -> Project:
    """Read a file of deployments and check all that can be checked without a server.

    Raises
    ------
    ArgumentError
        If anything in the file is wrong.
    """
    project = read_project(file)
    _wanted(project, file, None)
    return project


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
        raise ServerError(
            f"the connection to the Prefect server at {url} was lost: {error!r}"
        ) from error


def _detail(response: httpx.Response) -> Any:
    try:
        return response.json()["detail"]
    except (ValueError, KeyError):
        return response.text


def _pages(read: Callable[..., Sequence[_Read]]) -> Iterator[_Read]:
    offset = 0
    while page := read(limit=_PAGE, offset=offset):
        yield from page
        offset += len(page)


def _wanted(project: Project, file: Path, work_pool: str | None) -> list[DeploymentState]:
    """The file's deployments, with what their flows declare; all errors at once."""
    wanted: list[DeploymentState] = []
    wrong: list[str] = []
    folder = file.absolute().parent
    for one in project.deployments:
        steps = one.pull if "pull" in one.model_fields_set else project.pull
        schedules = [schedule.as_prefect() for schedule in one.schedules]
        try:
            flow = entrypoints.load_flow(one.entrypoint, folder)
        except ArgumentError as error:
            wrong.append(f"deployment {one.name!r}: {error}")
            continue
        faults = (
            *entrypoints.wrong_parameters(one, flow, folder),
            *entrypoints.wrong_steps(steps or ()),
        )
        wrong += [f"deployment {one.name!r}: {fault}" for fault in faults]
        fields = {**_fields(one, flow), "pull_steps": steps or []}
        if work_pool:
            fields["work_pool_name"] = work_pool
        wanted.append(DeploymentState(f"{flow.name}/{one.name}", fields, schedules, one.paused))
    names = [one.name for one in wanted]
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    wrong += [f"deployment {name!r} is given twice; each needs its own name" for name in twice]
    if wrong:
        raise ArgumentError(*(f"{file}: {one}" for one in wrong))
    return wanted


def _fields(one: Deployment, flow: Flow[Any, Any]) -> dict[str, Any]:
    """A deployment's values by the names of Prefect's API."""
    plain = {"entrypoint", "tags", "parameters", "enforce_parameter_schema"}
    if one.version is not None:  # else `prefect deploy` may have set one: it stays
        plain.add("version")
    pool, limit = one.work_pool, one.concurrency_limit
    options = limit and limit.model_dump(mode="json", exclude={"limit"}, exclude_none=True)
    return {
        **one.model_dump(include=plain),
        "description": one.description or flow.description,
        "work_pool_name": pool.name,
        "work_queue_name": pool.work_queue_name,
        "job_variables": pool.job_variables,
        "concurrency_limit": limit and limit.limit,
        "concurrency_options": options,
        "parameter_openapi_schema": parameter_form(flow),
    }


def _found(
    client: SyncPrefectClient, project: str, wanted: Sequence[DeploymentState]
) -> list[DeploymentState]:
    """The project's deployments, and others of the same names."""
    deployments = list(_pages(client.read_deployments))
    flows = {one.id: one.name for one in _pages(client.read_flows)}
    found = [_state(one, flows[one.flow_id]) for one in deployments if one.flow_id in flows]
    names = {one.name for one in wanted}
    return [one for one in found if one.project == project or one.name in names]


def _state(one: DeploymentResponse, flow: str) -> DeploymentState:
    fields = one.model_dump(mode="json", exclude={"concurrency_limit"}, exclude_none=True)
    if one.global_concurrency_limit:
        fields["concurrency_limit"] = one.global_concurrency_limit.limit
    project = (one.labels or {}).get(LABEL)
    return DeploymentState(
        f"{flow}/{one.name}",
        {"pull_steps": [], **fields},
        one.schedules,
        one.paused,
        None if project is None else str(project),
        one.id,
    )


def _check_pools(
    client: SyncPrefectClient, file: Path, wanted: Iterable[DeploymentState]
) -> list[str]:
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


def _process_pool(name: str) -> actions.WorkPoolCreate:
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    return actions.WorkPoolCreate(name=name, type="process", base_job_template=template)


def _apply(client: SyncPrefectClient, step: diff.DeploymentDifference, project: str) -> None:
    deployment = step.found and step.found.id
    if step.wanted and deployment is None:
        deployment = _create(client, step.wanted, project)
    elif step.wanted and deployment and step.changes:
        client.update_deployment(deployment, _update(step.wanted, step.changes))
    for schedule in step.schedules:
        _apply_schedule(client, str(deployment), schedule)


def _create(client: SyncPrefectClient, wanted: DeploymentState, project: str) -> uuid.UUID:
    """Create a deployment without schedules; its id."""
    flow, name = wanted.name.split("/", 1)
    schema = actions.DeploymentCreate(
        name=name,
        flow_id=client.create_flow_from_name(flow),
        paused=wanted.paused,
        labels={LABEL: project},
        **wanted.fields,
    )
    content = schema.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    return uuid.UUID(client.request("POST", "/deployments/", json=content).json()["id"])


def _update(wanted: DeploymentState, changes: Iterable[str]) -> actions.DeploymentUpdate:
    """Only what changes: the server leaves the rest as it is."""
    changed = {path.split(".")[0] for path in changes}
    if changed & {"work_pool_name", "work_queue_name"}:
        changed |= {"work_pool_name", "work_queue_name"}
    return actions.DeploymentUpdate(**{key: wanted.fields[key] for key in changed})


def _apply_schedule(
    client: SyncPrefectClient, deployment: str, step: diff.ScheduleDifference
) -> None:
    """Send requests of our own: older clients know neither slugs nor parameters of schedules."""
    ids = {"id": deployment, "schedule_id": str(step.found.id) if step.found else None}
    if step.action == "create" and step.wanted:
        content = [_new_schedule(step.wanted).model_dump(mode="json", exclude_unset=True)]
        client.request("POST", "/deployments/{id}/schedules", path_params=ids, json=content)
    elif step.action == "remove":
        client.request("DELETE", "/deployments/{id}/schedules/{schedule_id}", path_params=ids)
    elif step.action == "change" and step.wanted and step.found:
        update = _schedule_update(step.wanted, step.found)
        change = update.model_dump(mode="json", exclude_unset=True)
        client.request(
            "PATCH", "/deployments/{id}/schedules/{schedule_id}", path_params=ids, json=change
        )


def _new_schedule(one: DeploymentSchedule) -> actions.DeploymentScheduleCreate:
    return actions.DeploymentScheduleCreate(
        schedule=one.schedule,
        active=one.active,
        parameters=one.parameters,
        slug=one.slug or f"{OWN_SLUG}{uuid.uuid4().hex[:8]}",
    )


def _schedule_update(
    new: DeploymentSchedule, old: DeploymentSchedule
) -> actions.DeploymentScheduleUpdate:
    """Without `active`: one that a person paused stays paused."""
    rule, before = new.schedule, old.schedule
    goes_on = "anchor_date" not in rule.model_fields_set  # from where it began
    if isinstance(rule, IntervalSchedule) and isinstance(before, IntervalSchedule) and goes_on:
        rule = rule.model_copy(update={"anchor_date": before.anchor_date})
    return actions.DeploymentScheduleUpdate(
        schedule=rule, parameters=new.parameters, slug=new.slug or old.slug
    )


def _compare_automations(
    client: SyncPrefectClient,
    project: Project,
    file: Path,
    wanted: Sequence[DeploymentState],
    found: Sequence[DeploymentState],
    told: Sequence[channels.Channel],
) -> tuple[automations.AutomationDifference, ...]:
    ids = {one.name: str(one.id) for one in found}
    blocks = channels.block_ids(channels.compare_blocks(client, project.name, told))
    places = [(one, blocks[one.place]) for one in told]
    own = automations.wanted_automations(wanted, ids)
    own += notifications.notifying_automations(project.name, project.notify, places, wanted, ids)
    own = automations.marked(own, project.name, file.name)
    return automations.compare_automations(project.name, own, _pages(client.read_automations), ids)


def _apply_automation(client: SyncPrefectClient, step: automations.AutomationDifference) -> None:
    if step.action == "create" and step.wanted:
        client.create_automation(step.wanted)
    elif step.action == "change" and step.wanted and step.found:
        enabled = {"enabled": step.found.enabled}  # one that a person disabled stays so
        client.update_automation(step.found.id, step.wanted.model_copy(update=enabled))
    elif step.action == "remove" and step.found:
        client.delete_automation(step.found.id)
