"""The pandas door: tsfresh's three formats to a batch, and a matrix back to a frame.

======  =========================================================================
format  container
======  =========================================================================
wide    a frame; every column without a role is a kind, or ``column_value`` alone
long    a frame with ``column_kind``; the values of all kinds in ``column_value``
dict    kind -> frame, each with its values in ``column_value``
======  =========================================================================

The columns themselves are read by :mod:`tidemill.sources.frames.columns`.
"""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import ArgumentError, SourceError, shorten
from tidemill.model.aliases import Floats
from tidemill.model.ids import id_labels
from tidemill.model.policies import Policies
from tidemill.model.series import Batch
from tidemill.model.source import ColumnRoles
from tidemill.sources.frames.columns import read_kinds, read_sort, to_arrow
from tidemill.sources.frames.ids import read_row_ids, to_index
from tidemill.sources.rows.assemble import assemble
from tidemill.sources.rows.casts import check_kinds
from tidemill.sources.rows.join_kinds import join_kinds

__all__ = [
    "check_column",
    "check_frame",
    "has_time_index",
    "read_frame",
    "to_frame",
]

Label: TypeAlias = Hashable | None

_CONTAINER = "timeseries_container"


@dataclass(frozen=True, slots=True)
class _Roles:
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


def read_frame(
    container: pd.DataFrame | Mapping[Any, pd.DataFrame],
    *,
    column_id: Label | list[Any],
    column_sort: Label = None,
    column_kind: Label = None,
    column_value: Label = None,
    policies: Policies = Policies(),  # noqa: B008 (frozen)
    needs_times: bool = False,
    for_windows: bool = False,
) -> Batch:
    """Read a frame, or a dict of frames, of any of the three formats.

    Parameters
    ----------
    container : the frame, or kind -> frame
    column_id : label of the column of ids, or a list of several that make up an id
    column_sort : label of the column by which series are ordered; None keeps the order of rows
    column_kind : label of the column of kinds; makes the format long
    column_value : label of the column of values; may be left out where only one is left
    policies : what happens to duplicates and to values that are not finite
    needs_times : whether a calculator needs times: those of a DatetimeIndex, else of the sort
        column
    for_windows : as in :func:`tidemill.sources.rows.assemble.assemble`

    Returns
    -------
    Batch
        Ids ascend; kinds come in the order of the columns, of the dict, or sorted (long).

    Raises
    ------
    ArgumentError
        If an argument names no column, or a role is missing or taken twice.
    SourceError
        If the frame is empty, or a column or kind cannot be used.
    DataError
        If ids, sort keys or values break a policy.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [2, 1, 2], "time": [1, 1, 0], "x": [1, 2, 3]})
    >>> batch = read_frame(frame, column_id="id", column_sort="time")
    >>> batch.ids.to_pylist(), batch.blocks["x"].values
    ([1, 2], array([2., 3., 1.]))
    """
    labels = {"column_sort": column_sort, "column_kind": column_kind, "column_value": column_value}
    if column_id is None or column_id == []:
        raise ArgumentError(f"column_id={column_id}: name the column that holds the ids")
    if isinstance(container, Mapping):
        return _read_frames(container, column_id, labels, policies, needs_times, for_windows)
    check_frame(container, _CONTAINER)
    roles = _roles(container, column_id, labels, _CONTAINER)
    if column_kind is None:
        kinds = check_kinds(roles.values, f"{_CONTAINER}, whose columns are kinds")
        return _assemble(
            container, roles, kinds, None, policies, needs_times, for_windows, _CONTAINER
        )
    kind, kinds = read_kinds(container[column_kind], column_kind, _CONTAINER)
    return _assemble(container, roles, kinds, kind, policies, needs_times, for_windows, _CONTAINER)


def has_time_index(container: pd.DataFrame | Mapping[Any, pd.DataFrame]) -> bool:
    """Whether all frames have a DatetimeIndex; tsfresh calculates features of times only then.

    Examples
    --------
    >>> has_time_index(pd.DataFrame({"x": [1]}, index=pd.to_datetime(["2020-01-01"])))
    True
    """
    frames = container.values() if isinstance(container, Mapping) else [container]
    return all(isinstance(getattr(frame, "index", None), pd.DatetimeIndex) for frame in frames)


def to_frame(
    ids: pa.Array,
    columns: Sequence[str],
    matrix: Floats,
    *,
    dtype: Any = None,
    name: Label = None,
) -> pd.DataFrame:
    """Make a frame of a feature matrix, with the id as index.

    Parameters
    ----------
    ids : Array[k]; composite ids are structs
    columns : m feature names
    matrix : float64[k, m]
    dtype : the index's dtype; rows of a categorical are sorted in its order
    name : the index's name; tsfresh gives none

    Examples
    --------
    >>> to_frame(pa.array(["a", "b"]), ["x__mean"], np.array([[1.0], [2.0]]))
       x__mean
    a      1.0
    b      2.0
    """
    index = to_index(ids, dtype, name)
    # The matrix is the frame's only block, not copied: wide ones take gigabytes.
    frame = pd.DataFrame(matrix, index=index, columns=list(columns), copy=False)
    levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
    categorical = any(isinstance(level, pd.CategoricalIndex) for level in levels)
    if categorical and not index.is_monotonic_increasing:
        return frame.sort_index(kind="stable")
    return frame


def check_frame(frame: object, where: str) -> None:
    """Refuse objects that are not frames, and frames without rows or with unusable columns.

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
    if frame.empty:
        raise SourceError(f"{where} is empty (shape {frame.shape}): give at least one row")


def _roles(
    frame: pd.DataFrame,
    column_id: Hashable | list[Any],
    labels: Mapping[str, Label],
    where: str,
) -> _Roles:
    """Find the column of every role."""
    ids = id_labels(column_id)
    given = [("column_id", label) for label in ids]
    given += [(role, label) for role, label in labels.items() if label is not None]
    taken: dict[Hashable, str] = {}
    for role, label in given:
        check_column(frame, role, label, where)
        if label in taken:
            raise ArgumentError(
                f"{taken[label]} and {role} are both {label!r}: a column has one role; name two"
            )
        taken[label] = role
    left = tuple(label for label in frame.columns if label not in taken)
    value, kind = labels["column_value"], labels["column_kind"]
    values = left if value is None else (value,)
    if not values or (kind is not None and len(values) > 1):
        raise ArgumentError(
            f"column_value=None, but {where} has {len(values)} columns without a role "
            f"({shorten(map(repr, left)) or 'none'}): name the column that holds the values"
        )
    return _Roles(ids, labels["column_sort"], kind, values)


def check_column(frame: pd.DataFrame, role: str, label: Hashable, where: str) -> None:
    """Refuse a label that is not among the frame's columns.

    Raises
    ------
    ArgumentError
        With labels that come close to it.
    """
    if not isinstance(label, Hashable):
        raise ArgumentError(f"{role}={label!r} is not a label: give the label of one column")
    if label in frame.columns:
        return
    known = {str(column): column for column in frame.columns}
    close = [repr(known[name]) for name in difflib.get_close_matches(str(label), known, n=3)]
    if close:
        hint = f"did you mean {' or '.join(close)}?"
    else:
        hint = f"choose one of {shorten(map(repr, frame.columns))}"
    if label == frame.index.name:
        hint = "it is the index: call reset_index() first"
    raise ArgumentError(f"{role}={label!r} is not a column of {where}; {hint}")


def _assemble(
    frame: pd.DataFrame,
    roles: _Roles,
    kinds: tuple[str, ...],
    kind: pa.Array | None,
    policies: Policies,
    needs_times: bool,  # noqa: FBT001 (private)
    for_windows: bool,  # noqa: FBT001 (private)
    where: str,
) -> Batch:
    named = kinds if kind is None else tuple(map(str, roles.values))
    values = zip(named, roles.values, strict=True)
    timed = needs_times and isinstance(frame.index, pd.DatetimeIndex)
    ids, id_types = read_row_ids(frame, roles.ids, where)
    return assemble(
        ids,
        None if roles.sort is None else read_sort(frame[roles.sort], where),
        kind,
        {name: to_arrow(frame[label], where, nan_is_null=False) for name, label in values},
        kinds=kinds,
        policies=policies,
        needs_times=needs_times,
        where=where,
        times=pa.array(frame.index) if timed else None,
        names=roles.names(),
        for_windows=for_windows,
        id_types=id_types,
    )


def _read_frames(
    frames: Mapping[Any, pd.DataFrame],
    column_id: Hashable | list[Any],
    labels: Mapping[str, Label],
    policies: Policies,
    needs_times: bool,  # noqa: FBT001 (private)
    for_windows: bool,  # noqa: FBT001 (private)
) -> Batch:
    """Read the frames of a dict one by one and bring their ids together."""
    if not frames:
        raise SourceError(f"{_CONTAINER} is an empty dict: give at least one kind")
    if labels["column_kind"] is not None:
        raise ArgumentError(
            f"column_kind={labels['column_kind']!r} has no meaning for a dict, whose keys are the "
            "kinds: leave it out"
        )
    if len(id_labels(column_id)) > 1:
        raise ArgumentError(
            f"column_id={column_id} names several columns, but {_CONTAINER} is a dict of frames: "
            "give one frame in the long format, as of pandas.concat(frames, names=['kind']), with "
            "column_kind"
        )
    kinds = check_kinds(frames, f"the keys of {_CONTAINER}")
    batches = {}
    for kind, (key, frame) in zip(kinds, frames.items(), strict=True):
        where = f"{_CONTAINER}[{key!r}]"
        check_frame(frame, where)
        roles = _roles(frame, column_id, labels, where)
        if len(roles.values) > 1:
            raise ArgumentError(
                f"column_value=None, but {where} has {len(roles.values)} columns without a role "
                f"({shorten(map(repr, roles.values))}): name the column that holds the values"
            )
        batches[kind] = _assemble(
            frame, roles, (kind,), None, policies, needs_times, for_windows, where
        )
    own = _alike({kind: batch.ids for kind, batch in batches.items()})
    return join_kinds([replace(batch, ids=own[kind]) for kind, batch in batches.items()])


def _alike(ids: Mapping[str, pa.Array]) -> Mapping[str, pa.Array]:
    """Bring the ids of all kinds to one type."""
    types = {array.type for array in ids.values()}
    if len(types) == 1:
        return ids
    if all(pt.is_integer(type_) for type_ in types):
        return {kind: array.cast(pa.int64()) for kind, array in ids.items()}
    found = shorten(f"{array.type} in {kind!r}" for kind, array in ids.items())
    raise SourceError(f"the ids of {_CONTAINER} have several types: {found}; cast them to one")
