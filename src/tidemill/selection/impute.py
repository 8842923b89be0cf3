"""Fill what is not finite in a feature matrix, in place, column by column."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.errors import SelectionError, shorten
from tidemill.model.aliases import Floats

__all__ = [
    "get_range_values_per_column",
    "impute",
    "impute_dataframe_range",
    "impute_dataframe_zero",
]

#: A value for each column.
ByColumn: TypeAlias = Mapping[Hashable, Any]


def impute(df_impute: pd.DataFrame) -> pd.DataFrame:
    """Replace what is not finite by its column's own values, in place.

    NaN becomes the median of the column's finite values, negative infinity their minimum, positive
    infinity their maximum; 0 if there is none. Definition: tsfresh's function of this name.

    Parameters
    ----------
    df_impute : DataFrame
        Columns of numbers or booleans; is changed. Dtypes stay.

    Returns
    -------
    DataFrame
        The same frame.

    Raises
    ------
    SelectionError
        If a column does not hold numbers.

    Warns
    -----
    RuntimeWarning
        If columns without a finite value are filled with zeros.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": [np.inf, 5.0, -np.inf]})
    >>> impute(frame)
         a    b
    0  1.0  5.0
    1  2.0  5.0
    2  3.0  5.0
    """
    empty: list[Hashable] = []

    def fill(values: Floats, finite: npt.NDArray[np.bool_], label: Hashable) -> None:
        if not finite.any():
            empty.append(label)
        _replace(values, *_range_of(values[finite]))

    _fill(df_impute, fill)
    _warn_of_empty(empty)
    return df_impute


def impute_dataframe_zero(df_impute: pd.DataFrame) -> pd.DataFrame:
    """Replace what is not finite by 0, in place.

    Parameters
    ----------
    df_impute : DataFrame
        Columns of numbers or booleans; is changed. Dtypes stay.

    Returns
    -------
    DataFrame
        The same frame.

    Raises
    ------
    SelectionError
        If a column does not hold numbers.

    Examples
    --------
    >>> impute_dataframe_zero(pd.DataFrame({"a": [1.0, np.nan, np.inf]}))["a"].tolist()
    [1.0, 0.0, 0.0]
    """

    def fill(values: Floats, finite: npt.NDArray[np.bool_], _: Hashable) -> None:
        values[~finite] = 0

    _fill(df_impute, fill)
    return df_impute


def impute_dataframe_range(
    df_impute: pd.DataFrame, col_to_max: ByColumn, col_to_min: ByColumn, col_to_median: ByColumn
) -> pd.DataFrame:
    """Replace what is not finite by values from elsewhere, in place.

    Parameters
    ----------
    df_impute : DataFrame
        Columns of numbers or booleans; is changed. Dtypes stay.
    col_to_max, col_to_min, col_to_median : mapping of column to value
        What takes the place of positive infinity, negative infinity and NaN.

    Returns
    -------
    DataFrame
        The same frame.

    Raises
    ------
    SelectionError
        If a column is missing in a mapping, a value there is not finite, or a column does not hold
        numbers.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [np.nan, np.inf, -np.inf]})
    >>> impute_dataframe_range(frame, {"a": 9.0}, {"a": 1.0}, {"a": 4.0})["a"].tolist()
    [4.0, 9.0, 1.0]
    """
    if len(df_impute) == 0:
        return df_impute
    given = {"col_to_max": col_to_max, "col_to_min": col_to_min, "col_to_median": col_to_median}
    for name, mapping in given.items():
        _check_mapping(name, mapping, df_impute.columns)

    def fill(values: Floats, _: npt.NDArray[np.bool_], label: Hashable) -> None:
        _replace(values, col_to_max[label], col_to_min[label], col_to_median[label])

    _fill(df_impute, fill)
    return df_impute


def get_range_values_per_column(
    df: pd.DataFrame,
) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    """Look up the largest, smallest and median finite value of every column.

    Parameters
    ----------
    df : DataFrame
        Columns of numbers or booleans.

    Returns
    -------
    col_to_max, col_to_min, col_to_median : dict of column to value
        0 for columns without a finite value.

    Raises
    ------
    SelectionError
        If a column does not hold numbers.

    Warns
    -----
    RuntimeWarning
        If columns have no finite value.

    Examples
    --------
    >>> high, low, middle = get_range_values_per_column(pd.DataFrame({"a": [1.0, np.inf, 4.0]}))
    >>> float(high["a"]), float(low["a"]), float(middle["a"])
    (4.0, 1.0, 2.5)
    """
    high, low, middle = {}, {}, {}
    empty: list[Hashable] = []
    for label, column in df.items():
        values = _numbers(column, label)
        finite = values[np.isfinite(values)]
        if len(finite) == 0:
            empty.append(label)
        high[label], low[label], middle[label] = _range_of(finite)
    _warn_of_empty(empty)
    return high, low, middle


def _fill(
    frame: pd.DataFrame, fill: Callable[[Floats, npt.NDArray[np.bool_], Hashable], None]
) -> None:
    """Let ``fill`` replace what is not finite in copies of columns, and put these back."""
    if len(frame) == 0:
        return
    for place, (label, column) in enumerate(frame.items()):
        if column.dtype.kind in "biu" and not column.hasnans:
            continue
        values = _numbers(column, label)
        finite = np.isfinite(values)
        if finite.all():
            continue
        filled = np.array(values)
        fill(filled, finite, label)
        frame.isetitem(place, pd.Series(filled).astype(column.dtype).array)


def _numbers(column: pd.Series[Any], label: Hashable) -> npt.NDArray[Any]:
    if not pd.api.types.is_numeric_dtype(column) or column.dtype.kind == "c":
        raise SelectionError(
            f"column {label!r} holds {column.dtype}, which cannot be imputed: drop the column, or "
            "cast it to numbers"
        )
    if isinstance(column.dtype, np.dtype):
        return column.to_numpy()
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _range_of(finite: npt.NDArray[Any]) -> tuple[Any, Any, Any]:
    if len(finite) == 0:
        return 0.0, 0.0, 0.0
    with np.errstate(over="ignore"):
        middle = np.median(finite)
        if np.isinf(middle):  # the sum of two huge values is halved
            middle = 2 * np.median(finite / 2)
    return finite.max(), finite.min(), middle


def _replace(values: Floats, high: Any, low: Any, middle: Any) -> None:
    """Replace infinities and NaN."""
    values[np.isposinf(values)] = high
    values[np.isneginf(values)] = low
    values[np.isnan(values)] = middle


def _check_mapping(name: str, mapping: ByColumn, columns: pd.Index[Any]) -> None:
    missing = [label for label in columns if label not in mapping]
    if missing:
        raise SelectionError(
            f"{name} lacks columns of the frame: {shorten(map(repr, missing))}; give a value for "
            "each"
        )
    unusable = [label for label, value in mapping.items() if not np.isfinite(value)]
    if unusable:
        raise SelectionError(
            f"{name} has values that are not finite: {shorten(map(repr, unusable))}; give numbers"
        )


def _warn_of_empty(labels: list[Hashable]) -> None:
    if labels:
        warnings.warn(
            f"columns without a finite value are filled with zeros: {shorten(map(repr, labels))}",
            RuntimeWarning,
            stacklevel=3,
        )
