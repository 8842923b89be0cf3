"""Reports of runs over intervals: flows return them as JSON, and pages are made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tidemill.errors import shorten
from tidemill.model.counts import counted
from tidemill.model.verdict import Verdict
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import Finding
from tidemill.recurring.intervals import local_text
from tidemill.recurring.older_input import OlderInput
from tidemill.recurring.unpublished import NeedsBackfill

__all__ = ["BackfillReport", "BackfillRow", "FindingRow", "LatestReport", "bad_files_of"]

#: A run's summary as JSON values, see :class:`tidemill.execution.records.RunSummary`.
Summary = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What was found for one interval."""

    interval: str  # name of its partition
    label: str  # the same for people
    start: str  # local, with its offset
    state: str
    reason: str

    @classmethod
    def of(cls, calendar: Calendar, finding: Finding, error: Exception | None = None) -> FindingRow:
        """The row of a finding; of one that was due and failed, with the error."""
        interval = finding.interval
        start = local_text(calendar, interval.start)
        state, reason = finding.state, finding.reason
        if error is not None:
            return cls(
                interval.name, interval.label, start, "failed",
                f"{type(error).__name__}: {error} (it was {state}: {reason})",
            )  # fmt: skip
        return cls(interval.name, interval.label, start, state, reason)


@dataclass(frozen=True, slots=True)
class LatestReport:
    """What a recurring run found and did."""

    interval: str  # name of the partition that the run is for
    label: str  # the same for people
    sink: str
    findings: Sequence[FindingRow]
    summaries: Sequence[Summary]  # of the calculated intervals
    holes: NeedsBackfill  # older intervals that were never published
    outdated: NeedsBackfill  # older intervals with different settings
    bad_files: Sequence[Mapping[str, str]] = ()  # {path, reason}, left out of the input
    vanished: Sequence[str] = ()  # labels of published intervals without input rows
    older: OlderInput = field(
        default_factory=OlderInput
    )  # than the first interval, if this run made that
    warns_of_holes: bool = True  # unless windows without rows are to be skipped

    @property
    def verdict(self) -> Verdict:
        """The verdict on the run; its own interval comes first."""
        own = self.findings[-1]
        done = {summary["interval"]: summary for summary in self.summaries}
        earlier = len(done.keys() - {own.interval})
        others = f"; {counted(earlier, 'earlier interval')} calculated" if earlier else ""
        if own.interval in done:
            made = done[own.interval]
            size = f"{counted(made['rows'], 'row')} of {counted(made['columns'], 'column')}"
            return Verdict("Completed", f"{own.label}: {size}{others}", tuple(self._warnings()))
        why = f"{own.label} is {own.state}: {own.reason}{others}"
        is_skipped = own.state == "empty" or not done
        return Verdict("Skipped" if is_skipped else "Completed", why, tuple(self._warnings()))

    def _warnings(self) -> Iterator[str]:
        for summary in reversed(self.summaries):
            is_own = summary["interval"] == self.interval
            yield from _said_of(summary, "" if is_own else summary["interval_label"])
        if self.vanished:
            yield f"all input rows of published intervals are gone: {shorten(self.vanished, 3)}"
        if self.holes.count and self.warns_of_holes:
            yield f"{counted(self.holes.count, 'older interval')} never published"

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return _with_verdict(asdict(self), self.verdict)


@dataclass(frozen=True, slots=True)
class BackfillRow:
    """What happened to one interval of a backfill."""

    interval: str  # name of its partition
    label: str  # the same for people
    start: str  # local, with its offset
    state: str
    reason: str
    result: str  # "due", "skipped", "refused"; after the work "published" or "failed"
    rows: int | None = None  # published
    digest: str | None = None
    warnings: Sequence[str] | None = None

    @classmethod
    def planned(cls, calendar: Calendar, finding: Finding) -> BackfillRow:
        """The row before the interval is processed."""
        found = FindingRow.of(calendar, finding)
        result = "refused" if finding.state == "refused" else "skipped"
        result = "due" if finding.is_due else result
        return cls(found.interval, found.label, found.start, found.state, found.reason, result)


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What a backfill did, or would do."""

    sink: str
    dry_run: bool
    intervals: Sequence[BackfillRow]
    bad_files: Sequence[Mapping[str, str]] = ()  # {path, reason}, left out of the input

    @property
    def failed(self) -> list[BackfillRow]:
        """The intervals that should have been published and were not."""
        return [row for row in self.intervals if row.result in {"failed", "refused"}]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the backfill: how many intervals came to which end."""
        counts = Counter(row.result for row in self.intervals)
        said = ", ".join(f"{count:,} {result}" for result, count in counts.items())
        said = said or "no closed interval in this range"
        if self.failed and not self.dry_run:
            first = self.failed[0]
            return Verdict("Failed", f"{said}; first {first.label}: {first.reason}")
        warnings = tuple(
            f"{row.label}: {one}" for row in self.intervals for one in row.warnings or ()
        )
        is_skipped = not self.dry_run and not counts["published"]
        return Verdict("Skipped" if is_skipped else "Completed", said, warnings)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; rows, digests and warnings only if there are any."""
        rows = (asdict(row) for row in self.intervals)
        shown = [{name: value for name, value in row.items() if value is not None} for row in rows]
        values = {
            "sink": self.sink,
            "dry_run": self.dry_run,
            "intervals": shown,
            "bad_files": list(self.bad_files),
        }
        return _with_verdict(values, self.verdict)


def bad_files_of(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """The files that the windows of intervals lack, each once, as JSON values."""
    found = {path: reason for finding in findings for path, reason in finding.bad_files}
    return [{"path": path, "reason": reason} for path, reason in sorted(found.items())]


def _said_of(summary: Summary, label: str) -> Iterator[str]:
    """The warnings of a summary, behind the label of its interval if one is given."""
    for one in summary["warnings"]:
        yield f"{label}: {one}" if label else one


def _with_verdict(values: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
    said = {"verdict": verdict.text, "warnings": verdict.warnings}
    found: dict[str, Any] = _json({**said, **values})
    return found


def _json(value: Any) -> Any:
    """Tuples as lists."""
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    return [_json(one) for one in value] if isinstance(value, list | tuple) else value
