"""Questions to a Dask scheduler, each with a limit: one that is stopped or gone never answers.

Only what every scheduler offers is used. No function is sent there, so tidemill need not be
installed where the scheduler runs.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from distributed import Client

from tidemill.errors import ClusterError
from tidemill.model.logs import engine_log

__all__ = [
    "ANSWER_SECONDS",
    "SCHEDULER_SECONDS",
    "address_of",
    "ask",
    "restart_workers",
    "scheduler_lost",
    "within",
    "workers_of",
]

log = engine_log(__name__)

T = TypeVar("T")

#: Seconds for one answer.
ANSWER_SECONDS = 10.0
#: A scheduler that has not answered for this long is lost.
SCHEDULER_SECONDS = 45.0
#: Seconds for a nanny to kill its worker. It tries for 5 s, then by force.
KILL_SECONDS = 10.0


def address_of(client: Client) -> str:
    """The scheduler's address, also after the client has lost it; "?" if it never had one."""
    if client.scheduler is not None:
        return str(client.scheduler.address)
    start = getattr(client, "_start_arg", None)
    return start if isinstance(start, str) else "?"


def scheduler_lost(address: str, how: str) -> ClusterError:
    """The error for a scheduler that was there and is no longer.

    Examples
    --------
    >>> print(scheduler_lost("tcp://10.0.0.1:8786", "was lost"))
    the scheduler at tcp://10.0.0.1:8786 was lost; start it and its workers, and run again: finished
    parts are kept
    """
    return ClusterError(
        f"the scheduler at {address} {how}; start it and its workers, and run again: finished "
        "parts are kept"
    )


def ask(
    client: Client,
    question: Callable[[Any], Coroutine[Any, Any, T]],
    seconds: float | None = None,
) -> T:
    """The scheduler's answer to ``question``, which gets the client's handle of it.

    Raises
    ------
    ClusterError
        If the client has given the scheduler up.
    TimeoutError, OSError
        If there is no answer this time.
    """
    scheduler = client.scheduler
    if scheduler is None or client.status in {"closing", "closed"}:
        raise scheduler_lost(address_of(client), "was lost")
    limit = ANSWER_SECONDS if seconds is None else seconds
    try:
        answer: T = client.sync(lambda: question(scheduler), callback_timeout=limit)
    except OSError:  # TimeoutError is one
        raise
    except (Exception, asyncio.CancelledError) as error:
        # A client that is just being closed raises whatever it is at: RuntimeError, CancelledError.
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    return answer


def workers_of(client: Client) -> dict[str, Mapping[str, Any]]:
    """What the scheduler knows of each worker, by address; errors as :func:`ask`."""
    answer = ask(client, lambda scheduler: scheduler.identity(n_workers=-1))
    return dict(answer["workers"])


def restart_workers(client: Client, addresses: Sequence[str], reason: str) -> dict[str, str]:
    """Take workers off the scheduler; a nanny that answers kills its worker and starts another.

    Returns
    -------
    dict
        ``"OK"`` for workers that a nanny restarts; anything else for those that are gone.
    """
    answer = ask(
        client,
        lambda scheduler: scheduler.restart_workers(
            workers=list(addresses),
            timeout=KILL_SECONDS,
            wait_for_workers=False,
            on_error="return",
            stimulus_id=reason,
        ),
        2 * KILL_SECONDS,
    )
    return dict(answer)


def within(seconds: float, function: Callable[..., T], *arguments: Any) -> T:
    """Call what has no limit of its own, in a thread that is abandoned after ``seconds``.

    Raises
    ------
    TimeoutError
        If it has not returned.
    Exception
        What it raises.

    Examples
    --------
    >>> within(5.0, max, 1, 2)
    2
    """
    results: list[T] = []
    errors: list[BaseException] = []
    context = contextvars.copy_context()

    def work() -> None:
        try:
            results.append(context.run(function, *arguments))
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="tidemill-within")
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return results[0]


def quietly(seconds: float, function: Callable[..., Any], *arguments: Any) -> None:
    """Tidy up by a call that may fail, or not return: nothing depends on it."""
    with suppress(Exception, asyncio.CancelledError):
        within(seconds, function, *arguments)
