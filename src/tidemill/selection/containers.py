"""Ids and gaps of frames and dicts of frames, as tsfresh's helpers look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tidemill.errors import SelectionError, shorten

__all__ = ["check_for_nans_in_columns", "get_ids", "restrict_input_to_index"]


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
    column_id : label
        Column of ids.
    index : Index or other collection
        The ids to keep.

    Returns
    -------
    DataFrame or dict of DataFrame

    Raises
    ------
    SelectionError
        If it is no frame, has no such column, or no id is left.

    Examples
    --------
    >>> frame = pd.DataFrame({"id": [1, 1, 2], "x": [3, 4, 5]})
    >>> restrict_input_to_index(frame, "id", [2])
       id  x
    2   2  5
    """
    if isinstance(df_or_dict, Mapping):
        return {
            kind: restrict_input_to_index(frame, column_id, index)
            for kind, frame in df_or_dict.items()
        }
    kept = _ids_of_rows(df_or_dict, column_id).isin(list(index))
    if not kept.any():
        raise SelectionError(
            f"none of the ids in column_id={column_id!r} is in the index; give both the same ids"
        )
    return df_or_dict[kept]


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
