"""The roles that the user gave to the columns of a frame, and the frames that can have them."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd

from tidemill.errors import ArgumentError, SourceError, shorten
from tidemill.model.ids import id_labels
from tidemill.model.source import ColumnRoles

__all__ = [
    "FrameRoles",
    "Label",
    "RoleLabels",
    "check_column",
    "check_frame",
    "find_frame_roles",
    "with_index_columns",
]

Label: TypeAlias = Hashable | None


@dataclass(frozen=True, slots=True)
class RoleLabels:
    """The labels that were given, none of them checked against a frame."""

    ids: tuple[Hashable, ...]
    sort: Label
    kind: Label
    value_labels: tuple[Hashable, ...]  # empty: every column that is left

    @classmethod
    def of(cls, column_id: Any, column_sort: Any, column_kind: Any, column_value: Any) -> Self:
        """Check that the arguments are labels, or lists of them.

        Raises
        ------
        ArgumentError
            If one is neither, or there is no id.
        """
        if column_id is None or (isinstance(column_id, list) and not column_id):
            raise ArgumentError(f"column_id={column_id}: name the column that holds the ids")
        if isinstance(column_value, list) and not column_value:
            raise ArgumentError(
                "column_value=[] names no column: name one or more, or leave it out"
            )
        several = id_labels(column_id), () if column_value is None else id_labels(column_value)
        given = [("column_id", label) for label in several[0]]
        given += [("column_sort", column_sort), ("column_kind", column_kind)]
        given += [("column_value", label) for label in several[1]]
        for role, label in given:
            _check_label(role, label)
        return cls(several[0], column_sort, column_kind, several[1])

    def every(self) -> list[tuple[str, Hashable]]:
        """All roles, each with its label."""
        given = [("column_id", label) for label in self.ids]
        for role, label in (("column_sort", self.sort), ("column_kind", self.kind)):
            given += [] if label is None else [(role, label)]
        return given + [("column_value", label) for label in self.value_labels]


def _check_label(role: str, label: object) -> None:
    if isinstance(label, pd.Series | pd.Index | pd.DataFrame | np.ndarray):
        name = getattr(label, "name", None)
        shown = "its label" if name is None else f"its label, {role}={name!r}"
        raise ArgumentError(
            f"{role} is a {type(label).__name__}, but must name a column of the frame: give {shown}"
        )
    try:
        hash(label)
    except TypeError:
        raise ArgumentError(
            f"{role}={label!r} is not a label: give the label of one column"
        ) from None


@dataclass(frozen=True, slots=True)
class FrameRoles:
    """The labels of a frame's columns by role."""

    ids: tuple[Hashable, ...]
    sort: Label
    kind: Label
    values: tuple[Hashable, ...]

    def names(self) -> ColumnRoles:
        """Name the columns for messages."""
        sort, kind = (None if one is None else str(one) for one in (self.sort, self.kind))
        ids = tuple(map(str, self.ids))
        values = tuple(map(str, self.values))
        return ColumnRoles(ids[0] if len(ids) == 1 else ids, sort, kind, values)


def check_frame(frame: object, where: str, *, may_be_empty: bool = False) -> None:
    """Refuse objects that are not frames, and frames without rows or with unusable columns.

    ``may_be_empty``: frames without rows are allowed, as one of several is.

    Raises
    ------
    InputError
        With what to do instead.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(
            f"{where} is a {type(frame).__name__}, but must be a pandas DataFrame or a dict of "
            "them: convert it with .to_pandas() or .compute(), give arrays to "
            "tidemill.extract_arrays, or write it to Parquet and use the flow"
        )
    if isinstance(frame.columns, pd.MultiIndex):
        raise SourceError(
            f"{where} has columns of {frame.columns.nlevels} levels, but must have one: join them, "
            "as in frame.columns = ['_'.join(map(str, c)) for c in frame.columns]"
        )
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise SourceError(
            f"{where} has several columns named {shorten(map(repr, twice))}: rename all but one"
        )
    if frame.empty and not may_be_empty:
        raise SourceError(f"{where} is empty (shape {frame.shape}): give at least one row")


def with_index_columns(frame: pd.DataFrame, roles: Iterable[tuple[str, Hashable]]) -> pd.DataFrame:
    """Add the levels of the index that have a role and are no columns; the index stays.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [1, 2], "x": [3, 4]}).set_index("id")
    >>> with_index_columns(frame, [("column_id", "id")]).columns.tolist()
    ['id', 'x']
    """
    names = [name for name in frame.index.names if name is not None]
    wanted = [label for _, label in roles if label in names and label not in frame.columns]
    if not wanted:
        return frame
    widened = frame.copy(deep=False)
    for place, label in enumerate(dict.fromkeys(wanted)):
        widened.insert(place, label, frame.index.get_level_values(names.index(label)))
    return widened


def find_frame_roles(frame: pd.DataFrame, labels: RoleLabels, where: str) -> FrameRoles:
    """Find the column of every role.

    Raises
    ------
    ArgumentError
        If a label is no column or has two roles, or it is open which column holds the values.
    """
    taken: dict[Hashable, str] = {}
    for role, label in labels.every():
        check_column(frame, role, label, where)
        if label in taken:
            raise ArgumentError(
                f"{taken[label]} and {role} are both {label!r}: a column has one role; name two"
            )
        taken[label] = role
    left = tuple(label for label in frame.columns if label not in taken)
    values = labels.value_labels or left
    if labels.kind is not None and len(labels.value_labels) > 1:
        raise ArgumentError(
            f"column_value={list(labels.value_labels)} names several columns, but the long format "
            f"(column_kind={labels.kind!r}) has one column of values: name that one"
        )
    if not values or (labels.kind is not None and len(values) > 1):
        raise ArgumentError(
            f"column_value=None, but {where} has {len(values)} columns without a role "
            f"({shorten(map(repr, left)) or 'none'}): name the column that holds the values"
        )
    return FrameRoles(labels.ids, labels.sort, labels.kind, values)


def check_column(frame: pd.DataFrame, role: str, label: Hashable, where: str) -> None:
    """Refuse a label that is not among the frame's columns.

    Raises
    ------
    ArgumentError
        With labels that come close to it.
    """
    _check_label(role, label)
    if label in frame.columns:
        return
    known = {str(column): column for column in frame.columns}
    close = [repr(known[name]) for name in difflib.get_close_matches(str(label), known, n=3)]
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    else:
        hint = f"choose one of {shorten(map(repr, frame.columns))}"
    if isinstance(label, tuple) and all(one in frame.columns for one in label):
        hint = f"to name several columns, give a list: {role}={list(label)}"
    elif isinstance(frame.index, pd.MultiIndex) and None in frame.index.names:
        hint += "; if it is a level of the index, name that, or call reset_index() first"
    raise ArgumentError(f"{role}={label!r} is not a column of {where}; {hint}")
