"""A backfill: calculate the intervals of a time span that are missing or out of date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tidemill.errors import BackfillError
from tidemill.execution.job import stop_jobs
from tidemill.execution.ordered_pool import Turn, in_turns
from tidemill.model.interval import Interval
from tidemill.model.logs import engine_log
from tidemill.model.progress import Board
from tidemill.planning.request import Request
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import (
    Finding,
    examine_all,
    settle_failures,
    update_file_list,
)
from tidemill.recurring.intervals import between, is_closed
from tidemill.recurring.latest import OpenRunner, Runner, request_for
from tidemill.recurring.reports import BackfillReport, BackfillRow, bad_files_of
from tidemill.recurring.retry import log_failure, with_retries
from tidemill.recurring.table_checks import check_table

__all__ = ["BackfillRun", "check_finished", "chosen_intervals"]

log = engine_log(__name__)


def chosen_intervals(
    calendar: Calendar, given: Mapping[str, Any], now: datetime | None = None
) -> list[Interval]:
    """The closed intervals that a backfill is about, in the order in which to process them.

    Parameters
    ----------
    calendar : how time is divided
    given : the parameters of the run
    now : until when intervals are closed; None: now

    Raises
    ------
    ArgumentError
        As :func:`tidemill.recurring.intervals.between`.
    """
    now = now or datetime.now(UTC)
    span = between(calendar, given["start"], given["end"])
    chosen = [one for one in span if is_closed(calendar, one, now)]
    return chosen[::-1] if given["order"] == "newest first" else chosen


def check_finished(report: BackfillReport) -> BackfillReport:
    """The report of a backfill of which no interval failed.

    Raises
    ------
    BackfillError
        If some failed; a dry run has not tried any.
    """
    if report.failed and not report.dry_run:
        raise BackfillError(
            f"{report.verdict.reason}. The others are published; run again for the rest"
        )
    return report


@dataclass(frozen=True, slots=True)
class BackfillRun:
    """One backfill."""

    request: Request
    calendar: Calendar
    intervals: Sequence[Interval]  # in the order in which to process them
    open_runner: OpenRunner
    board: Board
    given: Mapping[str, Any]  # parameters of the door, completed

    def carry_out(self) -> BackfillReport:
        """Examine the intervals, and, except in a dry run, calculate those that are due.

        If an interval fails, the others are still calculated.

        Raises
        ------
        SettingsError, SinkError
            If the request does not fit the table.
        """
        dry_run = self.given["dry_run"]
        if not self.request.validated:
            check_table(self.request, self.calendar)
        recalculated = self.intervals if self.given["recalculate"] else ()
        concurrency = self.given["concurrency"]
        findings = examine_all(self.request, self.intervals, recalculated, concurrency)
        rows = [BackfillRow.planned(self.calendar, finding) for finding in findings]
        for row in rows:
            log.info("interval %s: %s, %s", row.label, row.result, row.reason)
        if not dry_run:
            done = self._calculate([finding for finding in findings if finding.is_due], findings)
            rows = [done.get(row.interval, row) for row in rows]
        return BackfillReport(self.request.sink, dry_run, rows, bad_files_of(findings))

    def _calculate(
        self, due: Sequence[Finding], findings: Sequence[Finding]
    ) -> dict[str, BackfillRow]:
        """Calculate the intervals that are due; what happened to each, by name."""
        for finding in findings:
            update_file_list(self.request, finding)
        settle_failures(self.request, findings)
        self.board.expect(finding.interval.name for finding in due)
        if not due:
            return {}

        def work(finding: Finding, turn: Turn) -> BackfillRow:
            row = self._calculate_one(finding, run, turn)
            self.board.finish(finding.interval.name)
            return row

        def stop() -> None:
            stop_jobs(self.request.sink, "the backfill was stopped")

        with self.open_runner() as run:
            done = in_turns(work, due, self.given["concurrency"], stop)
        return {row.interval: row for row in done}

    def _calculate_one(self, finding: Finding, run: Runner, turn: Turn) -> BackfillRow:
        """Calculate an interval that is due; what happened to it."""
        row = BackfillRow.planned(self.calendar, finding)
        retries, delay = self.given["retries"], self.given["retry_delay_seconds"]
        about = request_for(self.request, finding)
        try:
            summary = with_retries(lambda: run(about, turn), retries, delay, turn.sleep)
        except Exception as error:
            if turn.stopped.is_set():  # not every CancelledError: a lost Dask future raises one too
                raise
            log_failure(log, row.label, error)
            return replace(row, result="failed", reason=f"{type(error).__name__}: {error}")
        log.info("interval %s: published, %d rows", row.label, summary["rows"])
        return replace(
            row,
            result="published",
            rows=summary["rows"],
            digest=summary["digest"],
            warnings=list(summary["warnings"]) or None,
        )
