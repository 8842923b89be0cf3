"""A container of time series beside the rows of X: which ids and which kinds it holds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from tidemill.errors import NoContainerError
from tidemill.sources.frames.containers import Container
from tidemill.sources.frames.roles import RoleLabels, check_column, with_index_columns

__all__ = ["ContainerMixin", "check_container", "kinds_in"]


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
    >>> import pandas as pd
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
