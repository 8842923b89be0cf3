"""Up to which interval a table was cut off: `tidemill drop-intervals` leaves this mark.

Intervals before the mark that the table does not show were dropped on purpose. So they are no
holes, their rows are not gone, and no run calculates them again unless it is asked for them. The
mark is written before the rows go: whatever a killed drop leaves of an interval counts as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from tidemill.storage.delta import INTERVAL, commit_error, open_table
from tidemill.storage.layout import SinkLayout
from tidemill.storage.sealed import seal, unseal
from tidemill.storage.transient import translated

__all__ = ["dropped_before", "mark_dropped", "not_dropped", "remove_rows"]

_FILE = "dropped.json"


def dropped_before(layout: SinkLayout) -> str:
    """Name of the first interval that was not dropped; "" if none were.

    Examples
    --------
    >>> import tempfile
    >>> layout = SinkLayout.of(tempfile.mkdtemp() + "/table")
    >>> dropped_before(layout)
    ''
    >>> mark_dropped(layout, "20261120T000000Z")
    >>> mark_dropped(layout, "20261001T000000Z")  # never goes back
    >>> dropped_before(layout)
    '20261120T000000Z'
    """
    try:
        return str(unseal(layout.state.read(_FILE))["before"])
    except (FileNotFoundError, ValueError, KeyError):  # damaged: then they are holes again
        return ""


def mark_dropped(layout: SinkLayout, before: str) -> None:
    """Record that the intervals before one are dropped."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    layout.state.write(_FILE, seal({"before": max(before, dropped_before(layout)), "when": now}))
    layout.state.sync(_FILE)


def not_dropped(layout: SinkLayout, names: Iterable[str], shown: Iterable[str]) -> list[str]:
    """Those of some intervals that the table shows, or that were not dropped.

    Parameters
    ----------
    layout : of the table
    names : of intervals
    shown : names of those that the table shows
    """
    mark, there = dropped_before(layout), frozenset(shown)
    return [name for name in names if name >= mark or name in there]


def remove_rows(layout: SinkLayout, before: str) -> None:
    """Remove the rows of all intervals before one, in one transaction; their files stay.

    Only the owner of the sink's lease may do this.

    Raises
    ------
    SinkError
        If another process wrote the table in between. Nothing was changed.
    """
    table = open_table(layout)
    if table is None or not _shows(table, before):
        return
    commit = CommitProperties({"tidemill.dropped_before": before}, max_commit_retries=0)
    try:
        with translated(layout.url):
            table.delete(f"\"{INTERVAL}\" < '{before}'", commit_properties=commit)
    except (CommitFailedError, DeltaError, OSError) as error:
        now = open_table(layout)
        if now is not None and not _shows(now, before):
            return  # it succeeded, only the answer was lost
        if isinstance(error, OSError):
            raise
        raise commit_error(layout, error) from error
    layout.home.sync(f"_delta_log/{table.version():020d}.json")


def _shows(table: DeltaTable, before: str) -> bool:
    """Whether a table shows an interval before one."""
    found = pa.table(table.get_add_actions(flatten=True))[f"partition.{INTERVAL}"].to_pylist()
    return any(one is not None and one < before for one in found)
