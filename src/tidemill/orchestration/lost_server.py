"""A run outlasts Prefect's server: one that falls silent in mid-run costs no result and no hour.

Prefect's client repeats each request for minutes, its engine then fails the flow, and its services
never end the process. Here the states of a run are told with a patience of their own; a state that
could not be told is taken as told, logged in one line, and left beside the table, where the next
run finds it (:mod:`tidemill.orchestration.untold`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.responses import SetStateStatus, StateAcceptDetails
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.settings import (
    PREFECT_CLIENT_MAX_RETRIES,
    get_current_settings,
    temporary_settings,
)
from prefect.states import State

from tidemill.errors import shown_url
from tidemill.model.logs import engine_log
from tidemill.orchestration.services import ANSWER_SECONDS, brief_client, end_with_process
from tidemill.orchestration.untold import Untold, write_untold
from tidemill.planning.request import Request
from tidemill.storage.layout import SinkLayout

__all__ = ["is_silent", "limited", "outlast_server", "untold_lines"]

log = engine_log(__name__)
T = TypeVar("T")

#: Seconds for which a silent server is asked again before a run ends without it: a restart.
PATIENCE_SECONDS = 20.0
#: The same for a run that was stopped on request, and for what is only shown.
STOP_SECONDS = 3.0
#: The least seconds for one answer.
LEAST_SECONDS = 3.0
_PAUSE_SECONDS = 1.0

#: Requests without an answer that may hang in threads of their own.
_MOST_HANGING = 3

_untold_lines: list[str] = []
_hanging: list[threading.Thread] = []


class _Silence:
    """How long the server has not answered, as far as this process has asked."""

    def __init__(self) -> None:
        self._began: float | None = None

    def begins(self) -> None:
        if self._began is None:
            self._began = time.monotonic()

    def ends(self) -> None:
        self._began = None

    @property
    def seconds(self) -> float:
        return 0.0 if self._began is None else time.monotonic() - self._began


_silence = _Silence()


def untold_lines() -> list[str]:
    """What the server could not be told since the last call, as lines for people."""
    lines = _untold_lines[:]
    _untold_lines.clear()
    return lines


def limited(call: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """The result of a call of Prefect's API that must not keep the run waiting.

    Raises
    ------
    TimeoutError
        If it takes longer than ten seconds, or three if the server was silent before. The call goes
        on in a thread that nobody waits for.
    """
    seconds = STOP_SECONDS if is_silent() else ANSWER_SECONDS
    _hanging[:] = [one for one in _hanging if one.is_alive()]
    if len(_hanging) >= _MOST_HANGING:
        raise TimeoutError(f"{len(_hanging)} earlier requests wait for the Prefect server")
    done: list[T] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
                done.append(call(*arguments, **options))
        except Exception as error:  # noqa: BLE001  raised where the call is waited for
            failed.append(error)

    thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
    thread.start()
    thread.join(seconds)
    if not done and not failed:
        _hanging.append(thread)
        _silence.begins()
        raise TimeoutError(f"the Prefect server did not answer within {seconds:.0f} s")
    if failed:
        if isinstance(failed[0], httpx.TransportError):
            _silence.begins()
        raise failed[0]
    _silence.ends()
    return done[0]


def is_silent() -> bool:
    """Whether the server did not answer when it was asked last."""
    return _silence.seconds > 0.0


def outlast_server(request: Request) -> None:
    """Let the flow that this is called in, and those that it calls, end without the server."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    client: Any = context.client
    end_with_process(str(client.api_url))
    teller = getattr(client.set_flow_run_state, "__self__", None)
    if not isinstance(teller, _Teller):
        teller = _Teller(client)
    teller.adopt(context.flow_run.id, SinkLayout.of(request.sink, request.storage_options))


class _Teller:
    """Tells the server the states of runs, in place of the client that the engine uses."""

    def __init__(self, client: Any) -> None:
        self._url = str(client.api_url).rstrip("/")
        self._set_state: Callable[..., OrchestrationResult[Any]] = client.set_flow_run_state
        self._create = client.create_flow_run
        self._flows: dict[UUID, SinkLayout] = {}  # called by people
        self._inner: dict[UUID, SinkLayout] = {}  # called by those
        self._unheard = _Silence()  # since a state was to be told
        client.set_flow_run_state = self.set_flow_run_state
        client.create_flow_run = self.create_flow_run

    def adopt(self, run: UUID, layout: SinkLayout) -> None:
        """Tell the states of this run, and of those that are created from now on."""
        self._flows[run] = layout

    def create_flow_run(self, *arguments: Any, **options: Any) -> Any:
        """As the client's."""
        run = self._create(*arguments, **options)
        if self._flows:
            self._inner[run.id] = [*self._flows.values()][-1]
        return run

    def set_flow_run_state(
        self,
        flow_run_id: UUID | str,
        state: State[Any],
        force: bool = False,  # noqa: FBT001, FBT002  as the client's
    ) -> OrchestrationResult[Any]:
        """As the client's; a state that cannot be told is accepted."""
        run = UUID(str(flow_run_id))
        layout = self._flows.get(run) or self._inner.get(run)
        if layout is None:
            return self._set_state(flow_run_id, state, force=force)
        try:
            return self._tell(run, state, force=force)
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if not _may_pass(error):
                raise
            _silence.begins()
        except ObjectNotFound:  # another server is in its place, or it has lost its database
            log.warning("the Prefect server at %s does not know this run", shown_url(self._url))
        finally:
            end_with_process(self._url)
        self._leave_untold(run, state, layout)
        return _accepted(state)

    def _tell(self, run: UUID, state: State[Any], *, force: bool) -> OrchestrationResult[Any]:
        """Tell a state, as often as it takes; the error of the last time."""
        if "max_retries" in get_current_settings().client.model_fields_set:
            return self._set_state(run, state, force=force)  # somebody has decided how often
        stopped = state.is_crashed() or state.is_cancelled() or state.is_cancelling()
        patience = STOP_SECONDS if stopped else PATIENCE_SECONDS
        while True:
            left = patience - self._unheard.seconds
            try:
                with brief_client(self._url, min(max(left, LEAST_SECONDS), ANSWER_SECONDS)) as one:
                    result = one.set_flow_run_state(run, state, force=force)
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                self._unheard.begins()
                if self._unheard.seconds >= patience or not _may_pass(error):
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                _silence.ends()
                self._unheard.ends()
                return result

    def _leave_untold(self, run: UUID, state: State[Any], layout: SinkLayout) -> None:
        if not state.is_final():
            return
        if run in self._flows:
            what = "published" if state.is_completed() else (state.name or "ended").lower()
            line = f"{what}; the Prefect server at {shown_url(self._url)} could not be told"
            log.warning("%s", line)
            _untold_lines.append(line)
        with suppress(Exception):  # it is only for the page of the run
            write_untold(layout, Untold.of(run, state))


def _may_pass(error: Exception) -> bool:
    """Whether the server may answer later, or another one in its place."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 429, 500, 502, 503, 504)
    return True


def _accepted(state: State[Any]) -> OrchestrationResult[Any]:
    copy = state.model_copy(update={"data": None})
    return OrchestrationResult(
        state=copy, status=SetStateStatus.ACCEPT, details=StateAcceptDetails()
    )
