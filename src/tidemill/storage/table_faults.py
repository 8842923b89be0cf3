"""Compare the records of intervals with what their table shows.

Anyone may change a Delta table: delete rows, restore an earlier version, lose the last entry of its
log. The record of an interval names the files of its rows, so one look at the table tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tidemill.storage.delta import files_by_interval
from tidemill.storage.dropped import not_dropped
from tidemill.storage.intervals import (
    GONE,
    IntervalRecord,
    interval_names,
    labels_of_names,
    read_intervals,
)
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease_files import read_current

__all__ = ["COMPARED", "UNRECORDED", "TableLook", "look_at_table", "read_with_faults"]

#: Why an interval is due whose record cannot be read.
DAMAGED = "its record is damaged"
#: Seconds after which a table is looked at again while another run publishes.
AGAIN_SECONDS = 1.0
#: Newest intervals whose files are compared with their records where all would take too long.
COMPARED = 60
#: What is said of an interval that has rows and no record.
UNRECORDED = "the table shows it, but it has no record"


@dataclass(frozen=True, slots=True)
class TableLook:
    """What one look at a table of intervals tells."""

    names: Sequence[str]  # of the intervals that have a record or rows, oldest first
    known: Mapping[str, IntervalRecord]  # of the newest ones
    faults: Mapping[str, str]  # by name: why the table does not show what is recorded

    def labelled_faults(self, layout: SinkLayout) -> dict[str, str]:
        """The faults by label instead, oldest interval first."""
        labels = labels_of_names(layout, sorted(self.faults), self.known)
        return {label: self.faults[name] for name, label in labels.items()}


class _Read(NamedTuple):
    known: dict[str, IntervalRecord]
    faults: dict[str, str]
    shown: dict[str, dict[str, int]]  # interval to path to bytes


def read_with_faults(
    layout: SinkLayout, names: Iterable[str]
) -> tuple[dict[str, IntervalRecord], dict[str, str]]:
    """The records of intervals, and why the table does not show some of them, both by name.

    A run that publishes writes the table, then the record. So while one does, a difference counts
    only if it is still there a second later.
    """
    found = _read_settled(layout, list(names))
    return found.known, found.faults


def look_at_table(layout: SinkLayout, newest: int) -> TableLook:
    """All intervals of a table, and the records of the newest ones; of others no record is read.

    The files of older intervals are not compared: only whether they have rows and a record.
    """
    recorded = interval_names(layout)
    found = _read_settled(layout, recorded[-newest:])
    shown = found.shown or files_by_interval(layout)
    recorded = not_dropped(layout, recorded, shown)
    older = {name: GONE for name in recorded[:-newest] if name not in shown}
    faults = older | found.faults | dict.fromkeys(_unrecorded(layout, shown, recorded), UNRECORDED)
    return TableLook(sorted({*recorded, *shown}), found.known, faults)


def _unrecorded(layout: SinkLayout, shown: Iterable[str], recorded: Iterable[str]) -> set[str]:
    """Intervals with rows and without a record, also after a run has published that does so."""
    found = set(shown) - set(recorded)
    if found and _is_publishing(layout):
        time.sleep(AGAIN_SECONDS)
    return found - set(interval_names(layout)) if found else found


def _read_settled(layout: SinkLayout, names: list[str]) -> _Read:
    """Look again a second later if something is wrong while another run publishes."""
    found = _read(layout, names)
    if found.faults and _is_publishing(layout):
        time.sleep(AGAIN_SECONDS)
        return _read(layout, names)
    return found


def _is_publishing(layout: SinkLayout) -> bool:
    holder = read_current(layout.lease)
    return holder is not None and not holder.is_free


def _read(layout: SinkLayout, names: list[str]) -> _Read:
    """What a drop that was killed left of an interval counts as nothing."""
    known = read_intervals(layout, names)
    faults = dict.fromkeys(_damaged(layout, [name for name in names if name not in known]), DAMAGED)
    shown = files_by_interval(layout) if known or faults else {}
    faults |= {name: one.fault(layout, shown.get(name, {})) for name, one in known.items()}
    faults = {name: fault for name, fault in faults.items() if fault}
    if dropped := faults.keys() - set(not_dropped(layout, faults, shown) if faults else ()):
        known = {name: one for name, one in known.items() if name not in dropped}
        faults = {name: fault for name, fault in faults.items() if name not in dropped}
    return _Read(known, faults, shown)


def _damaged(layout: SinkLayout, unread: list[str]) -> list[str]:
    """Those of the intervals without a record that have the file of one."""
    if not unread:
        return []
    there = frozenset(interval_names(layout, min(unread), f"{max(unread)}~"))
    return [name for name in unread if name in there]
