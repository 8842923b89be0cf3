"""Choose columns of a published matrix that need not fit into memory: some columns at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tidemill.errors import ArgumentError, shorten
from tidemill.frames.arguments import count_threads
from tidemill.model.aliases import Floats, Index
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.model.verdict import Verdict
from tidemill.selection.columns import BATCH_VALUES, ColumnBatch
from tidemill.selection.evidence import CONSTANT, MISSING, Findings, measure
from tidemill.selection.impute import impute
from tidemill.selection.relevance import relevance_table
from tidemill.selection.table_request import TableSelection
from tidemill.selection.target_file import index_of, read_target_file
from tidemill.selection.targets import Target, read_target
from tidemill.storage.delta import INTERVAL
from tidemill.storage.matrix_columns import MatrixColumns

__all__ = ["SelectedColumns", "select_from_table"]

log = engine_log(__name__)

#: Type of a column that holds no finite value, in the relevance table.
EMPTY = "empty"
#: Classes above which a target is rather one of numbers.
MANY_CLASSES = 50
#: Ids in a message.
NAMED = 3


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
        done += f", by {counted(self.rows, 'row')}" + "; dropped: " * bool(dropped)
        return Verdict("Completed", done + ", ".join(dropped), self.warnings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the columns are used."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        if not self.chosen:
            yield (
                f"no feature is relevant at fdr_level={self.fdr_level}: no settings are written, "
                "and those of an earlier run stay"
            )
        if len(self.target.labels) > MANY_CLASSES:
            yield (
                f"the target has {len(self.target.labels):,} classes; if it is a number, give "
                "ml_task='regression'"
            )


def select_from_table(request: TableSelection) -> SelectedColumns:
    """Test every column of a published matrix against a target, and choose the relevant ones.

    The p-values and the chosen columns are those of
    :func:`~tidemill.selection.select.select_features` for the whole matrix, imputed.

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
    started = time.perf_counter()
    columns = MatrixColumns.open(request.matrix, request.interval)
    matched = _matched(columns, request)
    target = read_target(
        matched.target,
        matched.target.index,
        request.ml_task,
        multiclass=request.multiclass,
        n_significant=request.n_significant,
    )
    width = max(1, request.max_bytes // (2 * 8 * len(matched.rows)))
    evidence, imputed = _measured(columns, matched.rows, target, request.test, width)
    relevance = _relevance(columns.names, evidence, imputed, target, request)
    chosen = _ranked(relevance)[: request.max_features]
    relevance["chosen"] = relevance["feature"].isin(chosen)
    return SelectedColumns(
        relevance=relevance,
        chosen=tuple(chosen),
        target=target,
        p_values=_sorted_p_values(evidence, target),
        rows=len(matched.rows),
        rows_without_target=len(columns) - len(matched.rows),
        targets_without_row=matched.without_row,
        intervals=len(columns.intervals),
        batches=-(-len(columns.names) // width),
        fdr_level=request.fdr_level,
        independent=request.independent,
        seconds=time.perf_counter() - started,
    )


class _Matched(NamedTuple):
    """Rows of a matrix and their targets, in the order of the index that read_matrix gives."""

    rows: Index
    target: pd.Series[Any]
    without_row: int  # targets


def _matched(columns: MatrixColumns, request: TableSelection) -> _Matched:
    ids = columns.ids
    names = request.column_id or tuple(ids.schema.names)
    if len(names) != ids.num_columns:
        raise ArgumentError(
            f"column_id={list(names)!r} is not allowed: the ids of {request.matrix.url} consist of "
            f"{shorten(map(repr, ids.schema.names))}; name one column of the target for each"
        )
    given = read_target_file(request.target, request.column_target, names, ids.schema.types)
    index = index_of(ids)
    places = given.index.get_indexer(index)
    rows = np.flatnonzero(places >= 0)
    without_row = len(given) - len(np.unique(places[rows]))
    if not len(rows):
        raise ArgumentError(
            f"target={request.target.url!r} has no id of {request.matrix.url}: it has "
            f"{_some(given.index)}, and the matrix {_some(index)}"
        )
    target = given.iloc[places[rows]]
    target.index = _with_intervals(index, columns)[rows]
    if not target.index.is_monotonic_increasing:
        order = target.index.argsort()
        rows, target = rows[order], target.iloc[order]
    return _Matched(rows, target, without_row)


def _with_intervals(index: pd.Index[Any], columns: MatrixColumns) -> pd.Index[Any]:
    if len(columns.intervals) < 2:
        return index
    levels = [index.get_level_values(place) for place in range(index.nlevels)]
    return pd.MultiIndex.from_arrays(
        [columns.row_intervals(), *levels], names=[INTERVAL, *index.names]
    )


def _some(index: pd.Index[Any]) -> str:
    return f"{shorten(map(repr, index[:NAMED]))} ({index.dtype}, {counted(len(index), 'row')})"


def _measured(
    columns: MatrixColumns, rows: Index, target: Target, test: str, width: int
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
        found = measure(_pieces(values, usable), target, test=test, threads=count_threads(None))
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
    request: TableSelection,
) -> pd.DataFrame:
    """The relevance table with columns that hold nothing at its end."""
    usable = np.flatnonzero(evidence.types != MISSING)
    table = relevance_table(
        pd.Index(names)[usable],
        Findings(evidence.types[usable], evidence.p_values[:, usable]),
        target,
        request.fdr_level,
        independent=request.independent,
    )
    empty = [name for name, type_ in zip(names, evidence.types, strict=True) if type_ == MISSING]
    rest = pd.DataFrame({"feature": empty, "type": EMPTY}, columns=table.columns, index=empty)
    for column in table.columns:
        if str(column).startswith("relevant") or column == "n_significant":
            rest[column] = 0
    table = pd.concat([table, rest.astype(table.dtypes)]) if empty else table
    table["imputed"] = pd.Series(imputed, index=list(names))[table["feature"]].to_numpy()
    return table.reset_index(drop=True)


def _ranked(relevance: pd.DataFrame) -> list[str]:
    """The relevant features: those of most classes first, then those with the smallest p-value."""
    table = relevance[relevance["relevant"]]
    smallest = table.filter(regex="^p_value").min(axis=1)
    counts = table.get("n_significant", pd.Series(1, index=table.index))
    keys = pd.DataFrame({"n": -counts.astype(int), "p": smallest})
    return list(table.loc[keys.sort_values(["n", "p"], kind="stable").index, "feature"])


def _sorted_p_values(evidence: Findings, target: Target) -> dict[Any, Floats]:
    tested = evidence.types > CONSTANT
    rows = (np.sort(found[tested]) for found in evidence.p_values)
    if len(target.labels) <= 2:  # two classes have the same p-values
        return {"": next(rows)}
    return dict(zip(target.labels, rows, strict=True))
