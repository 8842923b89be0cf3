"""Decide which intervals are due, and why.

A published interval is examined in two steps. If the files that overlap its window are the same,
nothing has changed. Otherwise its rows are read once and a digest of them decides, whatever files
they are in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal

from tidemill.execution.ordered_pool import Turn, in_turns
from tidemill.execution.unfinished import unfinished_results
from tidemill.model.counts import counted
from tidemill.model.interval import Interval
from tidemill.model.logs import engine_log
from tidemill.model.policies import OnSettingsChange
from tidemill.model.source import Source
from tidemill.planning.prepare import find_interval_files, look_at_files
from tidemill.planning.quarantine import made_with, why_again
from tidemill.planning.request import Request
from tidemill.planning.settings_change import SettingsChange, settings_change
from tidemill.planning.snapshots import drop_source, reads_database, take_snapshot
from tidemill.sources.files.open import InputLook
from tidemill.sources.files.window_digest import read_window
from tidemill.storage.intervals import (
    IntervalRecord,
    file_identities,
    named_bad_files,
    read_intervals,
    write_interval,
)
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import quarantined_by
from tidemill.storage.table_faults import read_with_faults

__all__ = [
    "REMEDY",
    "Finding",
    "examine",
    "examine_all",
    "settle_failures",
    "update_file_list",
]

log = engine_log(__name__)

State = Literal["unchanged", "missing", "changed", "recalculated", "extended", "empty", "refused"]

#: What to do if settings or policies changed.
REMEDY = (
    "Choose on_settings_change='recalculate', or 'append' if features are only added; or restore "
    "the previous settings and policies, or choose another sink"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What to do about one interval."""

    interval: Interval
    state: State
    reason: str
    replaces: str = ""  # id of the run that published it
    source: Source | None = None  # with its window counted, if its rows were read
    updated_record: IntervalRecord | None = None  # to write: the same rows lie in other files
    bad_files: tuple[tuple[str, str], ...] = ()  # that its window may need: path and reason

    @property
    def is_due(self) -> bool:
        """Whether its rows must be calculated."""
        return self.state in {"missing", "changed", "recalculated", "extended"}


class _Input:
    """The files of an input, looked at once for all intervals whose rows need not be read.

    Whatever is read is looked at anew, right before.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._look: InputLook | None = None
        self._lock = Lock()

    def files_of(self, request: Request) -> Source:
        """The files of an interval's window, as they were at the first question."""
        with self._lock:
            self._look = self._look or look_at_files(self._request)
        return find_interval_files(request, self._look)


def examine(
    request: Request,
    record: IntervalRecord | None,
    *,
    recalculate: bool,
    fault: str = "",
    files: Callable[[Request], Source] = find_interval_files,
) -> Finding:
    """Examine one interval, its rows and the settings it was built with; writes nothing.

    Parameters
    ----------
    request : for the interval
    record : of its published rows; None if there are none
    recalculate : calculate it even if nothing has changed
    fault : why the record, or what the table shows of it, cannot be used
    files : finds those of the window, to compare them with those of the record

    Raises
    ------
    InputError
        If files or columns cannot be used.
    """
    again = "as was asked for" if recalculate else _poison_to_retry(request, record)
    finding = _examine_rows(request, record, files, again=again, fault=fault)
    if record is None or finding.state == "empty":
        return finding
    asked = request.settings.canonical(), request.policies
    change = settings_change(*asked, record, request.interval)
    if not change:
        return finding
    return _with_settings_change(finding, change, request.on_settings_change, record.run_id)


def examine_all(
    request: Request,
    intervals: Sequence[Interval],
    recalculate: Collection[Interval] = (),
    concurrency: int = 1,
) -> list[Finding]:
    """Examine several intervals; those in ``recalculate`` are due even if unchanged.

    So are those whose record is damaged, and those whose rows the table lacks or shows from other
    files than their record names.
    """
    layout = SinkLayout.of(request.sink, request.storage_options)
    known, faults = read_with_faults(layout, [interval.name for interval in intervals])
    files = _Input(request).files_of

    def look(interval: Interval, _turn: Turn) -> Finding:
        about, record = replace(request, interval=interval), known.get(interval.name)
        fault = faults.get(interval.name, "")
        asked = interval in recalculate
        return examine(about, record, recalculate=asked, fault=fault, files=files)

    return in_turns(look, intervals, concurrency)


def _with_settings_change(
    finding: Finding, change: SettingsChange, choice: OnSettingsChange, run_id: str
) -> Finding:
    """What to do about an interval that was built with different settings."""
    why = f"the settings changed: {change.text}"
    if choice == "recalculate":
        state: State = "recalculated" if finding.state == "unchanged" else finding.state
        before = f"{finding.reason}; " if finding.is_due else ""
        return replace(
            finding, state=state, reason=before + why, replaces=run_id, updated_record=None
        )
    if choice == "append" and finding.state == "unchanged" and change.only_gains:
        reason = f"{why}; only these are calculated"
        return replace(
            finding, state="extended", reason=reason, replaces=run_id, updated_record=None
        )
    if finding.is_due and not change.only_gains:
        return replace(finding, state="refused", reason=f"{finding.reason}, but {why}. {REMEDY}")
    return replace(finding, reason=f"{finding.reason}; {why}")


def _examine_rows(
    request: Request,
    record: IntervalRecord | None,
    files: Callable[[Request], Source],
    *,
    again: str,
    fault: str,
) -> Finding:
    """What to do about an interval, judged by its rows alone."""
    interval = request.interval
    assert interval is not None, "the request is for an interval"
    if reads_database(request):
        return _examine_database(request, record, again=again, fault=fault)
    if record is not None and not again and not fault and _has_files(record, files(request)):
        same = "the files that touch its window are the same"
        return Finding(interval, "unchanged", same, bad_files=record.bad_files)
    found = find_interval_files(request)
    same_roles = record is not None and found.columns == record.columns
    source = read_window(found)
    bad = tuple((one["path"], one["reason"]) for one in named_bad_files(source))
    finding = _judged(interval, source, record, again=again, same_roles=same_roles, fault=fault)
    if finding.state == "unchanged" and record is not None:
        now = file_identities(source)
        updated = replace(record, files=now, columns=found.columns, bad_files=bad)
        return replace(finding, updated_record=updated, bad_files=bad)
    return replace(finding, bad_files=bad)


def _has_files(record: IntervalRecord, found: Source) -> bool:
    """Whether a record is about the files that were found."""
    return found.columns == record.columns and file_identities(found) == record.files


def _examine_database(
    request: Request, record: IntervalRecord | None, *, again: str, fault: str
) -> Finding:
    """As :func:`_examine_rows`: the snapshot is kept if it is going to be calculated."""
    assert request.interval is not None, "the request is for an interval"
    source = take_snapshot(request)
    same_roles = record is not None and source.columns == record.columns
    finding = _judged(
        request.interval, source, record, again=again, same_roles=same_roles, fault=fault
    )
    if finding.source is not None:
        return finding
    drop_source(source)
    if finding.state == "unchanged":
        return replace(finding, reason="the rows of its window are the same")
    return finding


def _judged(
    interval: Interval,
    source: Source,
    record: IntervalRecord | None,
    *,
    again: str,
    same_roles: bool,
    fault: str,
) -> Finding:
    """What to do about an interval whose rows were read."""
    if not source.rows:
        gone = "the rows of its window are gone" if record else "its window has no row"
        if source.bad_files:
            gone += "; " + counted(
                len(source.bad_files),
                "file that cannot be read is left out",
                "files that cannot be read are left out",
            )
        return Finding(interval, "empty", gone, record.run_id if record else "")
    if record is None:
        return Finding(interval, "missing", fault or "it was not published yet", source=source)
    if source.fingerprint != record.fingerprint:
        why = "rows of its window changed" if same_roles else "other columns are read"
        return Finding(interval, "changed", why, record.run_id, source)
    if fault:
        return Finding(interval, "changed", fault, record.run_id, source)
    if again:
        return Finding(interval, "recalculated", again, record.run_id, source)
    return Finding(interval, "unchanged", "the same rows lie in other files")


def _poison_to_retry(request: Request, record: IntervalRecord | None) -> str:
    """Why to calculate an interval again for the sake of its poison; "" if it is not to be."""
    if record is None:
        return ""
    poison = [one for one in record.quarantined if one.is_poison]
    if request.retry_quarantined and not record.made_with:  # recorded by version 0.1.0
        layout = SinkLayout.of(request.sink, request.storage_options)
        poison = [one for one in quarantined_by(layout, record.run_id) if one.is_poison]
    if not poison:
        return ""
    now = made_with(request.settings.canonical())
    return why_again(len(poison), record.made_with, now, asked=request.retry_quarantined)


def settle_failures(request: Request, findings: Iterable[Finding]) -> None:
    """Record that unchanged intervals are as they should be, whatever runs failed on them before.

    Such a run leaves its unfinished result, so only where there is one a record is looked at.
    """
    layout = SinkLayout.of(request.sink, request.storage_options)
    names = {one.interval.name for one in findings if one.state == "unchanged"}
    for left in unfinished_results(layout) if names else ():
        if left.state == "ended" and left.interval in names and left.run_id[:1].isdigit():
            record = read_intervals(layout, [left.interval]).get(left.interval)
            if record is not None and record.settled != left.run_id:
                write_interval(layout, replace(record, settled=left.run_id))


def update_file_list(request: Request, finding: Finding) -> None:
    """Record the files of an unchanged interval, so that they are not read again.

    Skipped if another run has published the interval since: then that run's record stands.
    """
    if (updated := finding.updated_record) is None:
        return
    layout = SinkLayout.of(request.sink, request.storage_options)
    record = read_intervals(layout, [updated.name]).get(updated.name)
    same = ("files", "columns", "bad_files")
    if record is not None and replace(record, **{n: getattr(updated, n) for n in same}) == updated:
        write_interval(layout, updated)
