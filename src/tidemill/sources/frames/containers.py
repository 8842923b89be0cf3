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

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import ArgumentError, SourceError, shorten
from tidemill.model.aliases import Floats
from tidemill.model.policies import Policies
from tidemill.model.series import Batch
from tidemill.sources.frames.columns import read_kinds, to_arrow
from tidemill.sources.frames.ids import read_row_ids, to_index
from tidemill.sources.frames.roles import (
    FrameRoles,
    Label,
    RoleLabels,
    check_frame,
    find_frame_roles,
    with_index_columns,
)
from tidemill.sources.frames.sort_keys import read_sort
from tidemill.sources.rows.assemble import assemble
from tidemill.sources.rows.casts import check_kinds
from tidemill.sources.rows.join_kinds import join_kinds

__all__ = [
    "Container",
    "has_time_index",
    "read_frame",
    "to_frame",
]

#: A frame, or a frame per kind.
Container: TypeAlias = pd.DataFrame | Mapping[Any, pd.DataFrame]

_CONTAINER = "timeseries_container"


def read_frame(
    container: Container,
    *,
    column_id: Label | list[Any],
    column_sort: Label = None,
    column_kind: Label = None,
    column_value: Label | list[Any] = None,
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
    column_value : label of the column of values, or a list of several kinds (wide); None takes
        every column that is left
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
    labels = RoleLabels.of(column_id, column_sort, column_kind, column_value)
    if isinstance(container, Mapping):
        return _read_frames(container, labels, policies, needs_times, for_windows)
    check_frame(container, _CONTAINER)
    container = with_index_columns(container, labels.every())
    roles = find_frame_roles(container, labels, _CONTAINER)
    if column_kind is None:
        kinds = check_kinds(roles.values, f"{_CONTAINER}, whose columns are kinds")
        return _assemble(
            container, roles, kinds, None, policies, needs_times, for_windows, _CONTAINER
        )
    kind, kinds = read_kinds(container[column_kind], column_kind, _CONTAINER)
    return _assemble(container, roles, kinds, kind, policies, needs_times, for_windows, _CONTAINER)


def has_time_index(container: Container) -> bool:
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
    >>> import numpy as np
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


def _assemble(
    frame: pd.DataFrame,
    roles: FrameRoles,
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
        None if roles.sort is None else read_sort(frame[roles.sort], where, warns=not for_windows),
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
    labels: RoleLabels,
    policies: Policies,
    needs_times: bool,  # noqa: FBT001 (private)
    for_windows: bool,  # noqa: FBT001 (private)
) -> Batch:
    """Read the frames of a dict one by one and bring their ids together."""
    if not frames:
        raise SourceError(f"{_CONTAINER} is an empty dict: give at least one kind")
    if labels.kind is not None:
        raise ArgumentError(
            f"column_kind={labels.kind!r} has no meaning for a dict, whose keys are the "
            "kinds: leave it out"
        )
    if len(labels.ids) > 1:
        raise ArgumentError(
            f"column_id={list(labels.ids)} names several columns, but {_CONTAINER} is a dict of "
            "frames: give one frame in the long format, as of pandas.concat(frames, "
            "names=['kind']), with column_kind"
        )
    kinds = check_kinds(frames, f"the keys of {_CONTAINER}")
    batches = {}
    for kind, (key, frame) in zip(kinds, frames.items(), strict=True):
        where = f"{_CONTAINER}[{key!r}]"
        check_frame(frame, where)
        indexed = with_index_columns(frame, labels.every())
        roles = find_frame_roles(indexed, labels, where)
        if len(roles.values) > 1:
            given = list(labels.value_labels) or None
            raise ArgumentError(
                f"column_value={given}, but {where} must have one column of values, and has "
                f"{len(roles.values)} ({shorten(map(repr, roles.values))}): name one"
            )
        batches[kind] = _assemble(
            indexed, roles, (kind,), None, policies, needs_times, for_windows, where
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
