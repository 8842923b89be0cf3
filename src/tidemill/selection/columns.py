"""Columns of a feature matrix, in batches of arrays that a thread takes at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.errors import SelectionError, shorten
from tidemill.model.aliases import Floats, Index

__all__ = ["ColumnBatch", "column_batches"]

#: Values of a batch. Half of it would stay in a core's cache, but calls take 0.3 ms per batch.
BATCH_VALUES = 320_000
#: Integers up to this one are the same as float64.
_EXACT = 2**53


@dataclass(frozen=True, slots=True)
class ColumnBatch:
    """Columns of one length, as the rows of an array."""

    places: Index  # of the columns in the matrix
    numbers: Floats  # float64[b, n]


def column_batches(
    matrix: pd.DataFrame,
    chunksize: int | None = None,
) -> Iterator[ColumnBatch]:
    """Cut a feature matrix into batches.

    Parameters
    ----------
    matrix : columns of numbers or booleans
    chunksize : columns of a batch; None: as many as stay in cache

    Raises
    ------
    SelectionError
        If a label occurs twice, or a column does not hold numbers.

    Examples
    --------
    >>> matrix = pd.DataFrame({"a": [1.5, 2.5], "b": [True, False]})
    >>> [batch.numbers.tolist() for batch in column_batches(matrix)]
    [[[1.5, 2.5], [1.0, 0.0]]]
    """
    check_columns(matrix, chunksize)
    width = chunksize or max(1, BATCH_VALUES // max(len(matrix), 1))
    floats = [dtype == np.float64 for dtype in matrix.dtypes]
    matrix = matrix.copy(deep=False)
    matrix.columns = pd.RangeIndex(matrix.shape[1])  # a slice of text takes 0.5 ms
    for first in range(0, matrix.shape[1], width):
        places = np.arange(first, min(first + width, matrix.shape[1]))
        if all(floats[first : first + width]):
            block = matrix.iloc[:, first : first + width].to_numpy().T
            yield ColumnBatch(places, np.ascontiguousarray(block))
        else:
            columns = [_numbers(matrix.iloc[:, place]) for place in places.tolist()]
            yield ColumnBatch(places, np.stack(columns))


def check_columns(matrix: pd.DataFrame, chunksize: int | None) -> None:
    """Refuse a matrix with columns that cannot be told apart or hold no numbers.

    Raises
    ------
    SelectionError
        If there is such a column, or ``chunksize`` is not allowed.
    """
    if chunksize is not None and chunksize < 1:
        raise SelectionError(
            f"chunksize={chunksize} is not allowed; give 1 or more columns, or None"
        )
    if not matrix.columns.is_unique:
        repeated = matrix.columns[matrix.columns.duplicated()].unique()
        raise SelectionError(
            f"X has several columns of one name: {shorten(map(repr, repeated))}; rename them"
        )
    refused = [
        f"{label!r} ({dtype})"
        for label, dtype in matrix.dtypes.items()
        if not pd.api.types.is_numeric_dtype(dtype) or dtype.kind == "c" or dtype == np.longdouble
    ]
    if refused:
        raise SelectionError(
            f"X has columns that are no real numbers: {shorten(refused)}; drop them, or encode "
            "them as numbers"
        )


def _numbers(column: pd.Series[Any]) -> Floats:
    """Values; for integers that float64 cannot hold their ranks, from which the same follows."""
    if not isinstance(column.dtype, np.dtype) and column.hasnans:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = column.to_numpy()
    if values.dtype == object:  # a nullable dtype without nulls
        values = column.to_numpy(dtype=np.dtype(f"{column.dtype.kind}8"))
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and _exceeds(values):
        return np.unique(values, return_inverse=True)[1].astype(np.float64)
    return values.astype(np.float64)


def _exceeds(values: npt.NDArray[Any]) -> bool:
    return bool(len(values)) and (int(values.max()) > _EXACT or int(values.min()) < -_EXACT)
