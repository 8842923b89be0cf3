"""The relevance of features interval by interval, and in how many of the intervals they have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.errors import SelectionError, shorten
from tidemill.model.aliases import Floats, Index
from tidemill.model.counts import counted
from tidemill.selection.evidence import CONSTANT, MISSING, Findings
from tidemill.selection.relevance_frame import relevance_table
from tidemill.selection.rules import SelectionRules
from tidemill.selection.targets import Target, read_target

__all__ = [
    "EMPTY",
    "IntervalFindings",
    "interval_table",
    "told_untested",
    "untested_reason",
    "window_relevance",
    "window_target",
]

#: Type of a column that holds no finite value, in the relevance table.
EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class IntervalFindings:
    """What the rows of one interval say about m columns, or why they say nothing."""

    label: str  # of the interval, for people
    rows: int  # that have a target
    untested: str = ""  # why no column was tested; "": all were
    types: Index = field(default_factory=lambda: np.zeros(0, np.int64))  # [m], as in Findings
    p_values: Floats = field(default_factory=lambda: np.zeros(0))  # [m], the smallest of classes
    relevant: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))  # [m]

    @classmethod
    def of(
        cls, label: str, rows: int, names: pd.Index[Any], evidence: Findings, table: pd.DataFrame
    ) -> Self:
        """The findings of an interval by its relevance table, which may lack empty columns."""
        own = table.set_index("feature")
        p_values = own.filter(regex="^p_value").min(axis=1).reindex(names)
        relevant = own["relevant"].astype(bool).reindex(names, fill_value=False)
        return cls(
            label,
            rows,
            types=evidence.types,
            p_values=p_values.to_numpy(np.float64),
            relevant=relevant.to_numpy(bool),
        )

    @property
    def count(self) -> int:
        """How many columns are relevant in the interval."""
        return int(self.relevant.sum())


def untested_reason(y: pd.Series[Any], rules: SelectionRules) -> str:
    """Why the rows of an interval cannot be tested against their targets; "" if they can.

    Examples
    --------
    >>> [untested_reason(pd.Series(y), SelectionRules()) for y in ([1], [1, 1], [1, 2])]
    ['1 row', 'one value of the target', '']
    """
    classes = y.nunique()
    if len(y) < 2:
        return counted(len(y), "row")
    if classes < 2:
        return "one value of the target"
    if rules.multiclass and classes < rules.n_significant:
        return f"{classes} of the {rules.n_significant} classes that n_significant asks for"
    return ""


def window_target(y: pd.Series[Any], rules: SelectionRules) -> Target:
    """The target of one interval; with two classes only, there is nothing to tell apart."""
    several = rules.multiclass and y.nunique() > 2
    return read_target(
        y, y.index, rules.ml_task, multiclass=several, n_significant=rules.n_significant
    )


def window_relevance(
    names: pd.Index[Any], evidence: Findings, target: Target, rules: SelectionRules
) -> pd.DataFrame:
    """The relevance table of those columns of an interval that hold a finite value."""
    usable = np.flatnonzero(evidence.types != MISSING)
    found = Findings(evidence.types[usable], evidence.p_values[:, usable])
    return relevance_table(
        names[usable], found, target, rules.fdr_level, independent=rules.independent
    )


def interval_table(
    names: pd.Index[Any], found: Sequence[IntervalFindings], min_share: float
) -> pd.DataFrame:
    """A row per feature: in how many intervals it is relevant, and its p-value in each.

    Parameters
    ----------
    names : the m columns
    found : of the intervals; those that could not be tested do not count
    min_share : of the tested intervals, in which a relevant feature is so

    Returns
    -------
    DataFrame
        ``feature``, ``type`` (the richest of all intervals: real, binary, constant or empty),
        ``n_relevant``, ``share``, ``relevant``, and ``p_value_LABEL`` and ``relevant_LABEL`` for
        each tested interval. Features of most intervals come first, of equal ones those with the
        smallest p-value; constant and empty ones last.

    Raises
    ------
    SelectionError
        If no interval could be tested.
    """
    tested = [one for one in found if not one.untested]
    if not tested:
        raise SelectionError(
            f"no interval can be tested: {_reasons(found)}; give targets of two rows or more with "
            "two values or more in an interval"
        )
    types = np.max([one.types for one in tested], axis=0)
    counts = np.sum([one.relevant for one in tested], axis=0)
    share = counts / len(tested)
    texts = Findings(types, np.zeros((0, 0))).type_names()
    columns: dict[str, Any] = {
        "feature": names,
        "type": [
            EMPTY if type_ == MISSING else text for type_, text in zip(types, texts, strict=True)
        ],
        "n_relevant": counts,
        "share": share,
        "relevant": share >= min_share,
    }
    for one in tested:
        columns[f"p_value_{one.label}"] = one.p_values
        columns[f"relevant_{one.label}"] = one.relevant
    smallest = np.min([np.nan_to_num(one.p_values, nan=2.0) for one in tested], axis=0)
    order = np.lexsort((smallest, -counts, -types * (types <= CONSTANT), types <= CONSTANT))
    table = pd.DataFrame(columns).iloc[order]
    table.index = pd.Index(table["feature"], name="feature")
    return table


def told_untested(found: Sequence[IntervalFindings]) -> Iterator[str]:
    """The sentence that names the intervals that could not be tested, if there are any."""
    left = [one for one in found if one.untested]
    if left:
        yield (
            f"{len(left):,} of {counted(len(found), 'interval')} could not be tested and do not "
            f"count: {_reasons(left)}"
        )


def _reasons(found: Sequence[IntervalFindings]) -> str:
    return shorten(f"{one.label} ({one.untested})" for one in found)
