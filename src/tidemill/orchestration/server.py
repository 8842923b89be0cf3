"""Prefect's server as a run sees it: its address, start and logs, and runs that were stopped."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_SERVER_ANALYTICS_ENABLED
from prefect.states import Cancelled, State

from tidemill.errors import ServerError
from tidemill.orchestration.client_settings import with_settings
from tidemill.orchestration.lost_output import outlast_output
from tidemill.orchestration.lost_server import is_silent
from tidemill.orchestration.services import brief_client, say_once

__all__ = ["api_url", "cancel_interrupted", "engine_logs", "start_server"]

#: Seconds after which a configured server that does not answer is given up.
START_SECONDS = 15.0  # and one more request, of ten
#: Room that the embedded server needs for a new database and its journal.
DATABASE_BYTES = 4 << 20


class _EngineLogHandler(APILogHandler):
    """Sends the engine's log lines to the run they belong to, and drops those outside of one."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's own name
        """Never let a log line fail the work."""


@contextmanager
def engine_logs() -> Iterator[None]:
    """Send the engine's log lines to the log of the current run, in whatever process this is."""
    engine = logging.getLogger("tidemill")
    if not any(isinstance(handler, _EngineLogHandler) for handler in engine.handlers):
        engine.addHandler(_EngineLogHandler(logging.INFO))
        if engine.getEffectiveLevel() > logging.INFO:
            engine.setLevel(logging.INFO)
    say_once()
    outlast_output()
    yield


def cancel_interrupted(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  Prefect's names
    """Mark a run that was stopped on request as cancelled, where Prefect marks it as crashed.

    Prefect does so after Ctrl-C, and if the worker's signal arrives before the state Cancelling.
    After Ctrl-C a run of a deployment stays crashed: its worker was stopped, and another may
    continue it.
    """
    if is_silent():
        return
    by_hand = isinstance(sys.exc_info()[1], KeyboardInterrupt) and flow_run.deployment_id is None
    with get_client(sync_client=True) as client:
        if by_hand or _was_cancelling(client, flow_run.id):
            cancelled: State[Any] = Cancelled(message="stopped on request")
            client.set_flow_run_state(flow_run.id, cancelled, force=True)


def _was_cancelling(client: SyncPrefectClient, run: UUID) -> bool:
    """Whether somebody asked the server to cancel this attempt, or the run that it belongs to."""
    outer = FlowRunContext.get()
    for one in {run, outer.flow_run.id if outer and outer.flow_run else run}:
        states = sorted(client.read_flow_run_states(one), key=lambda state: state.timestamp)
        if any(state.is_cancelling() for state in states[-2:]):
            return True
    return False


def api_url() -> str:
    """URL of the Prefect API that this run talks to, also of an embedded server."""
    with get_client(sync_client=True) as client:
        return str(client.api_url).rstrip("/")


def start_server() -> None:
    """Start Prefect's embedded server, unless another is configured, so that it ignores Ctrl-C.

    A terminal sends Ctrl-C to the whole process group, and a stopped flow would wait a minute for
    a server that is gone. A child inherits blocked signals; at the end it gets another one.

    Raises
    ------
    ServerError
        If one is configured that does not answer within 25 s, or the embedded one cannot start.
    """
    url = PREFECT_API_URL.value()
    if url:
        fault = _fault_of(url)
        if fault:
            raise ServerError.unreachable(url, fault)
        return
    _check_room(PREFECT_HOME.value())
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _without_telemetry(), get_client(sync_client=True) as client:
            fault = client.api_healthcheck()
    except RuntimeError as error:
        raise ServerError.not_started(str(error)) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if fault:
        raise ServerError.not_started(str(fault))


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Start no server that reports to Prefect's makers, unless somebody has asked for it."""
    setting = PREFECT_SERVER_ANALYTICS_ENABLED
    with nullcontext() if setting.name in os.environ else with_settings({setting: False}):
        yield


def _fault_of(url: str) -> Exception | None:
    """Why a server does not answer; one that is only slow is asked again for a while."""
    give_up = time.monotonic() + START_SECONDS
    while True:
        with brief_client(url) as client:
            fault = client.api_healthcheck()
        if not isinstance(fault, httpx.TimeoutException) or time.monotonic() >= give_up:
            return fault


def _check_room(home: Path) -> None:
    """Whether the server can keep its database there; it would try for two minutes."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(bytes(DATABASE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ServerError.not_started(f"{home}: {error.strerror or error}") from error
