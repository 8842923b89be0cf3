"""Rows of a frame by id, or by kind and id, as places in arrays; nothing loops over groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.errors import SelectionError
from tidemill.model.aliases import Index

__all__ = ["FrameGroups", "ragged_ranges", "with_group_columns"]


@dataclass(frozen=True, slots=True)
class FrameGroups:
    """The groups of a frame's rows, in the order of their keys."""

    labels: tuple[Any, ...]  # the columns of the keys
    order: Index  # places of the rows, group by group
    lengths: Index  # rows of each group
    keys: tuple[list[Any], ...]  # for each column the key of each group
    codes: tuple[Index, ...]  # the places of these keys among the distinct ones, in their order

    @classmethod
    def of(cls, frame: pd.DataFrame, labels: Sequence[Any]) -> FrameGroups:
        """Group rows by columns.

        Raises
        ------
        SelectionError
            If a key is missing: such rows would belong nowhere.

        Examples
        --------
        >>> groups = FrameGroups.of(pd.DataFrame({"id": [2, 1, 2]}), ["id"])
        >>> groups.order, groups.lengths, groups.keys
        (array([1, 0, 2]), array([1, 2]), ([1, 2],))
        """
        columns = [_factorized(frame[label], label) for label in labels]
        combined = np.zeros(len(frame), dtype=np.int64)
        for codes, values in columns:
            combined = combined * max(len(values), 1) + codes
        order = np.argsort(combined, kind="stable")
        _, first, lengths = np.unique(combined[order], return_index=True, return_counts=True)
        codes_of_groups = tuple(codes[order[first]] for codes, _ in columns)
        keys = tuple(
            [values[code] for code in codes.tolist()]
            for codes, (_, values) in zip(codes_of_groups, columns, strict=True)
        )
        return cls(tuple(labels), order, lengths.astype(np.int64), keys, codes_of_groups)

    @property
    def starts(self) -> Index:
        """Where each group begins in ``order``."""
        starts: Index = np.cumsum(self.lengths) - self.lengths
        return starts


def _factorized(column: pd.Series[Any], label: Any) -> tuple[Index, list[Any]]:
    codes, values = pd.factorize(column, sort=_sortable(column))
    if (codes < 0).any():
        raise SelectionError(
            f"column {label!r} lacks a value in {int((codes < 0).sum()):,} rows: fill it, or drop "
            "these rows"
        )
    return codes.astype(np.int64), list(values.tolist())


def _sortable(column: pd.Series[Any]) -> bool:
    """Whether keys can be sorted; those of mixed types cannot, and keep their order."""
    if column.dtype != object:
        return True
    return len({type(value) for value in column.dropna()}) <= 1


def ragged_ranges(starts: Index, lengths: Index) -> Index:
    """All places of several ranges, one range after the other.

    Examples
    --------
    >>> ragged_ranges(np.array([0, 5]), np.array([2, 3]))
    array([0, 1, 5, 6, 7])
    """
    before = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    places: Index = np.arange(total) + np.repeat(starts - before, lengths)
    return places


def with_group_columns(
    frame: pd.DataFrame,
    rows: Index,
    groups: FrameGroups,
    group_of_row: Index,
    ids: npt.NDArray[np.object_] | Index,
) -> pd.DataFrame:
    """Rows of a frame with the columns of their keys at the end, and new ids in column ``id``.

    That is the order of columns that tsfresh gives with pandas 3.
    """
    out = frame.drop(columns=list(groups.labels)).take(rows)
    for label, keys in zip(groups.labels, groups.keys, strict=True):
        out[label] = pd.Series(keys).take(group_of_row).to_numpy()
    out["id"] = ids
    return out
