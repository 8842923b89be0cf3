"""Read integers, or whole floats, as time since 1970."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import ArgumentError, DataError
from tidemill.sources.rows.clocks import NANOSECONDS

__all__ = ["count_epochs", "value_fault"]

#: Floats beyond it skip integers.
LARGEST_FLOAT = 2.0**53


def count_epochs(array: pa.Array, name: str, unit: str) -> pa.Array:
    """Read integers, whole floats or digits as the time since 1970 that they count.

    Parameters
    ----------
    array : nulls stay null, NaN becomes null
    name : the column's name, for messages
    unit : "s", "ms", "us" or "ns"

    Returns
    -------
    Array
        Of ``timestamp[ns, UTC]``.

    Raises
    ------
    ArgumentError
        If the column holds neither numbers nor text.
    DataError
        If a value is no integer, or a time beyond the years 1678 to 2261.

    Examples
    --------
    >>> count_epochs(pa.array([86_400]), "time", "s").cast(pa.string()).to_pylist()
    ['1970-01-02 00:00:00.000000000Z']
    """
    numbers = _integers(array, name, unit)
    try:
        factor = pa.scalar(NANOSECONDS[unit], pa.int64())
        counted = pc.multiply_checked(numbers.cast(pa.int64()), factor)
    except pa.ArrowInvalid:
        extremes = pc.min_max(numbers).as_py()
        raise DataError(
            f"column {name!r} holds integers from {extremes['min']} to {extremes['max']}, which "
            f"with time_unit={unit!r} reach beyond the years 1678 to 2261: give the unit that "
            "they count"
        ) from None
    return counted.view(pa.timestamp("ns", "UTC"))


def _integers(array: pa.Array, name: str, unit: str) -> pa.Array:
    if pt.is_integer(array.type):
        return array
    if pt.is_floating(array.type):
        return _whole(array, name)
    if pt.is_string(array.type) or pt.is_large_string(array.type):
        return _from_digits(array, name)
    raise ArgumentError(
        f"time_unit={unit!r} reads integers, but column {name!r} has type {array.type}: leave it "
        "out, or cast the column to integers"
    )


def _from_digits(array: pa.Array, name: str) -> pa.Array:
    bad = pc.invert(pc.match_substring_regex(array, r"^-?\d{1,18}$"))
    if pc.any(bad).as_py():
        why = "is no integer, as time_unit needs: leave time_unit out"
        raise value_fault(array, array.filter(bad)[0], name, why)
    return array.cast(pa.int64())


def _whole(array: pa.Array, name: str) -> pa.Array:
    """Cast floats to integers, NaN to null."""
    floats = array.cast(pa.float64())
    numbers = pc.if_else(pc.is_nan(floats), None, floats)
    small = pc.less_equal(pc.abs(numbers), LARGEST_FLOAT)
    bad = pc.invert(pc.and_(small, pc.equal(pc.floor(numbers), numbers)))
    if pc.any(bad).as_py():
        why = "is no integer that float64 holds exactly: count a smaller unit in integers"
        raise value_fault(numbers, numbers.filter(bad)[0], name, why)
    return numbers.cast(pa.int64())


def value_fault(rows: pa.Array, value: pa.Scalar, name: str, why: str) -> DataError:
    """The error for a value of a column, with the first row that holds it.

    Examples
    --------
    >>> value_fault(pa.array(["a", "b"]), pa.scalar("b"), "t", "is no time")
    DataError("column 't' holds 'b' (at row 1), which is no time")
    """
    row = pc.index(rows, value).as_py()
    return DataError(f"column {name!r} holds {str(value)!r} (at row {row}), which {why}")
