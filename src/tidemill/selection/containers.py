"""Ids and gaps of frames and dicts of frames, as tsfresh's helpers look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tidemill.errors import ArgumentError, NoSharedIdError, SelectionError, shorten
from tidemill.sources.frames.containers import Container
from tidemill.sources.frames.roles import RoleLabels, check_column, with_index_columns

__all__ = ["check_for_nans_in_columns", "get_ids", "restrict_input_to_index", "rows_of_ids"]


def check_for_nans_in_columns(df: pd.DataFrame, columns: Sequence[Any] | None = None) -> None:
    """Refuse a frame with missing values.

    Parameters
    ----------
    df : DataFrame
        The frame.
    columns : sequence of labels, optional
        The columns to look at; default: all.

    Raises
    ------
    SelectionError
        If a value is missing; names the columns.

    Examples
    --------
    >>> check_for_nans_in_columns(pd.DataFrame({"a": [1.0], "b": [None]}), ["a"])
    """
    chosen = df if columns is None else df.loc[:, list(columns)]
    gaps = chosen.columns[chosen.isna().any().to_numpy()]
    if len(gaps):
        raise SelectionError(
            f"{len(gaps):,} columns lack values: {shorten(map(repr, gaps))}; fill them with "
            "tidemill.selection.impute, or drop them"
        )


def get_ids(df_or_dict: pd.DataFrame | Mapping[Any, pd.DataFrame], column_id: Any) -> set[Any]:
    """Collect the ids of a frame, or of all frames of a dict.

    Parameters
    ----------
    df_or_dict : DataFrame or mapping of kind to DataFrame
        The series.
    column_id : label
        Column of ids.

    Raises
    ------
    SelectionError
        If it is no frame, or has no such column.

    Examples
    --------
    >>> frames = {"x": pd.DataFrame({"id": ["a", "b"]}), "y": pd.DataFrame({"id": ["b", "c"]})}
    >>> sorted(get_ids(frames, "id"))
    ['a', 'b', 'c']
    """
    frames = df_or_dict.values() if isinstance(df_or_dict, Mapping) else [df_or_dict]
    return {value for frame in frames for value in _ids_of_rows(frame, column_id).drop_duplicates()}


def restrict_input_to_index(
    df_or_dict: pd.DataFrame | Mapping[Any, pd.DataFrame], column_id: Any, index: Any
) -> Any:
    """Keep the rows whose id an index holds.

    Parameters
    ----------
    df_or_dict : DataFrame or mapping of kind to DataFrame
        The series.
    column_id : label, or list of labels
        The columns, or levels of the index, that hold the ids.
    index : Index or other collection
        The ids to keep; tuples, or levels, for ids of several columns.

    Returns
    -------
    DataFrame or dict of DataFrame
        In the order of the rows. A kind of which no id has rows is left out of a dict.

    Raises
    ------
    SelectionError
        If it is no frame, or a label is no column.
    NoSharedIdError
        If no row is left. Is a SelectionError, too.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [1, 1, 2], "x": [3, 4, 5]})
    >>> restrict_input_to_index(frame, "id", [2])
       id  x
    2   2  5
    """
    return rows_of_ids(df_or_dict, column_id, index, "df_or_dict")


def rows_of_ids(container: Container, column_id: Any, ids: Any, argument: str) -> Any:
    """As :func:`restrict_input_to_index`, of an argument that errors call by its name."""
    if isinstance(container, Mapping):
        frames = {kind: _rows_of(one, column_id, ids, argument) for kind, one in container.items()}
        chosen: Any = {kind: one for kind, one in frames.items() if len(one)}
    else:
        chosen = _rows_of(container, column_id, ids, argument)
    if not len(chosen):
        raise NoSharedIdError(
            f"none of the ids in column_id={column_id!r} of {argument} is in the index, which has "
            f"{shorten(map(repr, ids)) or 'no rows'}: give both the same ids"
        )
    return chosen


def _rows_of(frame: Any, column_id: Any, ids: Any, argument: str) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise SelectionError(
            f"{argument} is a {type(frame).__name__}, but must be a pandas DataFrame or a dict of "
            "them"
        )
    try:
        labels = RoleLabels.of(column_id, None, None, None).ids
        with_ids = with_index_columns(frame, [("column_id", label) for label in labels])
        for label in labels:
            check_column(with_ids, "column_id", label, argument)
    except ArgumentError as error:
        raise SelectionError(str(error)) from None
    if len(labels) > 1:
        wanted = ids if isinstance(ids, pd.Index) else pd.Index(list(ids))
        return frame[pd.MultiIndex.from_frame(with_ids[list(labels)]).isin(wanted)]
    return frame[with_ids[labels[0]].isin(list(ids)).to_numpy()]


def _ids_of_rows(frame: Any, column_id: Any) -> pd.Series[Any]:
    if not isinstance(frame, pd.DataFrame):
        raise SelectionError(
            f"{type(frame).__name__} is not supported; give a DataFrame, or a dict of them"
        )
    if isinstance(column_id, list) or column_id not in frame.columns:
        raise SelectionError(
            f"column_id={column_id!r} names no column; the frame has {list(frame.columns)}"
        )
    ids: pd.Series[Any] = frame[column_id]
    return ids
