"""The safety net of a run: parts are published only if they are made from exactly the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tidemill.errors import DataError, SinkError, SourceChangedError, shorten
from tidemill.execution.plans import input_name, load_plan
from tidemill.execution.spill import drop_spill
from tidemill.model.digests import RowSum, content_digest
from tidemill.model.plan import Plan
from tidemill.storage.markers import Marker
from tidemill.storage.run_address import Run

__all__ = ["check_parts", "check_rows", "discard_parts_on_mismatch"]


@contextmanager
def discard_parts_on_mismatch(run: Run) -> Iterator[None]:
    """Discard the parts if their input changed or they do not match the plan.

    The next attempt then starts over, instead of publishing them after all.
    """
    try:
        yield
    except (SourceChangedError, _MixedPartsError):
        run.key.state.delete_all(run.key.markers)
        drop_spill(load_plan(run), run.work_dir)
        raise


class _MixedPartsError(SinkError):
    """Parts hold ids or rows that belong elsewhere."""


def check_parts(plan: Plan, markers: Sequence[Marker]) -> None:
    """Check the ids, row counts and kept rows of all parts against the plan.

    Raises
    ------
    SinkError
        If a part holds ids or rows that belong elsewhere, or rows are missing.
    """
    _check_bounds(plan, markers)
    _check_input_rows(plan, markers)
    _check_kept(plan, markers)


def _check_bounds(plan: Plan, markers: Sequence[Marker]) -> None:
    """Check that every id is in its part's range, and so in no other part."""
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
            f"parts {shorten(wrong)} hold ids outside of their range, as if left by an attempt "
            "with other parts; they were deleted, run again"
        )


def _check_input_rows(plan: Plan, markers: Sequence[Marker]) -> None:
    """Check that every input row went into one part, whatever may have gone wrong before."""
    read, there = sum(marker.input_rows for marker in markers), plan.source.rows
    if read != there:
        raise _MixedPartsError(
            f"the parts were made of {read:,} rows, but the input {input_name(plan.source)} has "
            f"{there:,}: the id statistics in its files' footers may be wrong. Nothing is "
            "published and the parts were deleted; rewrite the files if this happens again"
        )


def _check_kept(plan: Plan, markers: Sequence[Marker]) -> None:
    """Check that the rows that gained features are those of the interval's record."""
    if plan.kept is None:
        return
    sums = (RowSum.from_text(marker.kept) for marker in markers)
    if content_digest(sums, plan.kept_columns, "; ".join(plan.source.id_types)) != plan.kept.digest:
        raise _MixedPartsError(
            f"the published rows of interval {plan.interval and plan.interval.label} are not those "
            "that its record names. Nothing was published and the parts were deleted; "
            "recalculate the whole interval, with on_settings_change='recalculate'"
        )


def check_rows(markers: Sequence[Marker]) -> None:
    """Refuse to replace an earlier result with an empty one."""
    if any(marker.rows for marker in markers):
        return
    reasons = [f"{one.id} ({one.reason})" for marker in markers for one in marker.quarantined]
    raise DataError(
        f"no id is left, all {len(reasons)} are quarantined: {shorten(reasons)}; nothing is "
        "published. Fix the input, or choose another policy"
    )
