"""The guard of a flow: with the server that Prefect embeds in its process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.execution.guard import guarded, register_process

__all__ = ["guarded_flow"]


@contextmanager
def guarded_flow() -> Iterator[None]:
    """Guard a flow; Prefect has started its embedded server before the flow begins."""
    with guarded():
        for pid in _embedded_servers():
            register_process(pid)
        yield


def _embedded_servers() -> list[int]:
    """Pids of the servers that this process has started and will end with it."""
    module = sys.modules.get("prefect.server.api.server")  # takes seconds to import in vain
    kind = getattr(module, "SubprocessASGIServer", None)
    processes = [one.server_process for one in getattr(kind, "_instances", {}).values()]
    return [one.pid for one in processes if one is not None]
