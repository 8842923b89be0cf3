"""Jobs without Prefect and Dask, for tests of the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tidemill.execution.job import Job
from tidemill.planning.request import make_request
from tidemill.storage.markers import Attempt
from tidemill.storage.processes import Process
from tidemill.storage.run_address import Run

from .inputs import Input


@contextmanager
def opened(series: Input, sink: Path, **more: Any) -> Iterator[Job]:
    """A job that owns its sink and has recorded its plan."""
    arguments = {"settings": "minimal", **series.arguments, **more}
    with Job.open(make_request(arguments.pop("source"), sink, **arguments)) as job:
        yield job


def leave_dead_attempt(run: Run, index: int) -> None:
    """The mark of a process of this host that died while it worked on a part."""
    me = Process.current()
    dead = Process(me.host, me.pid, started=0.0)
    attempt = Attempt(run.key.attempt(index), index, dead, run.generation, run.run_id, began=0.0)
    run.key.state.write(attempt.path, json.dumps(asdict(attempt)).encode())
