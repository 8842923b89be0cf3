"""The relevance table: a feature matrix against a target, column by column."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from tidemill.errors import SelectionError, shorten
from tidemill.frames.arguments import count_threads
from tidemill.model.aliases import Floats
from tidemill.model.counts import counted
from tidemill.model.logs import engine_log
from tidemill.selection.columns import column_batches
from tidemill.selection.evidence import BINARY, CONSTANT, MISSING, REAL, Findings, measure
from tidemill.selection.rejections import rejected
from tidemill.selection.targets import Target, read_target

__all__ = ["calculate_relevance_table", "combine_relevance_tables", "relevance_table"]

log = engine_log(__name__)

#: Tests of a real feature against a binary target.
TESTS = ("mann", "smir")


def calculate_relevance_table(
    X: pd.DataFrame,
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
) -> pd.DataFrame:
    """Test every column of a feature matrix against a target.

    The parameters, their order and the table are tsfresh's. Every column gets a p-value for the
    hypothesis that it has nothing to do with the target (for each class against all others, if the
    target has classes); then hypotheses are rejected such that at most ``fdr_level`` of the
    rejected ones are expected to be true.

    Parameters
    ----------
    X : DataFrame
        The matrix, a column per feature: numbers or booleans, without NaN. Is not changed.
    y : Series
        The target, with the same index in any order, without NaN.
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

    Returns
    -------
    DataFrame
        A row per feature with the columns ``feature``, ``type`` (real, binary or constant),
        ``p_value`` and ``relevant``. With ``multiclass``: ``p_value_CLASS`` and ``relevant_CLASS``
        for each class, ``n_significant`` and ``relevant``. Constant features come last, without a
        p-value.

    Raises
    ------
    SelectionError
        If arguments or data cannot be used.

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
    check_test(test_for_binary_target_real_feature)
    if not isinstance(X, pd.DataFrame):
        raise SelectionError(f"X={type(X).__name__} is not supported; give a pandas DataFrame")
    if not isinstance(y, pd.Series):
        raise SelectionError(f"y={type(y).__name__} is not supported; give a pandas Series")
    if y.nunique(dropna=False) < 2:
        raise SelectionError(
            f"y has only one value (n_samples={len(y)}), so there is nothing to predict: give two"
        )
    target = read_target(y, X.index, ml_task, multiclass=multiclass, n_significant=n_significant)
    evidence = measure(
        column_batches(X, chunksize),
        target,
        test=test_for_binary_target_real_feature,
        threads=count_threads(n_jobs),
    )
    missing = X.columns[evidence.types == MISSING]
    if len(missing):
        raise SelectionError(
            f"X lacks values in {len(missing):,} columns: {shorten(map(repr, missing))}; fill them "
            "with tidemill.selection.impute, or drop them"
        )
    table = relevance_table(
        X.columns, evidence, target, fdr_level, independent=hypotheses_independent
    )
    _tell(table, target, fdr_level, show=show_warnings)
    return table


def check_test(test: str) -> None:
    """Refuse a test that does not exist.

    Raises
    ------
    SelectionError
        If it is neither "mann" nor "smir".
    """
    if test not in TESTS:
        raise SelectionError(
            f"test_for_binary_target_real_feature={test!r} is not allowed; choose one of "
            f"{', '.join(map(repr, TESTS))}"
        )


def combine_relevance_tables(relevance_tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Make one table of several: relevant in any, and the smallest p-value.

    Parameters
    ----------
    relevance_tables : sequence of DataFrame
        Tables of the same features, with columns ``p_value`` and ``relevant``; not changed.

    Returns
    -------
    DataFrame
        The first table, with these two columns of all.

    Examples
    --------
    >>> one = pd.DataFrame({"p_value": [0.1, 0.4], "relevant": [True, False]}, index=["a", "b"])
    >>> two = pd.DataFrame({"p_value": [0.2, 0.3], "relevant": [False, False]}, index=["b", "a"])
    >>> combine_relevance_tables([one, two])
       p_value  relevant
    a      0.1      True
    b      0.2     False
    """

    def combine(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
        p_values = other["p_value"].reindex(one.index, fill_value=1)
        relevant = other["relevant"].reindex(one.index, fill_value=False)
        return one.assign(
            p_value=_smaller(one["p_value"].to_numpy(), p_values.to_numpy()),
            relevant=one["relevant"] | relevant,
        )

    if not relevance_tables:
        raise SelectionError("relevance_tables is empty: give one table or more")
    combined: pd.DataFrame = reduce(combine, relevance_tables)
    return combined


def relevance_table(
    names: pd.Index[Any],
    evidence: Findings,
    target: Target,
    fdr_level: float = 0.05,
    *,
    independent: bool = False,
) -> pd.DataFrame:
    """Make the relevance table of the p-values of columns.

    Parameters
    ----------
    names : the m columns
    evidence : their types and p-values
    target : what they were tested against
    fdr_level, independent : as in :func:`calculate_relevance_table`
    """
    types = pd.Series(evidence.type_names(), dtype=None if len(names) else object)
    table = pd.DataFrame({"feature": names, "type": types})
    table.index = pd.Index(table["feature"], name="feature")
    constant: pd.DataFrame = table[evidence.types == CONSTANT].assign(
        p_value=np.nan, relevant=False
    )
    if len(constant) == len(table):
        return constant
    # In tsfresh's order: real features first, then sorted by p-value.
    places = np.concatenate([np.flatnonzero(evidence.types == kind) for kind in (REAL, BINARY)])
    tables = []
    for p_values in evidence.p_values[:, places]:
        relevant = rejected(p_values, fdr_level, independent=independent)
        one = table.iloc[places].assign(p_value=p_values, relevant=relevant)
        tables.append(one.sort_values("p_value"))
    if not target.multiclass:
        combined: pd.DataFrame = pd.concat([combine_relevance_tables(tables), constant])
        return combined
    merged = _by_class(tables, target)
    for column in (column for column in merged if str(column).startswith("relevant_")):
        constant[column] = False
    constant["n_significant"] = 0
    by_class: pd.DataFrame = pd.concat([merged, constant.drop(columns="p_value")])
    return by_class


def _by_class(tables: list[pd.DataFrame], target: Target) -> pd.DataFrame:
    """The tables of all classes side by side, in the order of an outer join: by name."""
    keys = ["feature", "type"]
    bare = [table[keys].reset_index(drop=True) for table in tables[:2]]
    merged: pd.DataFrame = bare[0].merge(bare[1], on=keys, how="outer")
    significant = np.zeros(len(merged), dtype=np.int64)
    for label, table in zip(target.labels, tables, strict=True):
        own = table.loc[merged["feature"]]
        merged[f"p_value_{label}"] = own["p_value"].to_numpy()
        merged[f"relevant_{label}"] = own["relevant"].to_numpy()
        significant += own["relevant"].to_numpy()
    merged["n_significant"] = significant
    merged["relevant"] = significant >= target.n_significant
    merged.index = pd.Index(merged["feature"], name="feature")
    return merged


def _smaller(one: Floats, other: Floats) -> Floats:
    return np.where(other < one, other, one)


def _tell(table: pd.DataFrame, target: Target, fdr_level: float, *, show: bool) -> None:
    """Log which columns are constant, and whether none is relevant; warn of it if asked to."""
    told = []
    constant = table["feature"][table["type"] == "constant"]
    if len(constant):
        told.append(
            f"{counted(len(constant), 'column is', 'columns are')} constant and hence irrelevant: "
            f"{shorten(constant)}"
        )
    if len(constant) < len(table) and not table["relevant"].any():
        told.append(
            f"no feature is relevant for this {target.ml_task} at fdr_level={fdr_level}: give a "
            "higher level, or other features"
        )
    for text in told:
        log.warning("%s", text)
        if show:
            warnings.warn(text, RuntimeWarning, stacklevel=3)
