"""A container of time series beside the rows of X: which ids and which kinds it holds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from tidemill.errors import ArgumentError, NoContainerError, NoSharedIdError, shorten
from tidemill.sources.frames.containers import Container
from tidemill.sources.frames.roles import RoleLabels, check_column, with_index_columns

__all__ = ["ContainerMixin", "check_container", "kinds_in", "restrict_to_ids"]


class ContainerMixin:
    """An estimator whose time series lie beside X."""

    timeseries_container: Container | None

    def set_timeseries_container(self, timeseries_container: Container | None) -> None:
        """Set the time series of which the next call calculates features."""
        self.timeseries_container = timeseries_container


def check_container(container: Container | None, routed: Container | None) -> Container:
    """The container to use: the one given with a call, else the estimator's own.

    Raises
    ------
    NoContainerError
        If there is none.
    """
    if routed is not None:
        return routed
    if container is None:
        raise NoContainerError(
            "timeseries_container=None: there are no time series to calculate features of; give "
            "them with set_timeseries_container(...), set_params(timeseries_container=...), or "
            "as metadata"
        )
    return container


def restrict_to_ids(container: Container, column_id: Any, ids: pd.Index) -> Container:
    """Only the rows of some ids; of a dict, in each of its frames.

    Parameters
    ----------
    container : DataFrame or mapping of kind to DataFrame
        The time series.
    column_id : label, or list of labels
        The columns, or levels of the index, that hold the ids.
    ids : Index
        One for each row of X; tuples, or levels, for ids of several columns.

    Returns
    -------
    DataFrame or dict of DataFrames
        In the order of the rows. A kind of which no id has rows is left out of a dict.

    Raises
    ------
    ArgumentError
        If a label is no column.
    NoSharedIdError
        If the container has no row of any of the ids.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [1, 1, 2], "x": [3.0, 4.0, 5.0]})
    >>> restrict_to_ids(frame, "id", pd.Index([2, 7]))
       id    x
    2   2  5.0
    """
    if isinstance(container, Mapping):
        frames = {kind: _rows_of(one, column_id, ids) for kind, one in container.items()}
        chosen = {kind: one for kind, one in frames.items() if len(one)}
        empty = not chosen
    else:
        chosen = _rows_of(container, column_id, ids)  # type: ignore[assignment]
        empty = chosen.empty  # type: ignore[attr-defined]
    if empty:
        raise NoSharedIdError(
            "The ids of the time series container and the index of X have nothing in common: X "
            f"has {shorten(map(repr, ids)) or 'no rows'}; column_id={column_id!r} must hold them"
        )
    return chosen


def _rows_of(frame: pd.DataFrame, column_id: Any, ids: pd.Index) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(
            f"timeseries_container is a {type(frame).__name__}, but must be a pandas DataFrame or "
            "a dict of them"
        )
    labels = RoleLabels.of(column_id, None, None, None).ids
    with_ids = with_index_columns(frame, [("column_id", label) for label in labels])
    for label in labels:
        check_column(with_ids, "column_id", label, "timeseries_container")
    if len(labels) == 1:
        return frame[with_ids[labels[0]].isin(ids).to_numpy()]
    return frame[pd.MultiIndex.from_frame(with_ids[list(labels)]).isin(ids)]


def kinds_in(container: Container, roles: Mapping[str, Any]) -> list[str]:
    """The kinds that a container can have features of, in the order of their columns.

    Parameters
    ----------
    container : DataFrame or mapping of kind to DataFrame
        The time series.
    roles : mapping
        ``column_id``, ``column_sort``, ``column_kind`` and ``column_value``.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [1], "t": [0], "x": [3.0], "y": [4.0]})
    >>> kinds_in(frame, {"column_id": "id", "column_sort": "t"})
    ['x', 'y']
    """
    if isinstance(container, Mapping):
        return [str(kind) for kind in container]
    names = (roles.get(f"column_{one}") for one in ("id", "sort", "kind", "value"))
    labels = RoleLabels.of(*names)
    frame = with_index_columns(container, labels.every())
    if labels.kind is not None:
        check_column(frame, "column_kind", labels.kind, "timeseries_container")
        return sorted(str(kind) for kind in frame[labels.kind].unique())
    taken: set[Hashable] = {*labels.ids, labels.sort}
    values = labels.value_labels or [one for one in frame.columns if one not in taken]
    return [str(one) for one in values]
