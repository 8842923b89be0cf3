"""The relevance table: a feature matrix against a target, column by column."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pandas as pd

from tidemill.errors import SelectionError, shorten
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.selection.by_interval import told_untested
from tidemill.selection.in_memory import Relevance, relevance_at_once, relevance_by_interval
from tidemill.selection.rules import SelectionRules, check_rules
from tidemill.selection.table import select_columns
from tidemill.storage.layout import SinkLayout
from tidemill.storage.matrix_columns import MatrixColumns

__all__ = ["calculate_relevance_table"]

log = engine_log(__name__)


def calculate_relevance_table(
    X: pd.DataFrame | str | os.PathLike[str],
    y: pd.Series[Any],
    ml_task: str = "auto",
    multiclass: bool = False,
    n_significant: int = 1,
    n_jobs: int | None = None,
    show_warnings: bool = False,
    chunksize: int | None = None,
    test_for_binary_target_binary_feature: str = "fisher",
    test_for_binary_target_real_feature: str = "mann",
    test_for_real_target_binary_feature: str = "mann",
    test_for_real_target_real_feature: str = "kendall",
    fdr_level: float = 0.05,
    hypotheses_independent: bool = False,
    *,
    per_window: Literal["interval"] | None = None,
    min_share: float = 0.5,
    storage_options: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Test every column of a feature matrix against a target.

    The parameters, their order and the table are tsfresh's; the last ones, given by name, are
    tidemill's. Every column gets a p-value for the hypothesis that it has nothing to do with the
    target (for each class against all others, if the target has classes); then hypotheses are
    rejected such that at most ``fdr_level`` of the rejected ones are expected to be true.

    Parameters
    ----------
    X : DataFrame, or path or URL
        The matrix, a column per feature: numbers or booleans, without NaN. Is not changed. Or what
        is published at a sink, of which some columns are read at a time: gaps are imputed, columns
        without a finite value are "empty", and rows without a target are left out.
    y : Series
        The target, with the same index in any order, without NaN. Of a table of intervals it may
        be by id alone: the same in all intervals.
    ml_task : "auto", "classification" or "regression"
        Whether the target stands for classes; by default told by :func:`infer_ml_task`.
    multiclass : bool
        Keep the p-values of all classes apart, instead of the smallest one.
    n_significant : int
        With ``multiclass``: the number of classes for which a relevant feature is significant.
    n_jobs : int, optional
        Threads; default: all cores. 0 and 1 both mean the calling thread alone.
    show_warnings : bool
        Warn of constant columns, and if no feature is relevant. Otherwise this is only logged.
    chunksize : int, optional
        Columns that a thread takes at a time; changes no value.
    test_for_binary_target_real_feature : "mann" or "smir"
        Mann-Whitney U or Kolmogorov-Smirnov.
    test_for_binary_target_binary_feature, test_for_real_target_binary_feature
    test_for_real_target_real_feature
        Have no effect, as in tsfresh: there is one test for each.
    fdr_level : float
        The expected share of irrelevant features among the relevant ones.
    hypotheses_independent : bool
        Whether features are independent (Benjamini-Hochberg instead of Benjamini-Yekutieli).
    per_window : "interval", optional
        Test the rows of each interval by themselves: of a table of intervals, or a frame that
        :func:`~tidemill.read_matrix` gave of it. Intervals with fewer than two rows, or with one
        value of the target, are not tested and do not count; a warning names them.
    min_share : float
        With ``per_window``: in which share of the intervals a relevant feature is relevant.
    storage_options : mapping, optional
        Of a sink: option to *name* of the environment variable that holds its value.

    Returns
    -------
    DataFrame
        A row per feature with the columns ``feature``, ``type`` (real, binary or constant),
        ``p_value`` and ``relevant``. With ``multiclass``: ``p_value_CLASS`` and ``relevant_CLASS``
        for each class, ``n_significant`` and ``relevant``. Constant features come last, without a
        p-value. With ``per_window``: ``feature``, ``type``, ``n_relevant`` (intervals), ``share``
        and ``relevant``, and for each interval ``p_value_START`` and ``relevant_START``, such as
        ``p_value_2026-11-27``. Of several classes it is the smallest p-value.

    Raises
    ------
    SelectionError
        If arguments or data cannot be used.
    SinkError
        If nothing is published at the sink.

    Examples
    --------
    >>> X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "b": [0, 1, 0, 1, 0, 1], "c": 7})
    >>> y = pd.Series([0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
    >>> calculate_relevance_table(X, y).reset_index(drop=True).round(4)
      feature      type  p_value  relevant
    0       a      real   0.0048      True
    1       b    binary   1.0000     False
    2       c  constant      NaN     False
    """
    del test_for_binary_target_binary_feature
    del test_for_real_target_binary_feature, test_for_real_target_real_feature
    rules = SelectionRules(
        ml_task=ml_task,
        multiclass=multiclass,
        n_significant=n_significant,
        test=test_for_binary_target_real_feature,
        fdr_level=fdr_level,
        independent=hypotheses_independent,
        per_window=per_window,
        min_share=min_share,
        n_jobs=n_jobs,
    )
    check_rules(rules)
    found = _relevance(X, y, rules, chunksize, storage_options)
    for text in _remarks(found, fdr_level):
        log.warning("%s", text)
        if show_warnings:
            warnings.warn(text, RuntimeWarning, stacklevel=2)
    return found.table


def _relevance(
    matrix: Any,
    y: Any,
    rules: SelectionRules,
    chunksize: int | None,
    storage_options: Mapping[str, str] | None,
) -> Relevance:
    is_sink = isinstance(matrix, str | os.PathLike)
    if not (is_sink or isinstance(matrix, pd.DataFrame)):
        raise SelectionError(
            f"X={type(matrix).__name__} is not supported; give a pandas DataFrame, or the path of "
            "a table"
        )
    if not isinstance(y, pd.Series):
        raise SelectionError(f"y={type(y).__name__} is not supported; give a pandas Series")
    if is_sink:
        return _of_sink(SinkLayout.of(matrix, storage_options), y, rules)
    if storage_options is not None:
        raise SelectionError("storage_options is for a path or URL as X; leave it out for a frame")
    test = relevance_by_interval if rules.per_window else relevance_at_once
    return test(matrix, y, rules, chunksize)


def _of_sink(layout: SinkLayout, y: pd.Series[Any], rules: SelectionRules) -> Relevance:
    """The relevance table of a published matrix."""
    y = y[y.notna()]
    if not y.index.is_unique:
        repeated = y.index[y.index.duplicated()].unique()
        raise SelectionError(
            f"y has several values for {shorten(map(repr, repeated))}; keep one for each id, or "
            "for each interval and id"
        )
    found = select_columns(MatrixColumns.open(layout), y, "y", rules)
    table = found.relevance.drop(columns="chosen")
    table.index = pd.Index(table["feature"], name="feature")
    return Relevance(table, found.target.ml_task, found.windows)


def _remarks(found: Relevance, fdr_level: float) -> Iterator[str]:
    """Which columns are constant, which intervals untested, and whether no column is relevant."""
    constant = found.table["feature"][found.table["type"] == "constant"]
    if len(constant):
        yield (
            f"{counted(len(constant), 'column is', 'columns are')} constant and hence irrelevant: "
            f"{shorten(constant)}"
        )
    yield from told_untested(found.windows)
    if len(constant) < len(found.table) and not found.table["relevant"].any():
        yield (
            f"no feature is relevant for this {found.ml_task} at fdr_level={fdr_level}: give a "
            "higher level, or other features"
        )
