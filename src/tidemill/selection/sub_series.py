"""Cut the series of a frame into packages of equal length, each a series of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import numpy as np
import pandas as pd

from tidemill.errors import SelectionError
from tidemill.selection.frame_groups import FrameGroups, ragged_ranges, with_group_columns

__all__ = ["add_sub_time_series_index"]


@overload
def add_sub_time_series_index(
    df_or_dict: pd.DataFrame, *args: Any, **options: Any
) -> pd.DataFrame: ...
@overload
def add_sub_time_series_index(
    df_or_dict: Mapping[Any, pd.DataFrame], *args: Any, **options: Any
) -> dict[Any, pd.DataFrame]: ...
def add_sub_time_series_index(
    df_or_dict: pd.DataFrame | Mapping[Any, pd.DataFrame],
    sub_length: int,
    column_id: Any = None,
    column_sort: Any = None,
    column_kind: Any = None,
) -> pd.DataFrame | dict[Any, pd.DataFrame]:
    """Cut series into packages of ``sub_length`` rows, numbered in a column ``id``.

    The parameters, their order and the result are tsfresh's; what is given is not changed.

    Parameters
    ----------
    df_or_dict : DataFrame or mapping of kind to DataFrame
        The series.
    sub_length : int
        Rows of a package; the last one of a series may have fewer.
    column_id, column_kind : label, optional
        Packages are cut for each id and kind; without ``column_id`` all rows are one series.
    column_sort : label, optional
        Column that orders the rows of a series, and of the result.

    Returns
    -------
    DataFrame or dict of DataFrame
        The rows with a column ``id``: the package's number, or ``(number, id)``.

    Raises
    ------
    SelectionError
        If arguments or data cannot be used.

    Examples
    --------
    >>> frame = pd.DataFrame({"pump": [7, 7, 7], "x": [1.0, 2.0, 4.0]})
    >>> add_sub_time_series_index(frame, 2, column_id="pump")
         x  pump      id
    0  1.0     7  (0, 7)
    1  2.0     7  (0, 7)
    2  4.0     7  (1, 7)
    """
    if sub_length < 1:
        raise SelectionError(f"sub_length={sub_length} is not allowed: give 1 or more rows")
    if isinstance(df_or_dict, Mapping):
        if column_kind is not None:
            raise SelectionError(
                f"column_kind={column_kind!r} has no meaning for a dict, whose keys are the "
                "kinds: leave it out"
            )
        return {
            key: add_sub_time_series_index(frame, sub_length, column_id, column_sort)
            for key, frame in df_or_dict.items()
        }
    labels = [label for label in (column_id, column_kind) if label is not None]
    for label in [*labels, *([] if column_sort is None else [column_sort])]:
        if label not in df_or_dict.columns:
            raise SelectionError(
                f"column {label!r} does not exist; the frame has {list(df_or_dict.columns)}"
            )
    return _packaged(df_or_dict, sub_length, column_id, column_sort, labels)


def _packaged(
    given: pd.DataFrame,
    sub_length: int,
    column_id: Any,
    column_sort: Any,
    labels: list[Any],
) -> pd.DataFrame:
    frame = given
    if column_sort is not None:
        frame = given.sort_values(column_sort, kind="stable")
    groups = FrameGroups.of(frame, labels)
    numbers = ragged_ranges(np.zeros_like(groups.lengths), groups.lengths) // sub_length
    group = np.repeat(np.arange(len(groups.lengths)), groups.lengths)
    ids: Any = numbers
    if column_id is not None:
        own = groups.keys[0]
        pairs = [(n, own[g]) for n, g in zip(numbers.tolist(), group.tolist(), strict=True)]
        ids = np.fromiter(pairs, dtype=object, count=len(pairs))
    out = with_group_columns(frame, groups.order, groups, group, ids)
    if column_sort is not None:
        out = out.sort_values(column_sort)
    return out
