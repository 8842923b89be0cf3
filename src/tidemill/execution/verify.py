"""The net under a run: its parts are published only if they are made of exactly the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tidemill.errors import DataError, SinkError, SourceChangedError, shorten
from tidemill.execution.plans import load_plan
from tidemill.execution.spill import drop_spill
from tidemill.model.digests import RowSum, content_digest
from tidemill.model.plan import Plan
from tidemill.storage.markers import Marker
from tidemill.storage.run_address import Run

__all__ = ["check_parts", "check_rows", "discard_parts_on_mismatch"]


@contextmanager
def discard_parts_on_mismatch(run: Run) -> Iterator[None]:
    """Drop the parts if their input changed, or if they were not cut as the plan says.

    The next attempt then reads everything again, instead of publishing them after all.
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
    """Check ids, numbers of rows and kept rows of all parts against the plan.

    Raises
    ------
    SinkError
        If a part holds ids or rows that belong elsewhere, or rows are missing.
    """
    _check_bounds(plan, markers)
    _check_input_rows(plan, markers)
    _check_kept(plan, markers)


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


def check_rows(markers: Sequence[Marker]) -> None:
    """Refuse to replace an earlier result by none at all."""
    if any(marker.rows for marker in markers):
        return
    reasons = [f"{one.id} ({one.reason})" for marker in markers for one in marker.quarantined]
    raise DataError(
        f"no id is left, all {len(reasons)} are quarantined: {shorten(reasons)}; nothing is "
        "published. Mend the input, or choose another policy"
    )
