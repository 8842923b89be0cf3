"""The last step: verify that every part is there, publish them, and say what was done."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tidemill.errors import DataError, SinkError, SourceChangedError, shorten
from tidemill.execution.acceptance import Acceptance, accept
from tidemill.execution.chunk import load_plan
from tidemill.execution.cleanup import tidy
from tidemill.execution.spill import drop_spill
from tidemill.model.digests import RowSum, content_digest
from tidemill.model.plan import Plan
from tidemill.sources.files.open import check_unchanged
from tidemill.sources.files.schema import time_zone
from tidemill.storage.intervals import IntervalRecord, facts_of, write_figures, write_interval
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import acquire
from tidemill.storage.markers import Marker, committed
from tidemill.storage.part_writer import part_schema
from tidemill.storage.publish import Published, last_published, publish
from tidemill.storage.record import CASES, RunRecord, cpu_features, history, write_record
from tidemill.storage.run_address import Run

__all__ = ["RunSummary", "reduce", "write_failure"]

log = logging.getLogger(__name__)

#: Seconds to wait while other intervals are published.
PUBLISH_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a caller gets back: the run record's figures in small JSON values."""

    run_id: str
    sink: str
    rows: int
    columns: int
    parts: Mapping[str, int]  # total, calculated, reused, quarantined (ids)
    cluster: str
    task_runs: int  # of Prefect
    seconds: Mapping[str, float]  # wall, by step
    seconds_by_calculator: Mapping[str, float]  # one thread, over all parts
    quarantined: Sequence[Mapping[str, Any]] = ()  # {id, kind, reason}, the first thousand
    errors: Sequence[Mapping[str, Any]] = ()  # {kind, calculator, message, count}
    digest: str = ""  # of the content
    version: str = ""  # of the sink
    note: str = ""
    time_zone_of_input: str = ""  # see record
    interval: str | None = None
    reason: str = ""  # why the interval was calculated
    acceptance: Mapping[str, Any] = field(default_factory=dict)  # of an interval: see record

    def to_json(self) -> dict[str, Any]:
        """The summary in JSON values."""
        return asdict(self)


@dataclass(slots=True)
class _Totals:
    """What the markers of all parts add up to."""

    rows: int = 0
    calculated: set[int] = field(default_factory=set)  # parts, by this run
    part_seconds: float = 0.0  # of those, one thread
    seconds: Counter[str] = field(default_factory=Counter)  # by calculator, of this run's parts
    quarantined: list[Mapping[str, Any]] = field(default_factory=list)
    errors: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    cases: list[Mapping[str, str]] = field(default_factory=list)
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
            kind = {name: error[name] for name in ("kind", "calculator", "message")}
            self.errors[kind["kind"], kind["calculator"], kind["message"]] += error["count"]
            room = CASES - len(self.cases)
            self.cases += [{"id": one, **kind} for one in error["ids"][:room]]

    def error_counts(self) -> list[dict[str, Any]]:
        """Failures by kind, calculator and message, most frequent first."""
        names = ("kind", "calculator", "message")
        return [
            {**dict(zip(names, key, strict=True)), "count": count}
            for key, count in self.errors.most_common()
        ]


def reduce(run: Run, facts: Mapping[str, Any]) -> RunSummary:
    """Verify that all parts are there and the input is unchanged, publish, record, tidy up.

    Parameters
    ----------
    run : the run
    facts : ``cluster``, ``threads``, ``task_runs`` and ``seconds`` (by step) of this attempt

    Raises
    ------
    SourceChangedError
        If the input changed while it was read; nothing is published.
    LeaseLostError, SinkError
        If somebody else owns or wrote the sink; nothing is published.
    """
    began = time.perf_counter()
    plan = load_plan(run)
    shown = last_published(run.layout)
    markers = committed(run.key)
    missing = [part.index for part in plan.parts if part.index not in markers]
    if missing and shown is not None and is_shown(run.layout, run.result_key, shown):
        return _finish(run, plan, shown, _earlier_totals(run), facts, began)
    with _distrust(run):
        check_unchanged(plan.source)
        if missing:
            raise SinkError(
                f"{len(missing)} of {len(plan.parts)} parts are missing ({shorten(missing)}); "
                "run again: finished parts are kept"
            )
        ordered = [markers[part.index] for part in plan.parts]
        _check_bounds(plan, ordered)
        _check_input_rows(plan, ordered)
        _check_kept(plan, ordered)
    _check_rows(ordered)
    totals = _totals(run, ordered)
    accepted = _accept(run, plan, ordered, totals)
    schema = part_schema(plan)
    sums = (RowSum.from_text(marker.digest) for marker in ordered)
    with _writing(run) as check:
        published = publish(
            run.layout,
            run.key,
            ordered,
            schema,
            run_id=run.run_id,
            digest=content_digest(sums, plan.columns, "; ".join(plan.source.id_types)),
            check=check,
            interval=run.interval,
        )
    if accepted is not None:
        record = _interval_record(run, plan, published, accepted)
        write_figures(run.layout, record.name, accepted.figures.to_bytes())
        write_interval(run.layout, record)
    return _finish(run, plan, published, totals, facts, began, accepted)


@contextmanager
def _writing(run: Run) -> Iterator[Callable[[], None]]:
    """Be the one who publishes; a check that this is still so.

    Several intervals may be worked on at once, but their rows are published one after another.
    """
    view = run.lease_view()
    if run.interval is None:
        yield lambda: view.check(now=True)
        return
    owner = f"interval {run.interval}"
    with acquire(
        run.layout.lease, owner=owner, run_id=run.run_id, wait_seconds=PUBLISH_SECONDS
    ) as lease:

        def check() -> None:
            view.check(now=True)
            lease.check()

        yield check


def _accept(run: Run, plan: Plan, markers: Sequence[Marker], totals: _Totals) -> Acceptance | None:
    if plan.interval is None:
        return None
    failed = sum(totals.errors.values()) + (plan.kept.failed_cells if plan.kept else 0)
    return accept(run, plan, markers, failed)


def _interval_record(
    run: Run, plan: Plan, published: Published, accepted: Acceptance
) -> IntervalRecord:
    assert plan.interval is not None, "the plan is about an interval"
    return IntervalRecord(
        name=plan.interval.name,
        start=plan.interval.start,
        end=plan.interval.end,
        window_start=plan.interval.window_start,
        run_id=run.run_id,
        published=_now(),
        result_key=plan.result_key,
        digest=published.digest,
        files=facts_of(plan.source),
        fingerprint=plan.source.fingerprint,
        settings=plan.settings,
        policies=asdict(plan.policies),
        columns=asdict(plan.source.columns),
        facts=asdict(accepted.facts),
        time_zone_of_input=time_zone(plan.source),
    )


def is_shown(layout: SinkLayout, result_key: str, shown: Published) -> bool:
    """Whether a file sink shows this result: its parts go, the file is what they became."""
    return layout.kind == "file" and shown.result_key == result_key


@contextmanager
def _distrust(run: Run) -> Iterator[None]:
    """Drop the parts when what they were read from, or how they were cut, is not what it should be.

    The next attempt then reads everything again, instead of publishing them after all.
    """
    try:
        yield
    except (SourceChangedError, _MixedPartsError):
        run.key.state.delete_all(run.key.markers)
        drop_spill(load_plan(run), run.work_dir)
        raise


class _MixedPartsError(SinkError):
    """Parts hold ids or rows that are not theirs."""


def _check_bounds(plan: Plan, markers: Sequence[Marker]) -> None:
    """Every id lies in the range of its part, and so in no other part."""
    wrong = [
        part.index
        for part, marker in zip(plan.parts, markers, strict=True)
        if marker.rows
        and not (
            (part.lower is None or marker.lower >= part.lower)
            and (part.upper is None or marker.upper < part.upper)
        )
    ]
    if wrong:
        raise _MixedPartsError(
            f"parts {shorten(wrong)} hold ids outside of their range, as an attempt with other "
            "parts would leave them; they were dropped, run again"
        )


def _check_input_rows(plan: Plan, markers: Sequence[Marker]) -> None:
    """Every row of the input went into one part: the net below all that could go wrong before."""
    read, there = sum(marker.input_rows for marker in markers), plan.source.rows
    if read != there:
        raise _MixedPartsError(
            f"the parts were made of {read:,} rows, but the input {plan.source.url} has {there:,}: "
            "the id statistics in its files' footers may be wrong. Nothing is published and the "
            "parts were dropped; write the files anew if it happens again"
        )


def _check_kept(plan: Plan, markers: Sequence[Marker]) -> None:
    """The rows that new features were added to are those that the interval's record is about."""
    if plan.kept is None:
        return
    sums = (RowSum.from_text(marker.kept) for marker in markers)
    if content_digest(sums, plan.kept_columns, "; ".join(plan.source.id_types)) != plan.kept.digest:
        raise _MixedPartsError(
            f"the published rows of interval {plan.interval and plan.interval.name} are not those "
            "that its record names. Nothing was published and the parts were dropped; calculate "
            "the interval whole, with on_settings_change='recalculate'"
        )


def _check_rows(markers: Sequence[Marker]) -> None:
    """Refuse to replace an earlier result by none at all."""
    if any(marker.rows for marker in markers):
        return
    reasons = [f"{one['id']} ({one['reason']})" for marker in markers for one in marker.quarantined]
    raise DataError(
        f"no id is left, all {len(reasons)} are quarantined: {shorten(reasons)}; nothing is "
        "published. Mend the input, or choose another policy"
    )


def _totals(run: Run, markers: Sequence[Marker]) -> _Totals:
    totals = _Totals()
    for marker in markers:
        totals.add(marker, run)
    return totals


def _earlier_totals(run: Run) -> _Totals:
    """What the run that published this result recorded: its markers are gone."""
    totals = _Totals()
    for record in history(run.layout):
        if record.result_key == run.result_key and record.state == "finished":
            totals.quarantined = list(record.quarantined)
            totals.cases = list(record.error_cases)
            for error in record.errors:
                key = (error["kind"], error["calculator"], error["message"])
                totals.errors[key] = error["count"]
            break
    return totals


def _finish(
    run: Run,
    plan: Plan,
    published: Published,
    totals: _Totals,
    facts: Mapping[str, Any],
    began: float,
    accepted: Acceptance | None = None,
) -> RunSummary:
    seconds = {**facts["seconds"], "reduce": time.perf_counter() - began}
    record = _record(run, plan, published, totals, {**facts, "seconds": seconds})
    if accepted is not None:
        notes = (*record.notes, *_notes(plan, accepted))
        record = replace(record, acceptance=accepted.to_json(), notes=notes)
    write_record(run.layout, record)
    run.lease_view().check(now=True)  # what follows deletes files: never those of another run
    tidy(run, plan)
    log.info("published %d rows of %d columns in %s", record.rows, record.columns, run.sink)
    return _summary(run, record, published, facts)


def _notes(plan: Plan, accepted: Acceptance) -> Iterator[str]:
    """What was calculated of an interval whose settings changed."""
    if plan.kept is not None:
        new, kept = len(plan.columns) - len(plan.kept_columns), plan.kept.run_id
        yield f"{new:,} new columns were calculated, the others are those of run {kept}"
    elif accepted.settings_change:
        yield "the settings changed, and all columns were calculated"


def _record(
    run: Run, plan: Plan, published: Published, totals: _Totals, facts: Mapping[str, Any]
) -> RunRecord:
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
        quarantined=tuple(totals.quarantined[:CASES]),
        errors=tuple(totals.error_counts()),
        error_cases=tuple(totals.cases),
        part_checksums=totals.checksums,
        digest=published.digest,
        version=published.version,
        notes=() if published.is_new else ("the sink showed this result already",),
    )


def _first_fields(run: Run, plan: Plan) -> RunRecord:
    """What a record says before the run has ended."""
    return RunRecord(
        run_id=run.run_id,
        started=run.started,
        sink=run.sink,
        source=plan.source.url,
        source_fingerprint=plan.source.fingerprint,
        result_key=plan.result_key,
        settings=plan.settings,
        policies=asdict(plan.policies),
        interval=plan.interval.name if plan.interval else None,
        time_zone_of_input=time_zone(plan.source),
        reason=run.reason,
        versions=plan.versions,
        cpu_features=cpu_features(),
    )


def _summary(
    run: Run, record: RunRecord, published: Published, facts: Mapping[str, Any]
) -> RunSummary:
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
        quarantined=record.quarantined,
        errors=record.errors,
        digest=record.digest,
        version=published.version,
        note="; ".join(record.notes),
        interval=record.interval,
        time_zone_of_input=record.time_zone_of_input,
        reason=record.reason,
        acceptance=record.acceptance,
    )


def write_failure(run: Run, plan: Plan, error: BaseException, cluster: str) -> None:
    """Record a run that failed; what goes wrong here must not hide the error itself."""
    state = "failed" if isinstance(error, Exception) else "cancelled"
    record = replace(
        _first_fields(run, plan),
        finished=_now(),
        state=state,
        message=f"{type(error).__name__}: {error}"[:2000],
        cluster={"name": cluster},
        parts={"total": len(plan.parts)},
    )
    try:
        write_record(run.layout, record)
    except Exception:
        log.exception("the record of the failed run %s could not be written", run.run_id)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
