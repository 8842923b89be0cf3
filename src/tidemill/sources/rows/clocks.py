"""Read sort columns as times in nanoseconds, or as keys by which windows are cut."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import DataError, SourceError
from tidemill.model.aliases import Index
from tidemill.sources.rows.casts import ArrowColumn, contiguous, ordinals

__all__ = ["NANOSECONDS", "SortKeys", "is_time", "nanoseconds", "window_keys"]

#: Nanoseconds in each unit of time.
NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}

#: int64 (nanoseconds of times, or integers) or float64.
SortKeys: TypeAlias = npt.NDArray[Any]


def is_time(type_: pa.DataType) -> bool:
    """Whether values of this Arrow type are points in time.

    Examples
    --------
    >>> is_time(pa.date32()), is_time(pa.time64("us"))
    (True, False)
    """
    return bool(pt.is_timestamp(type_) or pt.is_date(type_))


def nanoseconds(array: ArrowColumn, name: str) -> Index:
    """Read timestamps or dates without nulls as nanoseconds since the epoch.

    Raises
    ------
    DataError
        If int64 cannot hold one.

    Examples
    --------
    >>> import datetime
    >>> nanoseconds(pa.array([datetime.date(1970, 1, 2)]), "day").tolist()
    [86400000000000]
    """
    whole = contiguous(array)
    zone = pa.timestamp("ns", getattr(whole.type, "tz", None))
    try:
        counted = whole.cast(zone).view(pa.int64())
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r}: {error}; times must lie within the years 1678 to 2261"
        ) from None
    return np.asarray(counted.to_numpy())


def window_keys(array: pa.Array, name: str) -> SortKeys:
    """Turn a sort column without nulls into numbers that windows can be cut by.

    Raises
    ------
    SourceError
        If it holds neither times nor numbers.
    DataError
        If a time or an integer lies beyond what int64 can hold.

    Examples
    --------
    >>> window_keys(pa.array([3, 5], pa.uint8()), "step")
    array([3, 5])
    """
    if is_time(array.type):
        return nanoseconds(array, name)
    if not (pt.is_integer(array.type) or pt.is_floating(array.type)):
        raise SourceError(
            f"column {name!r} has type {array.type}, but windows need a sort column of times or "
            "numbers: convert it, as with pandas.to_datetime or pandas.to_numeric"
        )
    keys = ordinals(array)
    assert keys is not None
    if keys.dtype == np.uint64 and len(keys) and keys.max() > np.iinfo(np.int64).max:
        raise DataError(
            f"column {name!r} holds the integer {keys.max()}, which int64 cannot hold: subtract an "
            "offset, or convert it to times"
        )
    return keys.astype(np.int64 if keys.dtype.kind in "iu" else np.float64, copy=False)
