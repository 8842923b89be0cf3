"""The verdict on a run, from its record: also from records of older versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tidemill.model.counts import counted
from tidemill.model.verdict import Outcome, Verdict
from tidemill.storage.record import SHOWN_ALREADY, RunRecord

__all__ = ["verdict_of", "verdict_of_summary", "warnings_of"]

_OUTCOMES: Mapping[str, Outcome] = {
    "finished": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "running": "Running",
}


def verdict_of(record: RunRecord) -> Verdict:
    """The verdict on the run that left a record.

    Examples
    --------
    >>> broken = RunRecord("a", "2030-01-01", state="failed", message="InputError: no file")
    >>> print(verdict_of(broken).text)
    Failed: InputError: no file
    >>> parts = {"total": 1, "quarantined": 2}
    >>> done = RunRecord("a", "2030-01-01", state="finished", rows=8, columns=10, parts=parts)
    >>> print(verdict_of(done).text)
    Completed, 1 warning: 2 of 10 series quarantined
    """
    outcome = _OUTCOMES.get(record.state, "Failed")
    if outcome != "Completed":
        return Verdict(outcome, record.message)
    if record.interval is None and SHOWN_ALREADY in record.notes and not record.calculated:
        return Verdict("Skipped", f"unchanged: {SHOWN_ALREADY}", warnings_of(record))
    return Verdict(outcome, _done(record), warnings_of(record))


def verdict_of_summary(summary: Mapping[str, Any]) -> Verdict:
    """The verdict on a run that published its result, from its summary as JSON values."""
    said, _, reason = summary["verdict"].partition(": ")
    outcome: Outcome = "Skipped" if said.startswith("Skipped") else "Completed"
    return Verdict(outcome, reason, tuple(summary["warnings"]))


def warnings_of(record: RunRecord) -> tuple[str, ...]:
    """What a run that published its result warns of.

    Of an interval, these are the checks above their limits.
    """
    found = _of_checks(record.acceptance) if record.acceptance else _of_result(record)
    return tuple(found)


def _done(record: RunRecord) -> str:
    size = f"{counted(record.rows, 'row')} of {counted(record.columns, 'column')}"
    return f"{record.interval_label}: {size}" if record.interval else size


def _of_checks(acceptance: Mapping[str, Any]) -> Iterator[str]:
    for finding in acceptance.get("checks", ()):
        # Records of version 0.1.0 have the fact and the limit in one sentence.
        yield finding.get("fact") or finding["sentence"].rpartition("; more than ")[0]


def _of_result(record: RunRecord) -> Iterator[str]:
    if quarantined := record.parts.get("quarantined", 0):
        yield f"{quarantined:,} of {counted(record.rows + quarantined, 'series')} quarantined"
    if failed := sum(one.count for one in record.errors):
        cells = counted(record.rows * record.columns, "cell")
        are = "is" if failed == 1 else "are"
        yield f"{failed:,} of {cells} {are} NaN because their calculator failed"
    if record.bad_files:
        yield counted(
            len(record.bad_files),
            "input file could not be read and was left out",
            "input files could not be read and were left out",
        )
