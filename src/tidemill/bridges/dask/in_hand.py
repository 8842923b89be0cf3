"""Which task each thread of the workers has in hand, told to the scheduler.

Dask starts a task again whose worker died, and a worker cannot see that it was begun before. So a
thread leaves the task's key in the scheduler's metadata, in a slot of its own: a key that stands in
another slot was begun by a thread that did not come to its end. Slots are used again, so the
metadata stay small however many tasks there are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Worker, get_worker
from distributed.utils import sync

from tidemill.model.logs import engine_log

__all__ = ["in_hand"]

log = engine_log(__name__)

#: The entry of the scheduler's metadata.
TABLE = "tidemill-in-hand"
#: Seconds for the scheduler to answer; without an answer the task goes on unmarked.
ANSWER_SECONDS = 10.0


@contextmanager
def in_hand() -> Iterator[bool]:
    """Mark the task of this thread as begun; whether a worker died that had begun it before.

    Outside of a Dask worker nothing is marked.
    """
    try:
        worker = get_worker()
        key = str(worker.get_current_task())
    except ValueError:
        yield False
        return
    slot = f"{worker.address}#{threading.get_ident()}"
    table = _call(worker, "get_metadata", keys=[TABLE], default={}) or {}
    dead = [other for other, begun in table.items() if begun == key and other != slot]
    _call(worker, "set_metadata", keys=[TABLE, slot], value=key)
    try:
        yield bool(dead)
    finally:
        for one in [slot, *dead]:
            _call(worker, "set_metadata", keys=[TABLE, one], value=None)


def _call(worker: Worker, name: str, **arguments: Any) -> Any:
    try:
        question = getattr(worker.scheduler, name)
        return sync(worker.loop, question, callback_timeout=ANSWER_SECONDS, **arguments)
    except Exception as error:  # noqa: BLE001  a mark that is missing costs a worker at most
        log.debug("the scheduler did not take %s: %s", name, error)
        return None
