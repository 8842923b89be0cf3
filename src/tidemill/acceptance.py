"""Before the rows of an interval are published: their figures, the checks, and what they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from tidemill.checks import Facts, Finding, failures, find
from tidemill.composites import id_fields, tuple_text
from tidemill.errors import CheckError, SinkError
from tidemill.parts import part_schema
from tidemill.plan import Plan
from tidemill.run import Run
from tidemill.storage.intervals import latest_interval, read_intervals
from tidemill.storage.markers import Marker
from tidemill.storage.matrix import read_matrix
from tidemill.storage.tables import open_whole, read_parquets

__all__ = ["Acceptance", "accept"]

#: Ids that a run record names of those whose rows changed.
NAMED = 1_000


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is known of an interval's new rows before anybody sees them."""

    facts: Facts
    findings: Sequence[Finding] = ()
    replaced: str = ""  # id of the run whose rows they replace
    changes: Mapping[str, Any] = field(default_factory=dict)  # added, removed, altered: ids

    def to_json(self) -> dict[str, Any]:
        """In JSON values, as the run record holds it."""
        return {
            "replaced": self.replaced,
            "facts": asdict(self.facts),
            "checks": [asdict(finding) for finding in self.findings],
            "changes": dict(self.changes),
        }


def accept(
    run: Run,
    plan: Plan,
    markers: Sequence[Marker],
    failed_cells: int,
) -> Acceptance:
    """Measure an interval's rows, compare them, and check them.

    Raises
    ------
    CheckError
        If a check of level "fail" fails; what was published before stays.
    """
    interval = plan.interval
    assert interval is not None, "the plan is about an interval"
    facts = _facts(run, plan, markers, failed_cells)
    before = latest_interval(run.layout, until=interval.start)
    findings = find(plan.checks, facts, Facts(**before.facts) if before else None)
    if bad := failures(findings):
        raise CheckError(
            f"interval {interval.name}: {'; '.join(one.sentence for one in bad)}. Nothing is "
            "published, the rows of before stay; mend the input, or change checks"
        )
    replaced = read_intervals(run.layout, [interval.name]).get(interval.name)
    if replaced is None:
        return Acceptance(facts, findings)
    changes = _changes(run, plan, markers, interval.name)
    return Acceptance(facts, findings, replaced.run_id, changes)


def _facts(run: Run, plan: Plan, markers: Sequence[Marker], failed_cells: int) -> Facts:
    return Facts(
        rows=sum(marker.rows for marker in markers),
        columns=len(plan.columns),
        quarantined=sum(len(marker.quarantined) for marker in markers),
        failed_cells=failed_cells,
        nan_cells=sum(_nan_cells(run, marker) for marker in markers if marker.rows),
    )


def _nan_cells(run: Run, marker: Marker) -> int:
    count = 0
    with open_whole(run.key.data, marker.path) as source, pq.ParquetFile(source) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, use_threads=False)
            count += sum(
                int(np.isnan(chunk.to_numpy(zero_copy_only=False)).sum())
                for column in table.columns[len(id_fields(table.schema)) :]
                for chunk in column.chunks
            )
    return count


def _changes(run: Run, plan: Plan, markers: Sequence[Marker], interval: str) -> dict[str, Any]:
    """Ids whose rows are new, gone or other than before."""
    try:
        old = read_matrix(run.sink, interval, run.storage_options)
    except SinkError:
        return {}  # its record is there, its rows are not
    paths = [marker.path for marker in markers if marker.rows]
    table = read_parquets(run.key.data, paths, part_schema(plan))
    new: pd.DataFrame = table.to_pandas().set_index([one.name for one in id_fields(table.schema)])
    common = new.index.intersection(old.index)
    columns = [name for name in plan.columns if name in old.columns]
    same = _same(new.loc[common, columns].to_numpy(), old.loc[common, columns].to_numpy())
    altered = common[~same] if len(columns) == len(plan.columns) else common
    return {
        "added": _named(new.index.difference(old.index)),
        "removed": _named(old.index.difference(new.index)),
        "altered": _named(altered),
    }


def _same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    same: np.ndarray[Any, Any] = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return same


def _named(ids: pd.Index) -> dict[str, Any]:
    named = (tuple_text(one) if isinstance(one, tuple) else str(one) for one in ids[:NAMED])
    return {"count": len(ids), "ids": list(named)}
