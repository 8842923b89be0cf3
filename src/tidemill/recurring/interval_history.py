"""The history of intervals: what is published of each, by which run, with which warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tidemill.execution.verdicts import warnings_of
from tidemill.storage.intervals import IntervalRecord
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import RunRecord, records_of_runs
from tidemill.storage.table_faults import COMPARED, look_at_table

__all__ = ["IntervalHistory", "PublishedInterval", "interval_history"]


@dataclass(frozen=True, slots=True)
class PublishedInterval:
    """An interval's rows as they were published last."""

    interval: str  # name
    label: str  # the same for people
    published: str  # ISO 8601, UTC
    run_id: str
    ids: int  # rows of the matrix
    input_rows: int | None  # None: not recorded
    quarantined: int  # ids without a row
    nan_share: float | None  # of the cells; None: not recorded
    digest: str
    warnings: tuple[str, ...] | None  # None: the record of the run is gone
    fault: str = ""  # why the table does not show these rows

    def to_json(self) -> dict[str, Any]:
        """The interval as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class IntervalHistory:
    """The newest intervals of a table, and what is wrong with any."""

    intervals: tuple[PublishedInterval, ...] = ()  # newest first
    faults: Mapping[str, str] = field(default_factory=dict)  # label: why it is not as recorded


def interval_history(layout: SinkLayout, newest: int) -> IntervalHistory:
    """The newest intervals of a table; none if it has no intervals.

    Those whose record is missing or damaged are among the faults only.

    Examples
    --------
    >>> interval_history(SinkLayout.of("nowhere"), 60).intervals
    ()
    """
    if layout.kind == "file":
        return IntervalHistory()
    look = look_at_table(layout, max(newest, COMPARED))
    found = sorted(look.known.values(), key=lambda one: one.start, reverse=True)[:newest]
    runs = records_of_runs(layout, {record.run_id for record in found})
    rows = tuple(_rows(found, runs, look.faults))
    return IntervalHistory(rows, look.labelled_faults(layout))


def _rows(
    found: list[IntervalRecord], runs: Mapping[str, RunRecord], faults: Mapping[str, str]
) -> Iterator[PublishedInterval]:
    for record in found:
        run, facts = runs.get(record.run_id), record.facts
        cells = facts.get("rows", 0) * facts.get("columns", 0)
        yield PublishedInterval(
            interval=record.name,
            label=record.label,
            published=record.published,
            run_id=record.run_id,
            ids=facts.get("rows", sum(one.rows for one in record.parts)),
            input_rows=facts.get("input_rows") or None,
            quarantined=facts.get("quarantined", len(record.quarantined)),
            nan_share=facts.get("nan_cells", 0) / cells if cells else None,
            digest=record.digest,
            warnings=warnings_of(run) if run else None,
            fault=faults.get(record.name, ""),
        )
