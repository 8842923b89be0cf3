"""A run outlasts Prefect's server: one that falls silent in mid-run costs no result and no hour.

Prefect's client repeats each request for minutes, its engine then fails the flow, and its services
never end the process. Here the states of a run are told with a patience of their own; a state that
could not be told is taken as told, logged in one line, and left beside the table, where the next
run finds it (:mod:`tidemill.orchestration.untold`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.responses import SetStateStatus, StateAcceptDetails
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound
from prefect.settings import (
    PREFECT_CLIENT_MAX_RETRIES,
    get_current_settings,
)
from prefect.states import State

from tidemill.errors import shown_url
from tidemill.model.logs import engine_log
from tidemill.model.progress import Progress, subscribe
from tidemill.orchestration.client_settings import with_settings
from tidemill.orchestration.services import ANSWER_SECONDS, brief_client, end_with_process
from tidemill.orchestration.untold import Untold, forget, write_untold
from tidemill.planning.request import Request
from tidemill.storage.layout import SinkLayout

__all__ = ["Teller", "is_silent", "limited", "may_pass", "noted", "outlast_server", "untold_lines"]

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
            with with_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
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
    teller = Teller.current() or Teller(client)
    teller.adopt(context.flow_run.id, SinkLayout.of(request.sink, request.storage_options))


@contextmanager
def noted() -> Iterator[None]:
    """Let the next run find out if this process is killed during a job."""
    teller = Teller.current()
    if teller is None:
        yield
        return
    with subscribe(teller.note):
        yield


class Teller:
    """Tells the server the states of runs, in place of the client that the engine uses."""

    def __init__(self, client: Any) -> None:
        self._url = str(client.api_url).rstrip("/")
        #: Whether somebody has decided how often the server is asked.
        self.asks_as_set = "max_retries" in get_current_settings().client.model_fields_set
        self._set_state: Callable[..., OrchestrationResult[Any]] = client.set_flow_run_state
        self._create, self._hello = client.create_flow_run, client.hello
        self._renew = client.renew_concurrency_lease
        self._flows: dict[UUID, SinkLayout] = {}  # called by people
        self._inner: dict[UUID, SinkLayout] = {}  # called by those
        self._noted: set[UUID] = set()  # runs whose death is found beside their tables
        self._unheard = _Silence()  # since a state was to be told
        client.set_flow_run_state = self.set_flow_run_state
        client.create_flow_run = self.create_flow_run
        client.renew_concurrency_lease = self.renew_concurrency_lease

    @classmethod
    def current(cls) -> Self | None:
        """The one that tells the states of the flow in which this is called."""
        context = FlowRunContext.get()
        client: Any = context.client if context else None
        teller = getattr(getattr(client, "set_flow_run_state", None), "__self__", None)
        return teller if isinstance(teller, cls) else None

    def adopt(self, run: UUID, layout: SinkLayout) -> None:
        """Tell the states of this run, and of those that are created from now on."""
        self._flows[run] = layout

    def note(self, progress: Progress) -> None:
        """Leave beside the tables that the runs last, once a job owns its sink."""
        if progress.step == "plan":
            return
        for run, layout in [one for one in self._flows.items() if one[0] not in self._noted]:
            self._noted.add(run)
            with suppress(Exception):  # it is only for the page of the run
                write_untold(layout, Untold.lasting(run))

    def create_flow_run(self, *arguments: Any, **options: Any) -> Any:
        """As the client's."""
        run = self._create(*arguments, **options)
        if self._flows:
            self._inner[run.id] = [*self._flows.values()][-1]
        return run

    @property
    def shown_url(self) -> str:
        """The server's address, without a password."""
        return shown_url(self._url)

    def reaches_server(self) -> bool:
        """Whether the server answers now, or within the patience that a run has in all."""
        try:
            if self.asks_as_set:
                self._hello()
            else:
                self._ask(SyncPrefectClient.hello, PATIENCE_SECONDS)
        except (httpx.TransportError, httpx.HTTPStatusError):
            _silence.begins()
            return False
        return True

    def renew_concurrency_lease(self, *arguments: Any, **options: Any) -> Any:
        """As the client's; a lease that the server does not renew, or has lost, ends no run.

        Prefect would end it, although it is the lease of the sink that keeps two runs apart.
        """
        try:
            return self._renew(*arguments, **options)
        except Exception as error:  # noqa: BLE001  whatever the server says
            what = f"{type(error).__name__}: {error}"
            log.warning(
                "the deployment's limit of concurrent runs may not count this one: %s", what
            )
            return None

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
            result = self._tell(run, state, force=force)
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if not may_pass(error):
                raise
            _silence.begins()
        except ObjectNotFound:  # another server is in its place, or it has lost its database
            log.warning("the Prefect server at %s does not know this run", self.shown_url)
        else:
            if state.is_final() and run in self._noted:
                self._noted.discard(run)
                with suppress(Exception):
                    forget(layout, run)
            return result
        finally:
            end_with_process(self._url)
        self._leave_untold(run, state, layout)
        return _accepted(state)

    def _tell(self, run: UUID, state: State[Any], *, force: bool) -> OrchestrationResult[Any]:
        """Tell a state, as often as it takes; the error of the last time."""
        if self.asks_as_set:
            return self._set_state(run, state, force=force)
        stopped = state.is_crashed() or state.is_cancelled() or state.is_cancelling()
        patience = STOP_SECONDS if stopped else PATIENCE_SECONDS
        return self._ask(lambda one: one.set_flow_run_state(run, state, force=force), patience)

    def _ask(self, request: Callable[[SyncPrefectClient], T], patience: float) -> T:
        """Send a request as often as it takes; the error of the last time."""
        while True:
            left = patience - self._unheard.seconds
            try:
                with brief_client(self._url, min(max(left, LEAST_SECONDS), ANSWER_SECONDS)) as one:
                    result = request(one)
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                self._unheard.begins()
                if self._unheard.seconds >= patience or not may_pass(error):
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
            line = f"{what}; the Prefect server at {self.shown_url} could not be told"
            log.warning("%s", line)
            _untold_lines.append(line)
        with suppress(Exception):  # it is only for the page of the run
            write_untold(layout, Untold.of(run, state))


def may_pass(error: Exception) -> bool:
    """Whether the server may answer later, or another one in its place."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 429, 500, 502, 503, 504)
    return True


def _accepted(state: State[Any]) -> OrchestrationResult[Any]:
    copy = state.model_copy(update={"data": None})
    return OrchestrationResult(
        state=copy, status=SetStateStatus.ACCEPT, details=StateAcceptDetails()
    )
