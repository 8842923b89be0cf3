"""A recurring run: the latest closed interval, and earlier ones whose data changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tidemill.errors import IntervalsError, NoRowsError
from tidemill.execution.ordered_pool import Turn
from tidemill.model.counts import counted
from tidemill.model.interval import Interval
from tidemill.model.logs import engine_log
from tidemill.model.progress import Board
from tidemill.planning.request import Request
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.drop_intervals import without_dropped
from tidemill.recurring.examine import (
    Finding,
    examine_all,
    settle_failures,
    update_file_list,
)
from tidemill.recurring.intervals import candidates, find_interval, last_closed
from tidemill.recurring.older_input import OlderInput, older_input
from tidemill.recurring.reports import FindingRow, LatestReport, Summary, bad_files_of
from tidemill.recurring.retry import is_retryable, log_failure, with_retries
from tidemill.recurring.table_checks import (
    check_findings,
    check_table,
    check_vanished,
    vanished,
)
from tidemill.recurring.unpublished import (
    needs_backfill,
    outdated_intervals,
    unpublished_intervals,
)
from tidemill.storage.intervals import interval_names
from tidemill.storage.layout import SinkLayout

__all__ = ["LatestRun", "OpenRunner", "Runner", "own_interval", "request_for"]

log = engine_log(__name__)

#: Carries out a request for one interval, in its turn, and returns the summary as JSON values.
Runner = Callable[[Request, Turn | None], Summary]
#: Opens a runner while it is needed; a run with nothing to do never opens one.
OpenRunner = Callable[[], AbstractContextManager[Runner]]

#: Seconds between checks of a window that has no rows yet.
EMPTY_SECONDS = 30.0


def own_interval(
    calendar: Calendar, given: Mapping[str, Any], due: datetime | None = None
) -> Interval:
    """The interval that a recurring run is about: a retry or a late start is about the same.

    Parameters
    ----------
    calendar : how time is divided
    given : the parameters of the run
    due : when the run was to start; None: now
    """
    if given["interval_start"] is not None:
        return find_interval(calendar, given["interval_start"])
    return last_closed(calendar, due or datetime.now(UTC))


@dataclass(slots=True)
class LatestRun:
    """One recurring run, and what it has found and done so far, over all attempts."""

    request: Request
    calendar: Calendar
    last: Interval  # the one the run is for
    open_runner: OpenRunner
    board: Board
    given: Mapping[str, Any]  # parameters of the door, completed
    findings: list[Finding] = field(default_factory=list)  # of the last attempt, oldest first
    made: list[tuple[Finding, Summary]] = field(default_factory=list)  # by all attempts
    failed: list[tuple[Finding, Exception]] = field(default_factory=list)  # in the last attempt

    def carry_out(self) -> LatestReport:
        """Examine the intervals, calculate those that are due, and report.

        Raises
        ------
        NoRowsError
            If the interval's window is empty and ``on_empty`` does not allow that.
        CheckError
            If the rows of published intervals are gone.
        SettingsError, SinkError
            If the request does not fit the table.
        IntervalsError
            If several intervals were due and some failed.
        """
        retries, delay = self.given["retries"], self.given["retry_delay_seconds"]
        return with_retries(self._attempt, retries, delay)

    def report(self) -> LatestReport:
        """Report what was found and done so far."""
        looked_at = [finding.interval for finding in self.findings]
        calculated = {finding.interval: finding for finding, _ in self.made}
        latest = [calculated.get(finding.interval, finding) for finding in self.findings]
        failed = {finding.interval.name: error for finding, error in self.failed}
        unpublished = unpublished_intervals(self.request, self.calendar, looked_at)
        warns = self.given["on_empty"] != "skip"  # else each may have had no rows
        if unpublished:
            level = logging.WARNING if warns else logging.INFO
            log.log(level, "%d older intervals were never published", len(unpublished))
        outdated = outdated_intervals(self.request, self.calendar, looked_at)
        about = self.request, self.given, self.calendar
        return LatestReport(
            interval=self.last.name,
            label=self.last.label,
            sink=self.request.sink,
            findings=[
                FindingRow.of(self.calendar, one, failed.get(one.interval.name)) for one in latest
            ],
            summaries=[summary for _, summary in self.made],
            holes=needs_backfill(*about, unpublished),
            outdated=needs_backfill(*about, outdated),
            bad_files=bad_files_of(latest),
            vanished=vanished(latest),
            older=self._older_input(),
            warns_of_holes=warns,
        )

    def _older_input(self) -> OlderInput:
        """Input before the table's first intervals, if it was this run that made them."""
        layout = SinkLayout.of(self.request.sink, self.request.storage_options)
        made = {finding.interval.name: finding.interval for finding, _ in self.made}
        if not made or set(interval_names(layout)) - made.keys():
            return OlderInput()
        return older_input(self.request, self.given, self.calendar, made[min(made)])

    def so_far(self) -> dict[str, Any] | None:
        """The report as JSON values, of a run that failed; None if it has found nothing yet."""
        return self.report().to_json() if self.findings else None

    def _attempt(self) -> LatestReport:
        self.failed.clear()
        try:
            self.findings = self._wait_for_rows()
            due = [finding for finding in self.findings if finding.is_due]
            self.board.expect(finding.interval.name for finding in due)
            self._calculate(due)
        finally:  # what was checked before this attempt need not hold at the next one
            self.request = replace(self.request, validated=False)
        check_vanished(self.request, self.findings)
        return self.report()

    def _wait_for_rows(self) -> list[Finding]:
        """Examine the intervals; repeat until the last one has rows if ``on_empty`` is "wait"."""
        on_empty, max_wait = self.given["on_empty"], self.given["max_wait"]
        began = time.monotonic()
        while True:
            findings = self._examine()
            if findings[-1].state != "empty" or on_empty == "skip":
                return findings
            waited = time.monotonic() - began
            if on_empty == "fail" or waited >= max_wait:
                raise NoRowsError(
                    f"interval {findings[-1].interval.label}: {findings[-1].reason}, after "
                    f"{waited:.0f} s; nothing was changed. Provide the data, or choose "
                    "on_empty='skip'"
                )
            time.sleep(min(EMPTY_SECONDS, max_wait - waited))

    def _examine(self) -> list[Finding]:
        """What to do about the interval and earlier ones, oldest first."""
        if not self.request.validated:
            check_table(self.request, self.calendar)
        recalculated = [self.last] if self.given["recalculate"] else ()
        found = examine_all(self.request, self._candidates(), recalculated)
        for finding in found:
            update_file_list(self.request, finding)
            log.info("interval %s: %s, %s", finding.interval.label, finding.state, finding.reason)
        settle_failures(self.request, found)
        check_findings(found)
        return found

    def _candidates(self) -> list[Interval]:
        """The intervals to look at: the last one, and earlier ones that were not dropped."""
        layout = SinkLayout.of(self.request.sink, self.request.storage_options)
        earlier = candidates(self.calendar, self.last)[:-1]
        return [*without_dropped(layout, earlier), self.last]

    def _calculate(self, due: Sequence[Finding]) -> None:
        """Calculate what is due; if an interval fails, continue with the others."""
        if not due:
            return
        with self.open_runner() as run:
            for finding in due:
                try:
                    summary = run(request_for(self.request, finding), None)
                except Exception as error:
                    self.failed.append((finding, error))
                    if len(due) == 1:
                        raise
                    log_failure(log, finding.interval.label, error)
                else:
                    self.made.append((finding, summary))
                    self.board.finish(finding.interval.name)
        if self.failed:
            raise _error_to_raise(self.failed, len(due))


def request_for(request: Request, finding: Finding) -> Request:
    """The request for an interval that is due."""
    return replace(
        request,
        interval=finding.interval,
        examined=finding.source,
        recalculates=finding.replaces if finding.state == "recalculated" else "",
        reason=finding.reason,
    )


def _error_to_raise(failed: Sequence[tuple[Finding, Exception]], due: int) -> Exception:
    """A retryable error if there is one; otherwise one that names the first failure."""
    for _, error in failed:
        if is_retryable(error):
            return error
    finding, error = failed[0]
    summed_up = IntervalsError(
        f"{len(failed)} of {counted(due, 'interval')} failed, first {finding.interval.label}: "
        f"{type(error).__name__}: "
        f"{error}. The others are published; the next run tries these again"
    )
    summed_up.__cause__ = error
    return summed_up
