"""Before an interval is published: measure its rows, apply the checks, and compare with before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.errors import CheckError, DamagedFileError, SinkError
from tidemill.execution.checks import CheckResult, Compared, ResultCounts, failures, find, measure
from tidemill.execution.coverage import (
    Coverage,
    CoverageDrop,
    CoverageGatherer,
    coverage_drop,
)
from tidemill.execution.drift import Figures, Gatherer, all_nan, most_nan, moves
from tidemill.model.ids import id_fields, tuple_text
from tidemill.model.interval import Interval
from tidemill.model.logs import engine_log
from tidemill.model.plan import Plan
from tidemill.planning.settings_change import settings_change
from tidemill.storage.intervals import (
    IntervalRecord,
    latest_interval,
    newest_names,
    read_coverages,
    read_figures,
    read_intervals,
)
from tidemill.storage.markers import Marker
from tidemill.storage.part_writer import part_schema
from tidemill.storage.read_matrix import read_rows
from tidemill.storage.run_address import Run
from tidemill.storage.tables import open_whole, read_parquets
from tidemill.storage.transient import is_transient

__all__ = ["Acceptance", "accept"]

log = engine_log(__name__)

#: Changed ids named in a run record.
NAMED = 1_000
#: Earlier intervals whose values per id and kind are compared.
EARLIER = 7
_READERS = 8  # threads that read the counts of parts


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is known about an interval's new rows before they are published."""

    facts: ResultCounts
    figures: Figures  # of its columns
    features: Mapping[str, Any]  # that moved most, or have the most NaN: JSON values
    measures: Mapping[str, Any]  # the figure and limits of each check: JSON values
    findings: Sequence[CheckResult] = ()
    coverage: Coverage | None = None  # values per id and kind; None: not known of all parts
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)  # new, vanished: kinds
    replaced: str = ""  # id of the run whose rows are replaced
    changes: Mapping[str, Any] = field(default_factory=dict)  # added, removed, altered: ids
    settings_change: str = ""  # in words: how settings differ from those of the replaced rows

    def to_json(self) -> dict[str, Any]:
        """As JSON values for the run record."""
        return {
            "replaced": self.replaced,
            "facts": asdict(self.facts),
            "measures": dict(self.measures),
            "checks": [asdict(finding) for finding in self.findings],
            "features": dict(self.features),
            "columns": {name: list(kinds) for name, kinds in self.columns.items()},
            "changes": dict(self.changes),
            "settings_change": self.settings_change,
        }


def accept(
    run: Run,
    plan: Plan,
    markers: Sequence[Marker],
    failed_cells: int,
) -> Acceptance:
    """Measure an interval's rows, compare them with published ones, and check them.

    Raises
    ------
    CheckError
        If a check of level "fail" fails; the previous rows stay published.
    """
    interval = plan.interval
    assert interval is not None, "the plan is for an interval"
    figures = _figures(run, plan, markers)
    facts = _facts(plan, figures, markers, failed_cells)
    before = latest_interval(run.layout, interval)
    coverage = _coverage(run, markers)
    compared = Compared(
        facts,
        ResultCounts(**before.facts) if before else None,
        _coverage_drop(run, coverage, before),
        tuple(one.path for one in plan.source.bad_files),
    )
    findings = find(plan.checks, compared)
    accepted = Acceptance(
        facts,
        figures,
        _features(run, figures, before),
        measure(plan.checks, compared),
        findings,
        coverage,
        _new_and_vanished(plan, before),
    )
    if bad := failures(findings):
        raise _refusal(interval, bad, accepted)
    replaced = read_intervals(run.layout, [interval.name]).get(interval.name)
    if replaced is None:
        return replace(accepted, changes=_all_added(run, plan, markers))
    changes = _changes(run, plan, markers, interval.name)
    change = settings_change(plan.settings, plan.policies, replaced, interval)
    return replace(accepted, replaced=replaced.run_id, changes=changes, settings_change=change.text)


def _refusal(interval: Interval, bad: Sequence[CheckResult], accepted: Acceptance) -> CheckError:
    """The error of a result that failed checks, with all that was measured of it."""
    error = CheckError(
        f"interval {interval.label}: {'; '.join(one.sentence for one in bad)}. Nothing is "
        "published, the previous rows are kept; fix the input, or change checks"
    )
    error.found = {"acceptance": accepted.to_json()}
    return error


def _facts(
    plan: Plan, figures: Figures, markers: Sequence[Marker], failed_cells: int
) -> ResultCounts:
    return ResultCounts(
        rows=sum(marker.rows for marker in markers),
        columns=len(figures.columns),
        quarantined=sum(len(marker.quarantined) for marker in markers),
        failed_cells=failed_cells,
        nan_cells=int(figures.nan.sum()),
        input_rows=sum(marker.input_rows for marker in markers),
        files=len(plan.source.files),
        bad_files=len(plan.source.bad_files),
    )


def _coverage(run: Run, markers: Sequence[Marker]) -> Coverage | None:
    """The values per id and kind of all parts; None if an older version calculated some."""
    gatherer = CoverageGatherer()
    with ThreadPoolExecutor(_READERS, "tidemill-coverage") as pool:
        for first in range(0, len(markers), 2 * _READERS):
            some = markers[first : first + 2 * _READERS]
            for part in pool.map(lambda marker: _coverage_of(run, marker), some):
                if part is None:
                    return None
                gatherer.merge(part)
    return gatherer.coverage()


def _coverage_of(run: Run, marker: Marker) -> Coverage | None:
    try:
        return Coverage.from_bytes(run.key.state.read(marker.coverage)) if marker.coverage else None
    except (FileNotFoundError, ValueError):
        return None


def _coverage_drop(
    run: Run, coverage: Coverage | None, before: IntervalRecord | None
) -> CoverageDrop | None:
    """The values that are missing compared with earlier intervals, as far as theirs are known."""
    if coverage is None or before is None:
        return None
    names = newest_names(run.layout, EARLIER, before.name)
    records = read_intervals(run.layout, names).values()
    found = {
        name: one
        for name, data in read_coverages(run.layout, records).items()
        if (one := _parsed(data)) is not None
    }
    label = before.label if before.name in found else None
    return coverage_drop(coverage, list(found.values()), label)


def _parsed(data: bytes) -> Coverage | None:
    """What a file holds; None if it is damaged."""
    try:
        return Coverage.from_bytes(data)
    except ValueError:
        return None


def _new_and_vanished(plan: Plan, before: IntervalRecord | None) -> dict[str, list[str]]:
    """Columns of the input that the interval before did not have, and those that only it had."""
    old = before.kinds if before else ()
    if not old:
        return {"new": [], "vanished": []}  # nothing to compare with
    now = plan.source.kinds
    return {
        "new": [kind for kind in now if kind not in old],
        "vanished": [kind for kind in old if kind not in now],
    }


def _figures(run: Run, plan: Plan, markers: Sequence[Marker]) -> Figures:
    """The figures of all columns, reading the parts once, one row group at a time."""
    gatherer = Gatherer(plan.columns)
    for marker in markers:
        if not marker.rows:
            continue
        with open_whole(run.key.data, marker.path) as source, pq.ParquetFile(source) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, use_threads=False)
                features = table.columns[len(id_fields(table.schema)) :]
                gatherer.add(column.to_numpy() for column in features)
    return gatherer.figures()


def _features(run: Run, figures: Figures, before: IntervalRecord | None) -> dict[str, Any]:
    """What a report says about individual features, as JSON values."""
    known = _figures_of(run, before) if before else None
    return {
        "before": before.label if before else None,
        "moved": None if known is None else moves(figures, known),
        "most_nan": most_nan(figures),
        "all_nan": all_nan(figures),
    }


def _figures_of(run: Run, record: IntervalRecord) -> Figures | None:
    """The figures of a published interval; None if they are missing or damaged."""
    data = read_figures(run.layout, record)
    try:
        return None if data is None else Figures.from_bytes(data)
    except ValueError:
        return None


def _changes(run: Run, plan: Plan, markers: Sequence[Marker], interval: str) -> dict[str, Any]:
    """Ids whose rows were added, removed, or altered in the columns that both versions have."""
    old = _rows_before(run, interval)
    if old is None:
        return {}
    paths = [marker.path for marker in markers if marker.rows]
    table = read_parquets(run.key.data, paths, part_schema(plan))
    new: pd.DataFrame = table.to_pandas().set_index([one.name for one in id_fields(table.schema)])
    common = new.index.intersection(old.index)
    columns = [name for name in plan.columns if name in old.columns]
    same = _same(_values(new, common, columns), _values(old, common, columns))
    return {
        "added": _named(new.index.difference(old.index)),
        "removed": _named(old.index.difference(new.index)),
        "altered": _named(common[~same]),
    }


def _rows_before(run: Run, interval: str) -> pd.DataFrame | None:
    """The rows that are replaced; None if there are none, or none that can be compared by id."""
    try:
        old = read_rows(run.layout, interval)
    except DamagedFileError as error:
        fault = f"cannot be read ({error})"
    except SinkError:
        return None  # it has a record but no rows
    except (pa.ArrowException, OSError) as error:
        if is_transient(error):
            raise
        fault = f"cannot be read ({error})"
    else:
        fault = "" if old.index.is_unique else "hold ids more than once"
    if fault:
        log.warning(
            "the rows of interval %s that are replaced %s: its ids are not compared with them",
            interval,
            fault,
        )
        return None
    return old.select_dtypes("number")  # whatever another writer made of its columns


def _all_added(run: Run, plan: Plan, markers: Sequence[Marker]) -> dict[str, Any]:
    """The changes of a new interval: all ids are added; only the first of many are read."""
    names = [field.name for field in id_fields(part_schema(plan))]
    found, rows = [], 0
    for marker in markers:
        if marker.rows and rows < NAMED:
            with open_whole(run.key.data, marker.path) as source, pq.ParquetFile(source) as file:
                found.append(file.read(names, use_threads=False))
                rows += marker.rows
    ids: pd.DataFrame = pa.concat_tables(found).to_pandas()
    none = _named(ids.iloc[:0].set_index(names).index)
    added = _named(ids.set_index(names).index)
    total = sum(marker.rows for marker in markers)
    return {"added": {**added, "count": total}, "removed": none, "altered": none}


def _values(frame: pd.DataFrame, ids: pd.Index, columns: Sequence[str]) -> np.ndarray[Any, Any]:
    """The rows of some ids, by position: boolean ids would be taken for a mask."""
    values: np.ndarray[Any, Any] = frame[list(columns)].to_numpy()
    return values[frame.index.get_indexer(ids)]


def _same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    same: np.ndarray[Any, Any] = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    return same


def _named(ids: pd.Index) -> dict[str, Any]:
    named = (tuple_text(one) if isinstance(one, tuple) else str(one) for one in ids[:NAMED])
    return {"count": len(ids), "ids": list(named)}
