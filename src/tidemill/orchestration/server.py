"""Prefect's server as a run sees it: its address, start and logs, and runs that were stopped."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelled, State

from tidemill.errors import ServerError

__all__ = ["api_url", "cancel_interrupted", "engine_logs", "start_server"]


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
    yield


def cancel_interrupted(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  Prefect's names
    """Mark a run that was stopped on request as cancelled, where Prefect marks it as crashed.

    Prefect does so after Ctrl-C, and if the worker's signal arrives before the state Cancelling.
    After Ctrl-C a run of a deployment stays crashed: its worker was stopped, and another may
    continue it.
    """
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
        If one is configured that does not answer.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with get_client(sync_client=True) as client:
            fault = client.api_healthcheck()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if fault:
        raise ServerError.unreachable(PREFECT_API_URL.value() or "", fault)
