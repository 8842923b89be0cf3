"""A flow that is called by a flow: with a run of its own, or without one if the server is lost.

To begin, it needs half a dozen answers of Prefect's server. Its work needs none: without them it is
done as part of the run that calls it.
"""

from __future__ import annotations

from functools import wraps
from typing import ParamSpec, TypeVar

import httpx
from prefect import Flow
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES

from tidemill.model.logs import engine_log
from tidemill.orchestration.client_settings import with_settings
from tidemill.orchestration.lost_server import Teller, may_pass

__all__ = ["call_as_part", "call_inner"]

log = engine_log(__name__)
P = ParamSpec("P")
R = TypeVar("R")

#: What the server, or its absence, answers to a flow that is about to begin.
_REFUSED = (httpx.TransportError, httpx.HTTPStatusError, ObjectNotFound, ObjectAlreadyExists)
#: Attempts to begin a run of its own while the server answers.
ATTEMPTS = 3


class _NotBegunError(Exception):
    """The server did not let the flow begin."""


def call_inner(flow: Flow[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """The result of a flow, called inside of another that outlasts the server.

    Raises
    ------
    Exception
        What the flow itself raises; it is called once.
    """
    teller = Teller.current()
    if teller is None:
        return flow(*arguments, **named)
    attempts = 1 if teller.asks_as_set else ATTEMPTS
    while attempts and teller.reaches_server():
        attempts -= 1
        try:
            return _call(flow, teller, *arguments, **named)
        except _NotBegunError as error:
            log.debug("the flow %s could not begin: %s", flow.name, error)
    log.warning(
        "the Prefect server at %s does not answer: the run goes on without it, and %s has no page",
        teller.shown_url,
        flow.name,
    )
    return call_as_part(flow, *arguments, **named)


def _call(flow: Flow[P, R], teller: Teller, *arguments: P.args, **named: P.kwargs) -> R:
    """Call a flow; the server is asked once for each thing, and as ever when it has begun."""
    begun = False
    function, retries = flow.fn, PREFECT_CLIENT_MAX_RETRIES.value()

    @wraps(function)
    def begins(*arguments: P.args, **named: P.kwargs) -> R:
        nonlocal begun
        begun = True
        with with_settings({PREFECT_CLIENT_MAX_RETRIES: retries}):
            return function(*arguments, **named)

    watched = flow.with_options()
    watched.fn = begins
    APILogWorker.instance()  # else it could start with the settings of this moment
    asked = {} if teller.asks_as_set else {PREFECT_CLIENT_MAX_RETRIES: 0}
    try:
        with with_settings(asked):
            return watched(*arguments, **named)
    except _REFUSED as error:
        if begun or not may_pass(error):
            raise
        raise _NotBegunError(f"{type(error).__name__}: {error}") from error


def call_as_part(flow: Flow[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Call what the flow does, on its task runner; its task runs belong to the run that calls."""
    outer = FlowRunContext.get()
    assert outer is not None
    with flow.task_runner.duplicate() as runner, outer.model_copy(update={"task_runner": runner}):
        return flow.fn(*arguments, **named)
