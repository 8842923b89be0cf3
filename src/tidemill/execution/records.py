"""What a run leaves on record: its run record, its summary, and the record of its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tidemill.errors import CheckError
from tidemill.execution.acceptance import Acceptance
from tidemill.execution.plans import input_name
from tidemill.execution.verdicts import verdict_of
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.model.plan import Plan
from tidemill.model.series import Quarantined
from tidemill.planning.quarantine import count_by_age, made_with
from tidemill.sources.files.cautions import caution_of
from tidemill.sources.files.schema import time_zone
from tidemill.storage.failures import FailedSeries, FailureCount
from tidemill.storage.intervals import (
    IntervalRecord,
    PartFile,
    file_identities,
    named_bad_files,
)
from tidemill.storage.markers import Marker
from tidemill.storage.publish import Published
from tidemill.storage.record import (
    CASES,
    SHOWN_ALREADY,
    RunRecord,
    cpu_features,
    history,
    read_record,
    write_record,
)
from tidemill.storage.run_address import Run

__all__ = [
    "RunSummary",
    "Totals",
    "earlier_totals",
    "finished_record",
    "interval_record",
    "settings_notes",
    "summary_of",
    "totals_of",
    "trouble_of",
    "write_failure",
]

log = engine_log(__name__)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a caller gets back: the run record's figures as small JSON values."""

    run_id: str
    sink: str
    rows: int
    columns: int
    parts: Mapping[str, int]  # total, calculated, reused, quarantined (ids)
    cluster: str
    task_runs: int  # of Prefect
    seconds: Mapping[str, float]  # wall, by step
    seconds_by_calculator: Mapping[str, float]  # one thread, over all parts
    quarantined: Sequence[Mapping[str, Any]] = ()  # {id, kind, reason, ...}, the first thousand
    quarantined_since: Mapping[str, int] = field(default_factory=dict)  # day or "new" -> ids
    errors: Sequence[Mapping[str, Any]] = ()  # {kind, calculator, message, count}
    bad_files: Sequence[Mapping[str, str]] = ()  # {path, reason}, left out of the input
    digest: str = ""  # of the content
    version: str = ""  # of the sink
    note: str = ""
    time_zone_of_input: str = ""  # see record
    interval: str | None = None  # name of its partition
    interval_label: str = ""  # the same for people
    reason: str = ""  # why the interval was calculated
    acceptance: Mapping[str, Any] = field(default_factory=dict)  # of an interval: see record
    verdict: str = ""  # in one line
    warnings: Sequence[str] = ()  # what the verdict warns of
    reports: Sequence[Mapping[str, str]] = ()  # {label, address} of its HTML report, once written

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON values."""
        return asdict(self)


@dataclass(slots=True)
class Totals:
    """The totals over the markers of all parts."""

    rows: int = 0
    calculated: set[int] = field(default_factory=set)  # parts, by this run
    part_seconds: float = 0.0  # of those, one thread
    seconds: Counter[str] = field(default_factory=Counter)  # by calculator, of this run's parts
    quarantined: list[Quarantined] = field(default_factory=list)
    errors: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cases: list[FailedSeries] = field(default_factory=list)
    checksums: dict[str, str] = field(default_factory=dict)  # file -> SHA-256

    def add(self, marker: Marker, run: Run) -> None:
        """Add one part."""
        self.rows += marker.rows
        self.checksums[marker.path] = marker.checksum
        if marker.run_id == run.run_id:
            self.calculated.add(marker.index)
            self.part_seconds += marker.seconds
            self.seconds.update(marker.seconds_by_calculator)
        self.quarantined += marker.quarantined
        for error in marker.errors:
            key = (error.kind, error.calculator, error.message)
            self.errors[key] += error.count
            room = CASES - len(self.cases)
            self.cases += [FailedSeries(one, *key) for one in error.ids[:room]]

    def error_counts(self) -> list[FailureCount]:
        """Failures by kind, calculator and message, most frequent first."""
        return [FailureCount(*key, count) for key, count in self.errors.most_common()]


def totals_of(run: Run, markers: Sequence[Marker]) -> Totals:
    """The totals over the markers of all parts."""
    totals = Totals()
    for marker in markers:
        totals.add(marker, run)
    return totals


def earlier_totals(run: Run) -> Totals:
    """The totals recorded by the run that published this result; its markers are gone."""
    totals = Totals()
    for record in history(run.layout):
        if record.result_key == run.result_key and record.state == "finished":
            totals.quarantined = list(record.quarantined)
            totals.cases = list(record.error_cases)
            for error in record.errors:
                totals.errors[error.kind, error.calculator, error.message] = error.count
            break
    return totals


def settings_notes(plan: Plan, accepted: Acceptance) -> Iterator[str]:
    """Notes on what was calculated of an interval whose settings changed."""
    if plan.kept is not None:
        new, kept = len(plan.columns) - len(plan.kept_columns), plan.kept.run_id
        made = counted(new, "new column was", "new columns were")
        yield f"{made} calculated, the others are those of run {kept}"
    elif accepted.settings_change:
        yield "the settings changed, and all columns were calculated"


def finished_record(
    run: Run, plan: Plan, published: Published, totals: Totals, facts: Mapping[str, Any]
) -> RunRecord:
    """The record of a run that published its result."""
    return replace(
        _first_fields(run, plan),
        finished=_now(),
        state="finished",
        cluster={"name": facts["cluster"], "threads": facts["threads"]},
        parts={
            "total": len(plan.parts),
            "calculated": len(totals.calculated),
            "reused": len(plan.parts) - len(totals.calculated),
            "quarantined": len(totals.quarantined),
        },
        task_runs=facts["task_runs"],
        seconds=facts["seconds"],
        seconds_by_calculator=dict(totals.seconds),
        part_seconds=totals.part_seconds,
        predicted_seconds=sum(plan.parts[index].seconds for index in totals.calculated),
        rows=published.rows,
        columns=len(plan.columns),
        part_checksums=totals.checksums,
        digest=published.digest,
        version=published.version,
        notes=tuple(_notes(plan, published)),
        **trouble_of(run, totals),
    )


def trouble_of(run: Run, totals: Totals) -> dict[str, Any]:
    """The fields of a record about series and cells that could not be calculated."""
    return {
        "quarantined": tuple(totals.quarantined[:CASES]),
        "quarantined_since": count_by_age(totals.quarantined, run.started),
        "errors": tuple(totals.error_counts()),
        "error_cases": tuple(totals.cases),
    }


def _notes(plan: Plan, published: Published) -> Iterator[str]:
    if not published.is_new:
        yield SHOWN_ALREADY
    if caution := caution_of(plan.source):
        yield caution


def _first_fields(run: Run, plan: Plan) -> RunRecord:
    """The fields of a record that are known before the run ends."""
    return RunRecord(
        run_id=run.run_id,
        started=run.started,
        sink=run.sink,
        source=input_name(plan.source),
        source_fingerprint=plan.source.fingerprint,
        result_key=plan.result_key,
        settings=plan.settings,
        policies=asdict(plan.policies),
        interval=plan.interval.name if plan.interval else None,
        interval_label=plan.interval.label if plan.interval else "",
        time_zone_of_input=time_zone(plan.source),
        reason=run.reason,
        bad_files=tuple(named_bad_files(plan.source)),
        versions=plan.versions,
        cpu_features=cpu_features(),
    )


def summary_of(
    run: Run, record: RunRecord, published: Published, facts: Mapping[str, Any]
) -> RunSummary:
    """The summary of a run that published its result."""
    verdict = verdict_of(record)
    return RunSummary(
        run_id=run.run_id,
        sink=run.sink,
        rows=record.rows,
        columns=record.columns,
        parts=record.parts,
        cluster=facts["cluster"],
        task_runs=record.task_runs,
        seconds=record.seconds,
        seconds_by_calculator=record.seconds_by_calculator,
        quarantined=tuple(asdict(one) for one in record.quarantined),
        quarantined_since=record.quarantined_since,
        errors=tuple(asdict(one) for one in record.errors),
        bad_files=record.bad_files,
        digest=record.digest,
        version=published.version,
        note="; ".join(record.notes),
        interval=record.interval,
        interval_label=record.interval_label,
        time_zone_of_input=record.time_zone_of_input,
        reason=record.reason,
        acceptance=record.acceptance,
        verdict=verdict.text,
        warnings=verdict.warnings,
    )


def interval_record(
    run: Run,
    plan: Plan,
    published: Published,
    accepted: Acceptance,
    markers: Sequence[Marker],
    totals: Totals,
) -> IntervalRecord:
    """The record of what an interval's published rows were made from."""
    assert plan.interval is not None, "the plan is for an interval"
    return IntervalRecord(
        name=plan.interval.name,
        start=plan.interval.start,
        end=plan.interval.end,
        window_start=plan.interval.window_start,
        run_id=run.run_id,
        published=_now(),
        result_key=plan.result_key,
        digest=published.digest,
        files=file_identities(plan.source),
        fingerprint=plan.source.fingerprint,
        settings=plan.settings,
        policies=asdict(plan.policies),
        columns=plan.source.columns,
        kinds=plan.source.kinds,
        bad_files=tuple((one["path"], one["reason"]) for one in named_bad_files(plan.source)),
        facts=asdict(accepted.facts),
        time_zone_of_input=time_zone(plan.source),
        timezone=plan.interval.timezone,
        every=plan.interval.every,
        parts=tuple(PartFile.of(marker) for marker in markers if marker.rows),
        quarantined=tuple(totals.quarantined[:CASES]),
        made_with=made_with(plan.settings),
    )


def write_failure(run: Run, plan: Plan, error: BaseException, cluster: str) -> None:
    """Record a failed run; a failure to do so must not hide the original error.

    The record of a run that has published stays that of a finished run: its result is there,
    whatever went wrong later, such as a server that could not be told.
    """
    state = "failed" if isinstance(error, Exception) else "cancelled"
    message = f"{type(error).__name__}: {error}"[:2000]
    record = replace(
        _first_fields(run, plan),
        finished=_now(),
        state=state,
        message=message,
        cluster={"name": cluster},
        parts={"total": len(plan.parts)},
        **(error.found if isinstance(error, CheckError) else {}),
    )
    try:
        written = read_record(run.layout, record.path)
        if written is not None and written.state == "finished":
            record = replace(written, notes=(*written.notes, f"after publishing: {message}"))
        write_record(run.layout, record)
    except OSError as failure:
        log.warning("the record of the failed run %s could not be written: %s", run.run_id, failure)
    except Exception:
        log.exception("the record of the failed run %s could not be written", run.run_id)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
