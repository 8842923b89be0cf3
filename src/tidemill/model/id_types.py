"""Types of ids: those that a sink can hold, and ids as JSON values."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import SourceError
from tidemill.model.ids import encode

__all__ = ["from_key", "id_key", "id_type", "integer_type", "parse_type"]

_UTC_MICROSECONDS = pa.timestamp("us", "UTC")
_ID_TYPES: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]], ...]
_ID_TYPES = (
    (pt.is_unsigned_integer, lambda _: pa.int64()),
    (pt.is_signed_integer, lambda kept: kept),
    (pt.is_boolean, lambda kept: kept),
    (pt.is_floating, lambda _: pa.float64()),
    (pt.is_string, lambda kept: kept),
    (pt.is_large_string, lambda _: pa.string()),
    (pt.is_string_view, lambda _: pa.string()),
    (pt.is_date, lambda _: pa.date32()),
    (pt.is_timestamp, lambda kept: _UTC_MICROSECONDS if kept.tz else pa.timestamp("us")),
)
_KEPT = (pa.bool_(), pa.string(), pa.float64(), pa.date32(), pa.timestamp("us"), _UTC_MICROSECONDS)
_SINK_TYPES = {str(kept): kept for kept in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), *_KEPT)}


def id_type(type_: pa.DataType) -> pa.DataType:
    """The Arrow type in which ids of ``type_`` are written.

    A Delta table has no unsigned integers, no dictionaries, and only timestamps in microseconds,
    without a time zone or in UTC.

    Raises
    ------
    SourceError
        If such ids are not supported.

    Examples
    --------
    >>> id_type(pa.dictionary(pa.int8(), pa.large_string()))
    DataType(string)
    >>> id_type(pa.timestamp("ns", "Europe/Berlin"))
    TimestampType(timestamp[us, tz=UTC])
    """
    value_type = type_.value_type if pt.is_dictionary(type_) else type_
    for test, kept in _ID_TYPES:
        if test(value_type):
            return kept(value_type)
    raise SourceError(
        f"ids of type {type_} are not supported: cast them to an integer, a string, a date or "
        "a timestamp"
    )


def parse_type(text: str) -> pa.DataType:
    """The type that :func:`id_type` returned, from its text.

    Examples
    --------
    >>> parse_type("timestamp[us, tz=UTC]") == pa.timestamp("us", "UTC")
    True
    """
    return _SINK_TYPES[text]


def id_key(scalar: pa.Scalar) -> int | float | str:
    """An id as a JSON value: timestamps and dates as their integer in Arrow's unit.

    Keys sort as the ids do; booleans are 0 and 1, composite ids their text.

    Examples
    --------
    >>> import datetime
    >>> id_key(pa.scalar(datetime.date(1970, 1, 3)))
    2
    """
    if pt.is_struct(scalar.type):
        return str(encode(pa.array([scalar]).flatten())[0])
    if pt.is_temporal(scalar.type):
        return int(scalar.value)
    key: float | str = scalar.as_py()
    return int(key) if pt.is_boolean(scalar.type) else key


def from_key(key: float | str, type_: pa.DataType) -> pa.Scalar:
    """The id of ``type_`` for a key that :func:`id_key` returned.

    Examples
    --------
    >>> from_key(2, pa.date32())
    <pyarrow.Date32Scalar: datetime.date(1970, 1, 3)>
    """
    if pt.is_temporal(type_):
        return pa.array([key], integer_type(type_)).view(type_)[0]
    return pa.scalar(bool(key) if pt.is_boolean(type_) else key, type_)


def integer_type(type_: pa.DataType) -> pa.DataType:
    """The integer type in which dates, times and timestamps of ``type_`` are stored."""
    return pa.int32() if pt.is_date32(type_) or pt.is_time32(type_) else pa.int64()
