"""Read what a report shows: the run's record, and the intervals up to its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from tidemill.execution.coverage import Coverage
from tidemill.execution.drift import Figures
from tidemill.execution.verdicts import verdict_of
from tidemill.model.verdict import Verdict
from tidemill.reports.html.features import FeatureLine, feature_lines
from tidemill.reports.html.history import History, Slot
from tidemill.reports.html.id_map import MOST_COMPARED, IdMap, map_ids
from tidemill.storage.intervals import (
    IntervalRecord,
    newest_names,
    read_coverages,
    read_figures,
    read_intervals,
)
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import RunRecord

__all__ = ["RunFacts", "collect"]

#: Intervals that a report looks back on, its own included.
LOOKED_BACK = 60
_READERS = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that a report shows."""

    record: RunRecord
    verdict: Verdict
    reports: frozenset[str] = frozenset()  # ids of the runs that have a report
    history: History | None = None  # None: a run without intervals
    features: tuple[FeatureLine, ...] = ()
    ids: IdMap | None = None


def collect(layout: SinkLayout, record: RunRecord, reports: frozenset[str]) -> RunFacts:
    """Read the facts of a run's report.

    Parameters
    ----------
    layout : the sink
    record : of the run
    reports : ids of the runs that have a report
    """
    verdict = verdict_of(record)
    if record.interval is None:
        return RunFacts(record, verdict, reports)
    known = read_intervals(layout, newest_names(layout, LOOKED_BACK, record.interval))
    history = History.of(list(known.values()), record)
    records = [_record_of(slot, known) for slot in history.slots]
    return RunFacts(
        record,
        verdict,
        reports,
        history,
        _features(layout, record, records),
        map_ids(history, _present_ids(layout, records)),
    )


def _record_of(slot: Slot, known: Mapping[str, IntervalRecord]) -> IntervalRecord | None:
    """The record of what a slot shows; None if that is not published, or no longer."""
    record = known.get(slot.name)
    return record if record is not None and record.run_id == slot.run_id else None


def _features(
    layout: SinkLayout, record: RunRecord, records: Sequence[IntervalRecord | None]
) -> tuple[FeatureLine, ...]:
    """The features that moved most, over the intervals whose figures are known."""
    moved = record.acceptance.get("features", {}).get("moved")
    if not moved:
        return ()
    with ThreadPoolExecutor(_READERS, "tidemill-report") as pool:
        found = pool.map(lambda one: read_figures(layout, one) if one else None, records)
        return feature_lines(moved, [_parsed(Figures.from_bytes, data) for data in found])


def _present_ids(
    layout: SinkLayout, records: Sequence[IntervalRecord | None]
) -> list[pa.Array | None]:
    """The ids of each interval's input; None where they are not known, or are too many."""
    known = [one for one in records if one is not None]
    if sum(one.facts.get("rows", 0) for one in known) > MOST_COMPARED:
        return [None] * len(records)
    data = read_coverages(layout, known)
    found = [_parsed(Coverage.from_bytes, data.get(one.name)) if one else None for one in records]
    return [one.ids if one is not None and one.grain != "buckets" else None for one in found]


def _parsed(read: Callable[[bytes], T], data: bytes | None) -> T | None:
    """What a file holds; None if it is missing or damaged."""
    try:
        return None if data is None else read(data)
    except ValueError:
        return None
