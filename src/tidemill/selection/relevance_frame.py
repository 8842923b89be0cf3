"""The relevance table, made of the p-values of columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from tidemill.errors import SelectionError
from tidemill.model.aliases import Floats
from tidemill.selection.evidence import BINARY, CONSTANT, REAL, Findings
from tidemill.selection.rejections import rejected
from tidemill.selection.targets import Target

__all__ = ["combine_relevance_tables", "relevance_table"]


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
    fdr_level, independent : as in :func:`~tidemill.selection.relevance.calculate_relevance_table`
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
