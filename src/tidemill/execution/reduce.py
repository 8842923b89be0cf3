"""The last step: verify that all parts are there, publish them, and record what was done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tidemill.errors import CheckError, SinkError, shorten
from tidemill.execution.acceptance import Acceptance, accept
from tidemill.execution.chunk import run_chunk
from tidemill.execution.cleanup import tidy
from tidemill.execution.plans import already_published, load_plan
from tidemill.execution.quarantine import with_ages
from tidemill.execution.records import (
    RunSummary,
    Totals,
    earlier_totals,
    finished_record,
    interval_record,
    settings_notes,
    summary_of,
    totals_of,
    trouble_of,
)
from tidemill.execution.verify import check_parts, check_rows, discard_parts_on_mismatch
from tidemill.model.counts import counted
from tidemill.model.digests import RowSum, content_digest
from tidemill.model.logs import engine_log
from tidemill.model.plan import Plan
from tidemill.sources.files.open import check_unchanged
from tidemill.storage.intervals import (
    IntervalRecord,
    write_coverage,
    write_figures,
    write_interval,
)
from tidemill.storage.lease import acquire
from tidemill.storage.markers import Marker, committed, find_unlisted, recorded
from tidemill.storage.part_files import discard_damaged
from tidemill.storage.part_writer import part_schema
from tidemill.storage.publish import Published, last_published, publish
from tidemill.storage.record import write_record
from tidemill.storage.run_address import Run

__all__ = ["reduce"]

log = engine_log(__name__)

#: Seconds to wait while other intervals are published.
PUBLISH_SECONDS = 600.0


def reduce(run: Run, facts: Mapping[str, Any]) -> RunSummary:
    """Verify that all parts are there and the input is unchanged; publish, record, clean up.

    Every file is read once more before it is published, at about 0.7 GB/s a core. Parts whose files
    are not those that were written are calculated again.

    Parameters
    ----------
    run : the run
    facts : ``cluster``, ``threads``, ``task_runs`` and ``seconds`` (by step) of this attempt

    Raises
    ------
    SourceChangedError
        If the input changed while it was read; nothing is published.
    LeaseLostError, SinkError
        If another run owns the sink or wrote to it; nothing is published.
    """
    began = time.perf_counter()
    plan = load_plan(run)
    shown = last_published(run.layout)
    markers, missing = _finished_parts(run, plan)
    is_shown = shown is not None and already_published(run.layout, run.result_key, shown)
    if missing and shown is not None and is_shown and not run.again:
        totals = earlier_totals(run)
        totals.quarantined = with_ages(run, plan, totals.quarantined)
        return _finish(run, plan, shown, totals, facts, began, [])
    cut_short = recorded(run.key, missing) if missing else {}
    if damaged := discard_damaged(run.key, [*markers.values(), *cut_short.values()]):
        run_chunk(run, damaged)
        markers, missing = _finished_parts(run, plan)
    with discard_parts_on_mismatch(run):
        check_unchanged(plan.source)
        if missing:
            raise SinkError(
                f"{len(missing)} of {counted(len(plan.parts), 'part')} "
                f"{'is' if len(missing) == 1 else 'are'} missing ({shorten(missing)}); run again; "
                "finished parts are kept"
            )
        ordered = [markers[part.index] for part in plan.parts]
        check_parts(plan, ordered)
    check_rows(ordered)
    totals = totals_of(run, ordered)
    totals.quarantined = with_ages(run, plan, totals.quarantined)
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
            record = interval_record(run, plan, published, accepted, ordered, totals)
            _write_interval(run, record, accepted, check)
    return _finish(run, plan, published, totals, facts, began, ordered, accepted)


def _finished_parts(run: Run, plan: Plan) -> tuple[dict[int, Marker], list[int]]:
    """The markers of the finished parts, and the indexes of the others."""
    markers = committed(run.key)
    markers |= find_unlisted(run.key, [p.index for p in plan.parts if p.index not in markers])
    return markers, [part.index for part in plan.parts if part.index not in markers]


def _write_interval(
    run: Run, record: IntervalRecord, accepted: Acceptance, check: Callable[[], None]
) -> None:
    """Write the record of an interval and what belongs to it, while the lease is held.

    A run that stops between a check and its write cannot be fenced off. What it writes late names
    files and checksums that are not those of the table, so the interval is calculated again.
    """
    figures = accepted.figures.to_bytes()
    coverage = accepted.coverage.to_bytes() if accepted.coverage else None
    check()
    checksums = write_figures(run.layout, record.name, figures)
    checksums |= write_coverage(run.layout, record.name, coverage)
    check()
    write_interval(run.layout, replace(record, checksums=checksums))


@contextmanager
def _writing(run: Run) -> Iterator[Callable[[], None]]:
    """Become the publisher; yields a check that this still holds.

    Several intervals may be processed at once, but their rows are published one after another.
    """
    view = run.lease_view()
    if run.interval is None:
        yield lambda: view.check(now=True)
        return
    owner = f"interval {run.interval_label or run.interval}"
    with acquire(
        run.layout.lease, owner=owner, run_id=run.run_id, wait_seconds=PUBLISH_SECONDS
    ) as lease:

        def check() -> None:
            view.check(now=True)
            lease.check()

        yield check


def _accept(run: Run, plan: Plan, markers: Sequence[Marker], totals: Totals) -> Acceptance | None:
    if plan.interval is None:
        return None
    failed = sum(totals.errors.values()) + (plan.kept.failed_cells if plan.kept else 0)
    try:
        return accept(run, plan, markers, failed)
    except CheckError as error:
        error.found = {**error.found, **trouble_of(run, totals)}
        raise


def _finish(
    run: Run,
    plan: Plan,
    published: Published,
    totals: Totals,
    facts: Mapping[str, Any],
    began: float,
    markers: Sequence[Marker],
    accepted: Acceptance | None = None,
) -> RunSummary:
    seconds = {**facts["seconds"], "reduce": time.perf_counter() - began}
    record = finished_record(run, plan, published, totals, {**facts, "seconds": seconds})
    if accepted is not None:
        notes = (*record.notes, *settings_notes(plan, accepted))
        record = replace(record, acceptance=accepted.to_json(), notes=notes)
    write_record(run.layout, record)
    run.lease_view().check(now=True)  # the cleanup deletes files, but never those of another run
    tidy(run, plan, markers)
    log.info("published %d rows of %d columns in %s", record.rows, record.columns, run.sink)
    return summary_of(run, record, published, facts)
