"""Choose columns of a published matrix that need not fit into memory: some columns at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tidemill.errors import ArgumentError, shorten
from tidemill.frames.arguments import count_threads
from tidemill.model.aliases import Floats, Index
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.model.verdict import Verdict
from tidemill.selection.by_interval import (
    EMPTY,
    IntervalFindings,
    interval_table,
    told_untested,
    untested_reason,
    window_relevance,
    window_target,
)
from tidemill.selection.columns import BATCH_VALUES, ColumnBatch
from tidemill.selection.evidence import CONSTANT, MISSING, Findings, measure
from tidemill.selection.impute import impute
from tidemill.selection.rules import SelectionRules
from tidemill.selection.table_request import MAX_BYTES, TableSelection
from tidemill.selection.table_target import Matched, matched_rows
from tidemill.selection.target_file import read_target_file
from tidemill.selection.targets import Target, read_target
from tidemill.storage.intervals import labels_of_names
from tidemill.storage.matrix_columns import MatrixColumns

__all__ = ["SelectedColumns", "select_columns", "select_from_table"]

log = engine_log(__name__)

#: Classes above which a target is rather one of numbers.
MANY_CLASSES = 50


@dataclass(frozen=True, slots=True)
class SelectedColumns:
    """The columns that were chosen, and why."""

    relevance: pd.DataFrame  # a row per feature: those of the relevance table, imputed, chosen
    chosen: tuple[str, ...]  # most relevant first
    target: Target
    p_values: dict[
        Any, Floats
    ]  # class ("" of two classes or none) to those of its tests, ascending
    rows: int  # of the matrix that have a target
    rows_without_target: int
    targets_without_row: int
    intervals: int  # 0: the table has none
    batches: int  # in which the columns were read
    fdr_level: float
    independent: bool
    seconds: float = field(compare=False)
    windows: tuple[IntervalFindings, ...] = ()  # of each interval, if they are tested apart
    min_share: float = 0.5  # of these, in which relevant features are so

    def names_of(self, kind: str) -> list[str]:
        """The features of a type, such as "constant"."""
        return list(self.relevance["feature"][self.relevance["type"] == kind])

    @property
    def relevant(self) -> int:
        """How many features are relevant, chosen or not."""
        return int(self.relevance["relevant"].sum())

    @property
    def verdict(self) -> Verdict:
        """In one line."""
        done = f"{len(self.chosen):,} of {counted(len(self.relevance), 'feature')} chosen"
        if self.relevant > len(self.chosen):
            done += f", of {self.relevant:,} relevant ones"
        dropped = [
            f"{len(names):,} {why}"
            for kind, why in ((EMPTY, "without a finite value"), ("constant", "constant"))
            if (names := self.names_of(kind))
        ]
        if self.windows:
            done += f", relevant in {self._share_of_intervals}"
        done += f", by {counted(self.rows, 'row')}" + "; dropped: " * bool(dropped)
        return Verdict("Completed", done + ", ".join(dropped), self.warnings)

    @property
    def _share_of_intervals(self) -> str:
        tested = sum(not one.untested for one in self.windows)
        return f"{self.min_share:.3g} of {counted(tested, 'interval')} or more"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the columns are used."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        if not self.chosen:
            where = f" in {self._share_of_intervals}" * bool(self.windows)
            yield (
                f"no feature is relevant at fdr_level={self.fdr_level}{where}: no settings are "
                "written, and those of an earlier run stay"
            )
        yield from told_untested(self.windows)
        if len(self.target.labels) > MANY_CLASSES:
            yield (
                f"the target has {len(self.target.labels):,} classes; if it is a number, give "
                "ml_task='regression'"
            )


def select_from_table(request: TableSelection) -> SelectedColumns:
    """Test every column of a published matrix against a target, and choose the relevant ones.

    The p-values and the chosen columns are those of
    :func:`~tidemill.selection.select.select_features` for the whole matrix, imputed; with
    ``per_window="interval"`` for the rows of each interval, imputed by themselves.

    Parameters
    ----------
    request : what is asked for

    Raises
    ------
    ArgumentError
        If the target does not fit the matrix.
    SinkError
        If nothing is published.
    """
    columns = MatrixColumns.open(request.matrix, request.interval)
    ids = columns.ids
    names = request.column_id or tuple(ids.schema.names)
    if len(names) != ids.num_columns:
        raise ArgumentError(
            f"column_id={list(names)!r} is not allowed: the ids of {request.matrix.url} consist of "
            f"{shorten(map(repr, ids.schema.names))}; name one column of the target for each"
        )
    given = read_target_file(
        request.target, request.column_target, names, ids.schema.types, request.column_interval
    )
    argument = f"target={request.target.url!r}"
    return select_columns(
        columns, given, argument, request, request.max_bytes, request.max_features
    )


def select_columns(
    columns: MatrixColumns,
    given: pd.Series[Any],
    argument: str,
    rules: SelectionRules,
    max_bytes: int = MAX_BYTES,
    max_features: int | None = None,
) -> SelectedColumns:
    """Test every column of an opened matrix against a target.

    Parameters
    ----------
    columns : the matrix
    given : the target by id, or by interval and id
    argument : that gave it, for messages
    rules : how columns are tested
    max_bytes : of values that are held at a time
    max_features : that are chosen at most

    Raises
    ------
    ArgumentError
        If the target does not fit the matrix, or has only one value.
    SelectionError
        If it has so in every interval.
    """
    started = time.perf_counter()
    if rules.per_window and not columns.intervals:
        raise ArgumentError(
            f"per_window={rules.per_window!r} is not allowed: {columns.layout.url} is not divided "
            "into intervals; leave it out"
        )
    matched = matched_rows(columns, given, argument)
    if not rules.per_window and matched.target.nunique() < 2:
        raise ArgumentError(
            f"{argument} has only one value for the {counted(len(matched.rows), 'row')} of "
            f"{columns.layout.url} that it fits, so there is nothing to predict: give two"
        )
    target = read_target(
        matched.target,
        matched.target.index,
        rules.ml_task,
        multiclass=rules.multiclass,
        n_significant=rules.n_significant,
    )
    work = _MatrixTests(columns, matched, target, rules, max_bytes)
    relevance, p_values, windows, batches = (
        work.by_interval() if rules.per_window else work.at_once()
    )
    chosen = _ranked(relevance)[:max_features]
    relevance["chosen"] = relevance["feature"].isin(chosen)
    return SelectedColumns(
        relevance=relevance,
        chosen=tuple(chosen),
        target=target,
        p_values=p_values,
        rows=len(matched.rows),
        rows_without_target=len(columns) - len(matched.rows),
        targets_without_row=matched.without_row,
        intervals=len(columns.intervals),
        batches=batches,
        fdr_level=rules.fdr_level,
        independent=rules.independent,
        seconds=time.perf_counter() - started,
        windows=windows,
        min_share=rules.min_share,
    )


class _Tested(NamedTuple):
    """What was found about all columns."""

    relevance: pd.DataFrame
    p_values: dict[Any, Floats]
    windows: tuple[IntervalFindings, ...]
    batches: int


@dataclass(frozen=True, slots=True)
class _MatrixTests:
    """The columns of a matrix, and what they are tested against."""

    columns: MatrixColumns
    matched: Matched
    target: Target
    rules: SelectionRules
    max_bytes: int

    def width(self, columns: MatrixColumns, rows: Index) -> int:
        """How many columns are held at a time: of a file all rows are read, targets or not."""
        return max(1, self.max_bytes // (2 * 8 * max(len(rows), *columns.lengths)))

    def at_once(self) -> _Tested:
        """Test the rows of all intervals together."""
        names, rows = self.columns.names, self.matched.rows
        width = self.width(self.columns, rows)
        evidence, imputed = _measured(self.columns, rows, self.target, self.rules, width)
        relevance = _relevance(names, evidence, imputed, self.target, self.rules)
        p_values = _sorted_p_values(evidence, self.target)
        return _Tested(relevance, p_values, (), -(-len(names) // width))

    def by_interval(self) -> _Tested:
        """Test the rows of each interval by themselves."""
        columns, names = self.columns, pd.Index(self.columns.names)
        labels = labels_of_names(columns.layout, columns.intervals, {})
        rules = replace(self.rules, ml_task=self.target.ml_task)
        imputed, batches = np.zeros(len(names), np.int64), 0
        found: list[IntervalFindings] = []
        for interval in columns.intervals:
            first, part = columns.of_interval(interval)
            own = (self.matched.rows >= first) & (self.matched.rows < first + len(part))
            y, rows = self.matched.target[own], self.matched.rows[own] - first
            if why := untested_reason(y, rules):
                found.append(IntervalFindings(labels[interval], len(y), why))
                continue
            target, width = window_target(y, rules), self.width(part, rows)
            evidence, filled = _measured(part, rows, target, rules, width)
            table = window_relevance(names, evidence, target, rules)
            found.append(IntervalFindings.of(labels[interval], len(y), names, evidence, table))
            log.info(
                "interval %s: %s", labels[interval], counted(found[-1].count, "relevant feature")
            )
            imputed += filled
            batches += -(-len(names) // width)
        relevance = interval_table(names, found, rules.min_share)
        relevance["imputed"] = pd.Series(imputed, index=names)[relevance["feature"]].to_numpy()
        return _Tested(relevance.reset_index(drop=True), {}, tuple(found), batches)


def _measured(
    columns: MatrixColumns, rows: Index, target: Target, rules: SelectionRules, width: int
) -> tuple[Findings, Index]:
    """What all columns say, and how many values of each are imputed."""
    m = len(columns.names)
    types = np.full(m, MISSING, np.int64)
    p_values = np.full((max(len(target.labels), 1), m), np.nan)
    imputed = np.zeros(m, np.int64)
    for first in range(0, m, width):
        names = columns.names[first : first + width]
        values = columns.read(names, rows)
        finite = np.isfinite(values).sum(axis=1)
        imputed[first : first + width] = len(rows) - finite
        usable = np.flatnonzero(finite)
        found = measure(
            _pieces(values, usable), target, test=rules.test, threads=count_threads(rules.n_jobs)
        )
        types[first + usable] = found.types
        p_values[:, first + usable] = found.p_values
        log.info("tested %s of %s columns", f"{first + len(names):,}", f"{m:,}")
    return Findings(types, p_values), imputed


def _pieces(values: Floats, usable: Index) -> Iterator[ColumnBatch]:
    """Columns with a finite value, imputed, so many as stay in a core's cache while tested."""
    width = max(1, BATCH_VALUES // values.shape[1])
    for first in range(0, len(usable), width):
        piece = values[usable[first : first + width]]
        gaps = ~np.isfinite(piece).all(axis=1)
        if gaps.any():
            piece[gaps] = impute(pd.DataFrame(piece[gaps].T)).to_numpy().T
        yield ColumnBatch(np.arange(first, first + len(piece)), piece)


def _relevance(
    names: Sequence[str],
    evidence: Findings,
    imputed: Index,
    target: Target,
    rules: SelectionRules,
) -> pd.DataFrame:
    """The relevance table with columns that hold nothing at its end."""
    table = window_relevance(pd.Index(names), evidence, target, rules)
    empty = [name for name, type_ in zip(names, evidence.types, strict=True) if type_ == MISSING]
    rest = pd.DataFrame({"feature": empty, "type": EMPTY}, columns=table.columns, index=empty)
    for column in table.columns:
        if str(column).startswith("relevant") or column == "n_significant":
            rest[column] = 0
    table = pd.concat([table, rest.astype(table.dtypes)]) if empty else table
    table["imputed"] = pd.Series(imputed, index=list(names))[table["feature"]].to_numpy()
    return table.reset_index(drop=True)


def _ranked(relevance: pd.DataFrame) -> list[str]:
    """The relevant features: those of most intervals or classes first, then by smallest p-value."""
    table = relevance[relevance["relevant"]]
    smallest = table.filter(regex="^p_value").min(axis=1)
    one = pd.Series(1, index=table.index)
    counts = table.get("n_relevant", table.get("n_significant", one))
    keys = pd.DataFrame({"n": -counts.astype(int), "p": smallest})
    return list(table.loc[keys.sort_values(["n", "p"], kind="stable").index, "feature"])


def _sorted_p_values(evidence: Findings, target: Target) -> dict[Any, Floats]:
    tested = evidence.types > CONSTANT
    rows = (np.sort(found[tested]) for found in evidence.p_values)
    if len(target.labels) <= 2:  # two classes have the same p-values
        return {"": next(rows)}
    return dict(zip(target.labels, rows, strict=True))
