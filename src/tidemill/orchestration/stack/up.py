"""``tidemill up``: the whole stack of a project, from its check to its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import httpx
from prefect.settings import PREFECT_API_URL, temporary_settings

from tidemill.errors import ArgumentError, printable
from tidemill.orchestration.deploy.apply import deploy
from tidemill.orchestration.deploy.project_file import Project, read_project
from tidemill.orchestration.services import brief_client
from tidemill.orchestration.stack import children
from tidemill.orchestration.stack.check import Answer, check
from tidemill.orchestration.stack.request import CLUSTER, StackRequest
from tidemill.orchestration.stack.running import only_stack
from tidemill.orchestration.stack.supervise import Supervisor, supervised
from tidemill.orchestration.stack.upcoming import Upcoming, upcoming, upcoming_text
from tidemill.reports.text import aligned

__all__ = ["STOP_SECONDS", "checked", "up"]

#: Seconds that everything gets to stop, before it is ended by force.
STOP_SECONDS = 60.0
#: Seconds that the server gets to make the first runs of new schedules, and between two looks.
FIRST_RUNS_SECONDS = 60.0
LOOK_SECONDS = 2.0

Say = Callable[[str], None]


def checked(request: StackRequest) -> tuple[str, bool]:
    """What was looked at, a line each, for people; and whether the stack can be started."""
    os.environ[CLUSTER] = request.cluster  # for the project's file
    answers = list(check(request))
    return aligned(map(_line, answers)), not any(one.is_wrong for one in answers)


def _line(one: Answer) -> tuple[str, str]:
    kind = "wrong: " if one.is_wrong else "note: " if one.is_note else ""
    return one.subject, f"{kind}{one.text}"


def up(request: StackRequest, say: Say) -> None:
    """Start the stack and keep it running, until this process is told to stop.

    Raises
    ------
    ArgumentError
        If something is missing; then nothing is started.
    ServerError
        If the server refuses the deployments.
    StackError
        If a process cannot be started, or dies again and again. Then everything is stopped.
    """
    os.environ[CLUSTER] = request.cluster  # for the project's file
    for answer in _checked(request):
        say(f"Note: {answer.text}")
    with (
        only_stack(request.home, request.api, request.file),
        supervised(request.logs, _teller(say)) as supervisor,
    ):
        _start(supervisor, request, say)
        supervisor.watch()


def _checked(request: StackRequest) -> Iterator[Answer]:
    """What is worth knowing; raises if something is missing."""
    answers = list(check(request))
    if missing := [one.text for one in answers if one.is_wrong]:
        raise ArgumentError(*missing)
    yield from (one for one in answers if one.is_note)


def _teller(say: Say) -> Callable[[str, str], None]:
    def tell(name: str, what: str) -> None:
        say(f"{time.strftime('%H:%M:%S')}  {name:<12}  {printable(what)}")

    return tell


def _start(supervisor: Supervisor, request: StackRequest, say: Say) -> None:
    project = read_project(request.file)
    supervisor.start(children.server(request))
    with temporary_settings({PREFECT_API_URL: request.api}):
        say(deploy(request.file))
    for child in _after_server(request, {one.work_pool.name for one in project.deployments}):
        supervisor.start(child)
    say(f"\n{_where_text(request)}\n")
    found: list[Upcoming] = []
    supervisor.watch(until=_looking(request, project, found))
    say(upcoming_text(found, datetime.now().astimezone()))
    say("\nCtrl-C stops all of it.")


def _after_server(request: StackRequest, pools: set[str]) -> Iterator[children.Child]:
    if request.dask:
        yield children.scheduler(request)
        yield children.dask_workers(request)
    for pool in sorted(pools):
        yield children.worker(request, pool, "worker" if len(pools) == 1 else f"worker-{pool}")


def _where_text(request: StackRequest) -> str:
    """The addresses, for people."""
    lines = [
        ("Page", request.page),
        ("Other shells", f"export PREFECT_API_URL={request.api}"),
        ("Logs", str(request.logs)),
    ]
    if request.dask:
        use = f"in the project's file, `cluster: {request.cluster}` or '{{{{ ${CLUSTER} }}}}'"
        lines.insert(2, ("Dask", f"{request.cluster}; {use}"))
    return aligned(lines)


def _looking(request: StackRequest, project: Project, found: list[Upcoming]) -> Callable[[], bool]:
    """Ask for the next runs every other second, until the server has made the first ones."""
    give_up = time.monotonic() + FIRST_RUNS_SECONDS
    next_look = 0.0

    def look() -> bool:
        nonlocal next_look
        if time.monotonic() < next_look:
            return False
        try:
            with brief_client(request.api) as client:
                found[:] = upcoming(client, project)
        except httpx.HTTPError:
            pass
        next_look = time.monotonic() + LOOK_SECONDS
        is_known = bool(found) and not any(one.is_awaited for one in found)
        return is_known or next_look > give_up

    return look
