"""Have something calculated and bring it here; nothing is waited for that cannot come.

Dask's own waiting has no end when there is no worker, and says ``CancelledError`` when data are
gone for good.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dask
from dask.base import is_dask_collection
from distributed import Client, Future

from tidemill.bridges.dask.patience import Patience
from tidemill.errors import ClusterError, shorten
from tidemill.orchestration.scheduler_calls import address_of

__all__ = ["CANCELLED", "LOST", "fetch", "fetch_all", "lost_inputs", "naming_lost"]

#: What Dask raises for data that will not come: of a future, and of what waits for it.
CANCELLED = (concurrent.futures.CancelledError, asyncio.CancelledError)
#: States of a future whose data are gone for good.
LOST = frozenset({"cancelled", "lost"})
POLL_SECONDS = 0.02
#: Seconds in which the client hears of lost inputs, after it has heard of what needs them.
NEWS_SECONDS = 5.0


def fetch(value: Any, client: Client | None) -> Any:
    """The result of a delayed object or collection: see :func:`fetch_all`."""
    return fetch_all([value], client)[0]


def fetch_all(values: Sequence[Any], client: Client | None) -> list[Any]:
    """The results of delayed objects or collections.

    Workers may die while they are calculated, or while they come here: Dask calculates again what
    they held.

    Parameters
    ----------
    values : what is calculated
    client : of the cluster; None: this process calculates it

    Raises
    ------
    ClusterError
        If the scheduler is lost, or has had no worker for a minute.
    CancelledError
        If inputs were lost that cannot be calculated again: see :func:`naming_lost`.
    Exception
        What a task raises.

    Examples
    --------
    >>> fetch_all([dask.delayed(max)(1, 2)], None)
    [2]
    """
    if client is None:
        return list(dask.compute(*values))
    patience = Patience(client)
    futures: list[Future[Any]] = []
    with patience.explaining():
        try:
            futures = client.compute(list(values))
            return _wait_for(lambda: client.gather(futures), patience)
        finally:  # the thread of a call that has failed would keep them
            for one in futures:
                one.release()


def _wait_for(function: Callable[[], list[Any]], patience: Patience) -> list[Any]:
    """What a function of the client returns that has no limit of its own."""
    results: list[list[Any]] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="tidemill-fetch")
    thread.start()
    while thread.is_alive():
        patience.look()
        thread.join(POLL_SECONDS)
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def naming_lost(data: Any, client: Client | None) -> Iterator[None]:
    """Turn Dask's ``CancelledError`` into an error that names the futures in ``data`` it is about.

    Raises
    ------
    ClusterError
        Instead.
    """
    try:
        yield
    except CANCELLED as error:
        if client is None or client.status != "running":
            raise
        raise _lost(data, client) from error


def _lost(data: Any, client: Client) -> ClusterError:
    inputs, give_up = _keys_in(data), time.monotonic() + NEWS_SECONDS
    while not (lost := [one for one in inputs if _is_lost(one, client)]):
        if time.monotonic() > give_up:
            return ClusterError(
                f"the scheduler at {address_of(client)} has cancelled what was to be calculated, "
                "as client.restart() and client.cancel() do; call again"
            )
        time.sleep(POLL_SECONDS)
    return lost_inputs(lost)


def _is_lost(key: Any, client: Client) -> bool:
    state = client.futures.get(key)
    return state is None or state.status in LOST


def _keys_in(data: Any) -> list[Any]:
    """Keys of all futures in data, and of those that the graphs of its collections begin with."""
    if isinstance(data, Future):
        return [data.key]
    if isinstance(data, Mapping):
        data = list(data.values())
    if isinstance(data, list | tuple):
        return list(dict.fromkeys(key for one in data for key in _keys_in(one)))
    if not is_dask_collection(data):
        return []
    graph = dict(data.__dask_graph__())
    tasks = graph.values()
    needed = {key for task in tasks for key in getattr(task, "dependencies", ())} - graph.keys()
    return [*needed, *(task.key for task in tasks if isinstance(task, Future))]


def lost_inputs(keys: Sequence[Any]) -> ClusterError:
    """The error for data that were scattered, and died with the only worker that had them."""
    what = "the frame of future" if len(keys) == 1 else "the frames of the futures"
    return ClusterError(
        f"{what} {shorten(map(repr, keys))} {'was' if len(keys) == 1 else 'were'} lost: scattered "
        "to a worker that died, or cancelled; give paths, or futures of functions, which are "
        "calculated again, or scatter with broadcast=True"
    )
