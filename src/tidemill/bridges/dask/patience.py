"""Waiting for a cluster with a limit: a scheduler that is lost, or without workers, is an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from distributed import Client

from tidemill.errors import ArgumentError, ClusterError, TidemillError
from tidemill.orchestration import scheduler_calls, worker_watch
from tidemill.orchestration.scheduler_calls import address_of, workers_of

__all__ = ["Patience", "client_of"]


def client_of(client: Client | None) -> Client:
    """The client that is given, that of the worker that this runs on, or the process's default.

    Raises
    ------
    ArgumentError
        If there is none, or it is of a kind that cannot be waited for.
    ClusterError
        If it has lost its scheduler.
    """
    from distributed import get_client

    if client is None:
        try:
            client = get_client()
        except ValueError as error:
            raise ArgumentError(
                "client=None, and there is no Dask client that is the default here; make one, "
                'as in client = distributed.Client("tcp://host:port"), or give it as client'
            ) from error
    if not isinstance(client, Client):
        raise ArgumentError(f"client={client!r} is not allowed; give a distributed.Client")
    if client.asynchronous:
        raise ArgumentError(
            "client is asynchronous, and this function is not; give one that was made with "
            "asynchronous=False"
        )
    if client.status in {"closing", "closed"}:
        raise _lost(address_of(client), "is no longer known to this client, which is closed")
    return client


def _lost(address: str, how: str) -> ClusterError:
    return ClusterError(
        f"the scheduler at {address} {how}; start it and its workers, connect anew and call again"
    )


@dataclass(slots=True)
class Patience:
    """Looks now and then whether anybody is there who could finish what is waited for."""

    client: Client
    threads: int = 0  # of all workers, at the last look
    _address: str = ""
    _looked: float = float("-inf")
    _answered: float = field(default_factory=time.monotonic)
    _had_workers: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._address = address_of(self.client)

    @property
    def is_reconnecting(self) -> bool:
        """Whether the client has lost the scheduler and still tries to find it again."""
        return str(self.client.status) == "connecting"

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn what a client raises that has lost its scheduler into the error for that."""
        try:
            yield
        except TidemillError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if self.client.status not in {"connecting", "closing", "closed"}:
                raise
            raise _lost(self._address, "was lost") from error

    def look(self) -> None:
        """Look, unless that was done a moment ago.

        Raises
        ------
        ClusterError
            If the scheduler is lost, or there has been no worker for too long.
        """
        if self.client.status in {"closing", "closed"}:
            raise _lost(self._address, "was lost")
        if time.monotonic() - self._looked < worker_watch.LOOK_SECONDS:
            return
        try:
            threads = sum(one["nthreads"] for one in workers_of(self.client).values())
        except (OSError, ClusterError) as error:
            silent = time.monotonic() - self._answered
            if silent > scheduler_calls.SCHEDULER_SECONDS:
                raise _lost(self._address, f"has not answered for {silent:.0f} s") from error
        else:
            self._count(threads)
        self._looked = time.monotonic()

    def _count(self, threads: int) -> None:
        now = self._answered = time.monotonic()
        self.threads = threads
        if threads:
            self._had_workers = now
        elif now - self._had_workers > worker_watch.NO_WORKER_SECONDS:
            raise ClusterError(
                f"the scheduler at {self._address} has had no worker for "
                f"{worker_watch.NO_WORKER_SECONDS:.0f} s; start one with: dask worker "
                f"{self._address}"
            )
