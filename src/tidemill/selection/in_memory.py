"""The relevance table of a frame: of all its rows together, or interval by interval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tidemill.errors import SelectionError, shorten
from tidemill.frames.arguments import count_threads
from tidemill.model.aliases import Index
from tidemill.model.counts import counted
from tidemill.selection.by_interval import (
    IntervalFindings,
    interval_table,
    untested_reason,
    window_relevance,
    window_target,
)
from tidemill.selection.columns import column_batches
from tidemill.selection.evidence import MISSING, Findings, measure
from tidemill.selection.relevance_frame import relevance_table
from tidemill.selection.rules import SelectionRules
from tidemill.selection.table_target import split_level
from tidemill.selection.targets import Target, infer_ml_task, read_target, with_levels_of
from tidemill.storage.delta import INTERVAL

__all__ = ["Relevance", "relevance_at_once", "relevance_by_interval"]


class Relevance(NamedTuple):
    """A relevance table, and what is said of it."""

    table: pd.DataFrame
    ml_task: str  # "classification" or "regression"
    windows: tuple[IntervalFindings, ...] = ()  # of each interval, if they are tested apart


def relevance_at_once(
    matrix: pd.DataFrame, y: pd.Series[Any], rules: SelectionRules, chunksize: int | None
) -> Relevance:
    """Test all rows of a frame together.

    Raises
    ------
    SelectionError
        If frame and target cannot be used.
    """
    if y.nunique(dropna=False) < 2:
        raise SelectionError(
            f"y has only one value (n_samples={len(y)}), so there is nothing to predict: give two"
        )
    target = read_target(
        y,
        matrix.index,
        rules.ml_task,
        multiclass=rules.multiclass,
        n_significant=rules.n_significant,
    )
    evidence = _measured(matrix, target, rules, chunksize)
    table = relevance_table(
        matrix.columns, evidence, target, rules.fdr_level, independent=rules.independent
    )
    return Relevance(table, target.ml_task)


def relevance_by_interval(
    matrix: pd.DataFrame, y: pd.Series[Any], rules: SelectionRules, chunksize: int | None
) -> Relevance:
    """Test the rows of each interval of a frame, whose index holds intervals, by themselves.

    Raises
    ------
    SelectionError
        If frame and target cannot be used.
    """
    if matrix.index.nlevels < 2 or INTERVAL not in matrix.index.names:
        raise SelectionError(
            f"per_window='interval' needs an index with the level 'interval', as read_matrix gives "
            f"it of a table of intervals; that of X has the levels {list(matrix.index.names)}"
        )
    given = _aligned(matrix, y)
    rules = replace(rules, ml_task=infer_ml_task(y) if rules.ml_task == "auto" else rules.ml_task)
    level = split_level(matrix.index)[0]
    found: list[IntervalFindings] = []
    for label, rows in _rows_by_label(level).items():
        own = given.iloc[rows]
        if why := untested_reason(own, rules):
            found.append(IntervalFindings(label, len(rows), why))
            continue
        target = window_target(own, rules)
        evidence = _measured(matrix.iloc[rows], target, rules, chunksize)
        relevance = window_relevance(matrix.columns, evidence, target, rules)
        found.append(IntervalFindings.of(label, len(rows), matrix.columns, evidence, relevance))
    table = interval_table(matrix.columns, found, rules.min_share)
    return Relevance(table, rules.ml_task, tuple(found))


def _rows_by_label(level: pd.Index[Any]) -> dict[str, Index]:
    """The rows of each interval, oldest first, by what people call it."""
    codes, starts = pd.factorize(level, sort=True)
    if (codes < 0).any():
        raise SelectionError(
            f"X lacks the interval in {int((codes < 0).sum()):,} rows; drop these rows"
        )
    order = np.argsort(codes, kind="stable")
    stops = np.cumsum(np.bincount(codes, minlength=len(starts)))[:-1]
    return dict(zip(_labels(pd.Index(starts)), np.split(order, stops), strict=True))


def _labels(starts: pd.Index[Any]) -> list[str]:
    """What people call intervals: by their dates if all begin a day, as in a table of intervals."""
    if isinstance(starts, pd.DatetimeIndex):
        second = pd.Timedelta(1, "s")
        if all((one - second).date() < one.date() for one in starts):
            return [one.date().isoformat() for one in starts]
        texts = list(map(_time_text, starts))
        if len(set(texts)) == len(texts):
            return texts
    return list(map(str, starts))


def _time_text(start: pd.Timestamp) -> str:
    """Date and time; with the offset if the local clock shows that time twice."""
    moment = start.to_pydatetime()
    text = moment.replace(tzinfo=None).isoformat(" ", "seconds" if moment.second else "minutes")
    once = moment.replace(fold=0).utcoffset() == moment.replace(fold=1).utcoffset()
    return text if once else text + moment.isoformat()[19:]


def _aligned(matrix: pd.DataFrame, y: pd.Series[Any]) -> pd.Series[Any]:
    """The target of each row: that of its interval and id, or of its id alone."""
    index = matrix.index
    if y.index.nlevels == index.nlevels - 1:
        _, ids = split_level(index)
        index = pd.MultiIndex.from_arrays(ids) if len(ids) > 1 else ids[0]
    y = with_levels_of(index, y)
    given = y.index
    if given.nlevels != index.nlevels:
        raise SelectionError(
            f"y has an index of {counted(given.nlevels, 'level')} and X of {index.nlevels}: give a "
            "target by interval and id, or by id alone"
        )
    if not given.is_unique:
        repeated = given[given.duplicated()].unique()
        raise SelectionError(f"y has several values for {shorten(map(repr, repeated))}; keep one")
    places = given.get_indexer(index)
    aligned = y.iloc[places]
    lacking = int(((places < 0) | aligned.isna().to_numpy()).sum())
    if lacking:
        raise SelectionError(
            f"y has no value for {counted(lacking, 'row')} of X: drop them from X, or give theirs"
        )
    return aligned.set_axis(matrix.index)


def _measured(
    matrix: pd.DataFrame, target: Target, rules: SelectionRules, chunksize: int | None
) -> Findings:
    evidence = measure(
        column_batches(matrix, chunksize),
        target,
        test=rules.test,
        threads=count_threads(rules.n_jobs),
    )
    missing = matrix.columns[evidence.types == MISSING]
    if len(missing):
        raise SelectionError(
            f"X lacks values in {len(missing):,} columns: {shorten(map(repr, missing))}; fill them "
            "with tidemill.selection.impute, or drop them"
        )
    return evidence
