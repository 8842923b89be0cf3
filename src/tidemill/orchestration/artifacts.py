"""What a run shows on its page of Prefect's UI: how far it is, its report, a link to its output.

Nothing here fails a run: its result is the table, not what is said of it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)

from tidemill.model.logs import engine_log
from tidemill.model.progress import Board, subscribe
from tidemill.orchestration.lost_server import is_silent, limited
from tidemill.reports.markdown import escaped, href

__all__ = ["live_progress", "show_report"]

log = engine_log(__name__)

#: Seconds between two updates of a progress: a call of the API each, however many parts there are.
UPDATE_SECONDS = 2.0
#: Seconds between two looks at what there is to show.
LOOK_SECONDS = 0.1
#: Seconds that the end of a run waits for a server that does not answer.
PATIENCE_SECONDS = 5.0


def show_report(text: str, sink: str) -> None:
    """Put a report in Markdown and a link to the output on the run's page."""
    _try(
        create_markdown_artifact,
        text,
        key=_key("report", sink),
        description=f"Report on {escaped(sink)}",
    )
    _link(sink)


def _link(sink: str) -> None:
    _try(
        create_link_artifact, href(sink), link_text=escaped(sink), key=_key("output", sink),
        description="The output",
    )  # fmt: skip


@contextmanager
def live_progress(sink: str) -> Iterator[Board]:
    """A board whose state is a progress artifact on the run's page.

    A thread updates the artifact, so that a slow server delays nothing. There is no artifact before
    something is expected.
    """
    board, ended = Board(), threading.Event()
    show = _Shown(board, sink).keep_current
    thread = threading.Thread(
        target=copy_context().run, args=(show, ended), name="tidemill-progress", daemon=True
    )
    thread.start()
    try:
        with subscribe(board.on_progress):
            yield board
    finally:
        ended.set()
        thread.join(PATIENCE_SECONDS)


class _Shown:
    """The artifact of a board."""

    def __init__(self, board: Board, sink: str) -> None:
        self._board = board
        self._sink = sink
        self._id: UUID | None = None
        self._last: tuple[float, str] = (0.0, "")

    def keep_current(self, ended: threading.Event) -> None:
        """Show the board's state until the run has ended, and then its last one."""
        due = time.monotonic()
        while not ended.wait(LOOK_SECONDS):
            if time.monotonic() >= due and self._show():
                due = time.monotonic() + UPDATE_SECONDS
        self._show()

    def _show(self) -> bool:
        """Show the state if it is new; whether that took a call."""
        state = (round(100 * self._board.share, 1), self._board.text)
        if state == self._last or not state[1]:
            return False
        self._last = state
        percent, text = state
        if self._id is None:
            key = _key("progress", self._sink)
            self._id = _try(create_progress_artifact, percent, key=key, description=text)
        else:
            _try(update_progress_artifact, self._id, percent, description=text)
        return True


def _try(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The result of the call, or None: a missing artifact never fails a run."""
    level = logging.DEBUG if is_silent() else logging.WARNING  # once for each silence
    try:
        return limited(call, *arguments, **options)
    except Exception as error:  # noqa: BLE001  whatever the server says
        what = f"{type(error).__name__}: {error}"
        log.log(level, "an artifact of the run's page could not be written: %s", what)
        return None


def _key(what: str, sink: str) -> str:
    """A key as Prefect allows them: it groups what the runs of a table show.

    Examples
    --------
    >>> _key("report", "s3://bucket/My Table.parquet")
    'tidemill-report-my-table-parquet'
    """
    name = sink.rstrip("/").rpartition("/")[2].lower()
    return "-".join(["tidemill", what, *re.findall("[a-z0-9]+", name)])
