"""Runs over intervals in this process: without Prefect and without Dask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tidemill.execution.in_process import extract_here
from tidemill.execution.job import OnEnd
from tidemill.execution.ordered_pool import Turn
from tidemill.model.progress import Board, subscribe
from tidemill.planning.request import Request
from tidemill.recurring.backfill import BackfillRun, check_finished, chosen_intervals
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.latest import LatestRun, OpenRunner, Runner, own_interval
from tidemill.recurring.reports import BackfillReport, LatestReport

__all__ = ["backfill_here", "latest_here"]


def latest_here(
    request: Request, calendar: Calendar, given: Mapping[str, Any], on_end: OnEnd | None = None
) -> LatestReport:
    """Calculate the latest closed interval, and earlier ones whose data changed.

    Parameters
    ----------
    request, calendar, given : of the run
    on_end : told of the job of each interval that has ended

    Raises
    ------
    TidemillError
        As :meth:`tidemill.recurring.latest.LatestRun.carry_out`.
    """
    last = own_interval(calendar, given)
    with _board() as board:
        return LatestRun(request, calendar, last, _runner(given, on_end), board, given).carry_out()


def backfill_here(
    request: Request, calendar: Calendar, given: Mapping[str, Any], on_end: OnEnd | None = None
) -> BackfillReport:
    """Calculate the intervals between two times that are missing or whose data changed.

    Parameters
    ----------
    request, calendar, given : of the run
    on_end : told of the job of each interval that has ended

    Raises
    ------
    BackfillError
        If some failed; the others are published.
    """
    chosen = chosen_intervals(calendar, given)
    with _board() as board:
        run = BackfillRun(request, calendar, chosen, _runner(given, on_end), board, given)
        return check_finished(run.carry_out())


@contextmanager
def _board() -> Iterator[Board]:
    board = Board()
    with subscribe(board.on_progress):
        yield board


def _runner(given: Mapping[str, Any], on_end: OnEnd | None) -> OpenRunner:
    """What calculates intervals in this process."""

    def run(request: Request, turn: Turn | None) -> dict[str, Any]:
        wait = given["wait_for_sink"]
        return extract_here(request, wait_for_sink=wait, turn=turn, on_end=on_end).to_json()

    @contextmanager
    def opened() -> Iterator[Runner]:
        yield run

    return opened
