"""Prefect's services that send events and logs: at the end of a process they are waited for.

They wait without a limit: for a server that is gone, until every event has failed eleven times.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from prefect._internal.concurrency import services as prefect_services
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES

from tidemill.execution.at_exit import call_before_threads_end
from tidemill.orchestration.client_settings import with_settings

__all__ = ["ANSWER_SECONDS", "brief_client", "end_with_process", "say_once"]

#: Seconds for one answer.
ANSWER_SECONDS = 10.0
#: Seconds that events and logs get to arrive when the process ends; then it depends on whether the
#: server answers, and how long that has taken.
DRAIN_SECONDS = 5.0
MOST_SECONDS = 60.0

#: Seconds between two lines that say that nothing can be sent.
SAID_AGAIN_SECONDS = 600.0
SAID = "the Prefect server does not answer; the run goes on, its page does not show all of it"

_log = logging.getLogger("prefect._internal.concurrency")
_events_log = logging.getLogger("prefect.events.clients")
#: How the lines of both begin that say so, for each event.
_EACH = ("Service %r failed", "Unable to connect to")
_known: weakref.WeakSet[Any] = weakref.WeakSet()


class _Once(logging.Filter):
    """One line for all events and logs that cannot be sent, and not one, of a page, for each."""

    def __init__(self) -> None:
        super().__init__()
        self._said = -SAID_AGAIN_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the first record that says so, and drop those that follow."""
        if not str(record.msg).startswith(_EACH):
            return True
        now = time.monotonic()
        if now - self._said < SAID_AGAIN_SECONDS:
            return False
        self._said = now
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = SAID, ()
        record.exc_info = record.exc_text = None
        return True


_once = _Once()


@contextmanager
def brief_client(url: str, seconds: float = ANSWER_SECONDS) -> Iterator[SyncPrefectClient]:
    """A client that asks once, and not for long."""
    with (
        with_settings({PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(httpx_settings={"timeout": seconds}, sync_client=True) as client,
    ):
        yield client


def say_once() -> None:
    """Say in one line that events and logs cannot be sent, in this process."""
    _log.addFilter(_once)
    _events_log.addFilter(_once)
    for one in _running():
        if isinstance(one, APILogWorker):  # it prints, and does not log, what goes wrong
            one._handle_batch = partial(_send_lines, one)  # type: ignore[method-assign]  # noqa: SLF001


async def _send_lines(service: APILogWorker, lines: list[dict[str, Any]]) -> None:
    try:
        await service._client.create_logs(lines)  # noqa: SLF001
    except Exception as error:  # noqa: BLE001  whatever the server says
        _log.error("Service %r failed to send %d lines: %s", "APILogWorker", len(lines), error)


def end_with_process(url: str) -> None:
    """Let the services that run now end with the process, whether the server answers or not.

    Prefect registers each service when it starts, and what was registered last is called first: so
    call this when they run.
    """
    say_once()
    running = _running()
    if any(one not in _known for one in running):
        _known.update(running)
        call_before_threads_end(_drain, url)


def _running() -> list[Any]:
    found: Iterable[Any] = getattr(prefect_services, "_active_services", ())
    return [one for one in list(found) if getattr(one, "_started", False)]


def _drain(url: str) -> None:
    """Wait for what is to be sent, as long as the server answers; then let go of it."""
    services = _running()
    waits = set()
    for one in services:
        with suppress(Exception):
            waits.add(one._drain(at_exit=True))  # noqa: SLF001
    give_up = time.monotonic() + MOST_SECONDS
    while True:
        waits = concurrent.futures.wait(waits, timeout=DRAIN_SECONDS).not_done
        if not waits or time.monotonic() > give_up or not _answers(url):
            break
    for one in services:
        done: asyncio.Event | None = getattr(one, "_done_event", None)
        loop: asyncio.AbstractEventLoop | None = getattr(one, "_loop", None)
        if done is not None and loop is not None and not done.is_set():
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(done.set)


def _answers(url: str) -> bool:
    try:
        with brief_client(url, DRAIN_SECONDS) as client:
            return client.api_healthcheck() is None
    except Exception:  # noqa: BLE001  the process ends, whatever it is
        return False
