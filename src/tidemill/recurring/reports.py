"""Reports of runs over intervals: flows return them as JSON, and pages are made from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import Finding
from tidemill.recurring.intervals import local_text
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
    def of(cls, calendar: Calendar, finding: Finding) -> FindingRow:
        """The row of a finding."""
        start = local_text(calendar, finding.interval.start)
        return cls(
            finding.interval.name, finding.interval.label, start, finding.state, finding.reason
        )


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

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        found: dict[str, Any] = _json(asdict(self))
        return found


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

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; rows and digests only if there are any."""
        rows = (asdict(row) for row in self.intervals)
        shown = [{name: value for name, value in row.items() if value is not None} for row in rows]
        return {
            "sink": self.sink,
            "dry_run": self.dry_run,
            "intervals": shown,
            "bad_files": list(self.bad_files),
        }


def bad_files_of(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """The files that the windows of intervals lack, each once, as JSON values."""
    found = {path: reason for finding in findings for path, reason in finding.bad_files}
    return [{"path": path, "reason": reason} for path, reason in sorted(found.items())]


def _json(value: Any) -> Any:
    """Tuples as lists."""
    if isinstance(value, dict):
        return {name: _json(one) for name, one in value.items()}
    return [_json(one) for one in value] if isinstance(value, list | tuple) else value
