"""A cluster that stays open from call to call, in a thread of its own.

What opens a cluster changes settings for its context, and takes them back when it closes: both
happen in that thread, whichever threads call meanwhile.
"""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack
from typing import Self

from distributed import Client
from prefect.context import FlowRunContext

from tidemill.execution.at_exit import call_before_threads_end
from tidemill.orchestration.cluster import ClusterSpec
from tidemill.orchestration.server import start_server
from tidemill.orchestration.task_runners import client_of, one_api, shared_cluster

__all__ = ["OpenCluster"]

#: Seconds in which a cluster has to close. Its own parts have limits that are shorter.
CLOSE_SECONDS = 40.0

_open: weakref.WeakSet[OpenCluster]


class OpenCluster:
    """A cluster between its opening and its end, and a client of it."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._asked = spec
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._hold, daemon=True, name="tidemill-cluster")
        self.spec = spec  # where it is reached
        self.client: Client

    @classmethod
    def open(cls, spec: ClusterSpec) -> Self:
        """Start the cluster, or connect to the one that is there.

        Raises
        ------
        ClusterError
            If that is not possible.
        ServerError
            If Prefect's server does not answer.
        """
        if FlowRunContext.get() is None:
            start_server()
        opened = cls(spec)
        _open.add(opened)
        opened._thread.start()
        try:
            opened._ready.wait()
        except BaseException:
            opened.close()
            raise
        if opened._error is not None:
            raise opened._error
        return opened

    @property
    def is_alive(self) -> bool:
        """Whether the client is still connected."""
        return self._thread.is_alive() and self.client.status == "running"

    def close(self) -> None:
        """End what was started: processes, ports, folders. Nothing happens the second time."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _hold(self) -> None:
        try:
            with ExitStack() as stack:
                self.spec = stack.enter_context(shared_cluster(self._asked))
                runner = stack.enter_context(stack.enter_context(one_api(self.spec)))
                self.client = client_of(runner, self.spec)
                self._ready.set()
                self._stop.wait()
        except BaseException as error:  # noqa: BLE001  raised where the cluster is opened
            self._error = error
        finally:
            self._ready.set()


_open = weakref.WeakSet()


def _close_all() -> None:
    for one in list(_open):
        one.close()


call_before_threads_end(_close_all)
