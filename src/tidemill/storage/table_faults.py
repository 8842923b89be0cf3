"""Compare the records of intervals with what their table shows.

Anyone may change a Delta table: delete rows, restore an earlier version, lose the last entry of its
log. The record of an interval names the files of its rows, so one look at the table tells.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from tidemill.storage.delta import files_by_interval
from tidemill.storage.intervals import (
    IntervalRecord,
    interval_names,
    label_of_name,
    read_intervals,
)
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease_files import read_current

__all__ = ["read_with_faults", "unshown_intervals"]

#: Why an interval is due whose record cannot be read.
DAMAGED = "its record is damaged"
#: Seconds after which a table is looked at again while another run publishes.
AGAIN_SECONDS = 1.0


def read_with_faults(
    layout: SinkLayout, names: Iterable[str]
) -> tuple[dict[str, IntervalRecord], dict[str, str]]:
    """The records of intervals, and why the table does not show some of them, both by name.

    A run that publishes writes the table, then the record. So while one does, a difference counts
    only if it is still there a second later.
    """
    wanted = list(names)
    known, faults = _read(layout, wanted)
    if faults and (holder := read_current(layout.lease)) is not None and not holder.is_free:
        time.sleep(AGAIN_SECONDS)
        return _read(layout, wanted)
    return known, faults


def unshown_intervals(layout: SinkLayout) -> dict[str, str]:
    """Intervals that the table does not show as recorded, oldest first: label to the reason."""
    if layout.kind == "file":
        return {}
    _, faults = read_with_faults(layout, interval_names(layout))
    return {label_of_name(layout, name): fault for name, fault in sorted(faults.items())}


def _read(layout: SinkLayout, names: list[str]) -> tuple[dict[str, IntervalRecord], dict[str, str]]:
    known = read_intervals(layout, names)
    faults = dict.fromkeys(_damaged(layout, [name for name in names if name not in known]), DAMAGED)
    shown = files_by_interval(layout) if known else {}
    faults |= {name: one.fault(layout, shown.get(name, {})) for name, one in known.items()}
    return known, {name: fault for name, fault in faults.items() if fault}


def _damaged(layout: SinkLayout, unread: list[str]) -> list[str]:
    """Those of the intervals without a record that have the file of one."""
    there = frozenset(interval_names(layout)) if unread else frozenset()
    return [name for name in unread if name in there]
