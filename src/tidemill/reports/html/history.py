"""The intervals of a table up to one of them, as the slots of a report's drawings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tidemill.execution.checks import ResultCounts
from tidemill.model.series import Quarantined
from tidemill.storage.intervals import IntervalRecord
from tidemill.storage.record import RunRecord

__all__ = ["UNPUBLISHED", "History", "Slot"]

#: Slots for intervals between two published ones; more of them share the last slot.
MOST_UNPUBLISHED = 3
#: End of the label of what is not in the table.
UNPUBLISHED = ", not published"


@dataclass(frozen=True, slots=True)
class Slot:
    """One interval, or some that were never published."""

    label: str  # for people
    name: str = ""  # of the published interval; "": it is none
    run_id: str = ""  # of the run that calculated it
    counts: ResultCounts | None = None  # None: not known
    quarantined: tuple[Quarantined, ...] = ()  # the first thousand
    is_refused: bool = False  # calculated, but it failed a check

    @classmethod
    def of(cls, record: IntervalRecord) -> Slot:
        """The slot of a published interval."""
        counts = ResultCounts(**record.facts) if record.facts else None
        return cls(record.label, record.name, record.run_id, counts, record.quarantined)

    @property
    def is_gap(self) -> bool:
        """Whether nothing was calculated."""
        return not self.name and not self.is_refused

    @property
    def nan_share(self) -> float | None:
        """Share of its cells that are NaN."""
        return self.counts.nan_cells / max(self.counts.cells, 1) if self.counts else None


@dataclass(frozen=True, slots=True)
class History:
    """The intervals up to that of a run and the gaps between them, oldest first."""

    slots: tuple[Slot, ...]
    shown: str = ""  # run whose rows the table shows of the run's interval; "": it has none

    @classmethod
    def of(cls, records: Sequence[IntervalRecord], run: RunRecord) -> History:
        """The history up to the interval of a run.

        Parameters
        ----------
        records : of the published intervals up to it, oldest first
        run : which need not have published it, or another one did so since
        """
        slots = list(_with_gaps(records))
        is_shown = bool(records) and records[-1].name == run.interval
        if not is_shown:
            slots.append(Slot(f"{run.interval_label}{UNPUBLISHED}"))
        shown = slots[-1].run_id
        if shown != run.run_id and (facts := run.acceptance.get("facts")):
            slots[-1] = _of_run(run, slots[-1].name, ResultCounts(**facts))
        return cls(tuple(slots), shown)

    @property
    def own(self) -> Slot:
        """The interval of the run."""
        return self.slots[-1]

    @property
    def published(self) -> tuple[Slot, ...]:
        """The intervals that are published."""
        return tuple(slot for slot in self.slots if slot.name)


def _of_run(run: RunRecord, name: str, counts: ResultCounts) -> Slot:
    """What a run made of its interval, if that is not what the table shows."""
    about = run.run_id, counts, run.quarantined
    if run.state == "finished":
        return Slot(run.interval_label, name, *about)
    return Slot(f"{run.interval_label}{UNPUBLISHED}", "", *about, is_refused=True)


def _with_gaps(records: Sequence[IntervalRecord]) -> Iterator[Slot]:
    """A slot for each record, and a few for what lies between two of them."""
    for before, after in pairwise(records):
        yield Slot.of(before)
        yield from _gap(before, after)
    if records:
        yield Slot.of(records[-1])


def _gap(before: IntervalRecord, after: IntervalRecord) -> Iterator[Slot]:
    """Days may be an hour longer or shorter than their neighbours."""
    length = before.end - before.start
    count = round((after.start - before.end) / length)
    between = f"between {before.label} and {after.label}"
    said = f"{count:,} intervals {between}" if count > MOST_UNPUBLISHED else between
    for _ in range(min(count, MOST_UNPUBLISHED)):
        yield Slot(f"{said}{UNPUBLISHED}")
