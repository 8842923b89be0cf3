"""Read text, dates and integers as times: in nanoseconds, without a zone or in UTC.

Text in ISO 8601 needs no option. All other text that people take for a time or a number is
refused, because sorted as text it comes in another order: "9" after "10", "01.02." before "02.01.".
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import ArgumentError, DataError, SourceError
from tidemill.model.zones import likely_zone
from tidemill.sources.rows.casts import ArrowColumn, contiguous
from tidemill.sources.rows.clocks import NANOSECONDS, is_time, nanoseconds
from tidemill.sources.rows.epochs import count_epochs, value_fault
from tidemill.sources.rows.time_text import (
    TextShape,
    find_shape,
    iso_times,
    parse_format,
    split_iso,
)

__all__ = ["Remedies", "read_times", "time_type_of_text"]

LOCAL, UTC = pa.timestamp("ns"), pa.timestamp("ns", "UTC")


@dataclass(frozen=True, slots=True)
class Remedies:
    """What messages offer; by default what there is for files."""

    of_format: str = (
        "say how to read it with time_format (--time-format), as '%d.%m.%Y %H:%M', or write "
        "ISO 8601, as 2026-11-27T06:00"
    )
    of_number: str = (
        "convert the column to numbers; if these count time since 1970, give time_unit "
        "(--time-unit)"
    )
    of_offset: str = (
        "write all with an offset, or say with input_timezone (--input-timezone) where those "
        "without one were taken"
    )


FILES = Remedies()


@dataclass(frozen=True, slots=True)
class _Options:
    """How a column is read."""

    name: str
    time_format: str | None
    time_unit: str | None
    input_timezone: str | None
    remedies: Remedies

    def __post_init__(self) -> None:
        if self.time_unit is not None and self.time_unit not in NANOSECONDS:
            raise ArgumentError(
                f"time_unit={self.time_unit!r} is not known: give one of {', '.join(NANOSECONDS)}"
            )
        if self.time_format is not None and self.time_unit is not None:
            raise ArgumentError(
                f"time_format={self.time_format!r} reads text and time_unit={self.time_unit!r} "
                "reads integers: give one of the two"
            )
        if self.time_format is not None:
            _check_format(self.time_format)
        if self.input_timezone is not None:
            _check_zone(self.input_timezone)

    @property
    def of_local(self) -> pa.DataType:
        """The type that times without an offset get."""
        return LOCAL if self.input_timezone is None else UTC


def time_type_of_text(
    sample: ArrowColumn,
    name: str,
    *,
    time_format: str | None = None,
    time_unit: str | None = None,
    input_timezone: str | None = None,
    remedies: Remedies = FILES,
) -> pa.DataType | None:
    """Find the type of time that :func:`read_times` makes of a column.

    Parameters
    ----------
    sample : some values of the column, of any type
    name : the column's name, for messages
    time_format : how text is read, with the directives of ``datetime.strptime``
    time_unit : what integers since 1970 count: "s", "ms", "us" or "ns"
    input_timezone : where clocks without an offset stand, as "Europe/Berlin"
    remedies : what messages offer

    Returns
    -------
    DataType or None
        ``timestamp[ns]`` or ``timestamp[ns, UTC]``; None if the column is no time: numbers, and
        text that is neither a time nor a number, which sorts as text.

    Raises
    ------
    ArgumentError
        If an option is not allowed.
    SourceError
        If text is a time or a number in a form that needs an option or a conversion.
    DataError
        If text with and without offsets is mixed, or only some of it is ISO 8601.

    Examples
    --------
    >>> time_type_of_text(pa.array(["2026-11-27", "2026-11-27 06:00:00.5"]), "time")
    TimestampType(timestamp[ns])
    >>> time_type_of_text(pa.array(["before", "after"]), "phase")
    >>> time_type_of_text(pa.array(["10", "9"]), "step")
    Traceback (most recent call last):
    tidemill.errors.SourceError: column 'step' holds the number '10' as text, and text sorts in \
another order: convert the column to numbers; if these count time since 1970, give \
time_unit (--time-unit)
    """
    reading = _Options(name, time_format, time_unit, input_timezone, remedies)
    type_ = _value_type(sample.type)
    if reading.time_unit is not None and (_is_number(type_) or _is_text(type_)):
        return UTC
    if reading.time_format is not None and (_is_text(type_) or pt.is_integer(type_)):
        return UTC if "%z" in reading.time_format else reading.of_local
    if is_time(type_):
        return UTC if getattr(type_, "tz", None) else reading.of_local
    return _type_of_iso(_plain(sample), reading) if _is_text(type_) else None


def read_times(
    array: ArrowColumn,
    name: str,
    *,
    time_format: str | None = None,
    time_unit: str | None = None,
    input_timezone: str | None = None,
    expected: pa.DataType | None = None,
    remedies: Remedies = FILES,
) -> pa.Array:
    """Read a column as times; numbers without ``time_unit`` and other types stay as they are.

    Parameters
    ----------
    array : text, dates, timestamps, or numbers; nulls stay null
    name, time_format, time_unit, input_timezone, remedies : see :func:`time_type_of_text`
    expected : the type that :func:`time_type_of_text` found in a sample

    Returns
    -------
    Array
        Of ``timestamp[ns]`` or ``timestamp[ns, UTC]``.

    Raises
    ------
    ArgumentError
        If an option is not allowed, or does not fit the column's type.
    DataError
        If a value is no such time, lies beyond the years 1678 to 2261, or is of another type
        than expected; if a local time does not exist or occurs twice.

    Examples
    --------
    >>> read_times(pa.array(["2026-11-27T06:00:00+01:00"]), "time").to_pylist()
    [Timestamp('2026-11-27 05:00:00+0000', tz='UTC')]
    >>> read_times(pa.array([86_400]), "time", time_unit="s").type
    TimestampType(timestamp[ns, tz=UTC])
    """
    reading = _Options(name, time_format, time_unit, input_timezone, remedies)
    type_ = _value_type(array.type)
    if not (_is_text(type_) or is_time(type_)) and time_format is None and time_unit is None:
        return contiguous(array)
    times = _read(_plain(array), reading)
    if expected is None or times.type == expected:
        return times
    if times.null_count == len(times):
        return times.cast(expected)
    offset = "no offset" if times.type == LOCAL else "offsets"
    raise DataError(
        f"column {name!r} holds times with {offset} here, but not in other rows: "
        f"{remedies.of_offset}"
    )


def _read(array: pa.Array, reading: _Options) -> pa.Array:
    if reading.time_unit is not None and not is_time(array.type):
        return count_epochs(array, reading.name, reading.time_unit)
    if is_time(array.type):
        return _from_timestamps(array, reading)
    if reading.time_format is not None:
        return _formatted(array, reading)
    return _from_iso(array, reading)


def _value_type(type_: pa.DataType) -> pa.DataType:
    """The type of a column's values; an ordered dictionary has an order of its own."""
    return type_.value_type if pt.is_dictionary(type_) and not type_.ordered else type_


def _is_text(type_: pa.DataType) -> bool:
    return bool(pt.is_string(type_) or pt.is_large_string(type_) or pt.is_string_view(type_))


def _is_number(type_: pa.DataType) -> bool:
    return bool(pt.is_integer(type_) or pt.is_floating(type_))


def _plain(array: ArrowColumn) -> pa.Array:
    whole = contiguous(array)
    return contiguous(whole.dictionary_decode()) if pt.is_dictionary(whole.type) else whole


def _check_format(time_format: str) -> None:
    if "%" not in time_format or "%Z" in time_format:
        raise ArgumentError(
            f"time_format={time_format!r} must have directives of strptime, as '%d.%m.%Y %H:%M', "
            "and none for the name of a zone: write a fixed name as it stands; %z reads offsets"
        )
    try:
        parse_format(pa.array(["x"]), time_format)
    except ValueError as error:
        raise ArgumentError(
            f"time_format={time_format!r} cannot be read: {error}; use directives of strptime, as "
            "'%d.%m.%Y %H:%M'"
        ) from None


def _check_zone(zone: str) -> None:
    try:
        pc.assume_timezone(pa.array([0], LOCAL), zone)
    except pa.ArrowInvalid as error:
        meant = likely_zone(zone)
        remedy = f"write {meant!r}, a name" if meant else "give a name"
        raise ArgumentError(
            f"input_timezone={zone!r} is not known ({error}): {remedy} of the time zone "
            "database, as 'Europe/Berlin' or 'UTC'"
        ) from None


def _type_of_iso(texts: pa.Array, reading: _Options) -> pa.DataType | None:
    values = texts.drop_null()
    if not len(values):
        return None
    for type_ in (LOCAL, UTC):
        if iso_times(values, type_) is not None:
            return UTC if type_ == UTC else reading.of_local
    unique = values.unique()
    iso, _, _ = split_iso(unique)
    if not pc.any(iso).as_py():
        _refuse_shape(find_shape(unique), reading)
        return None
    return _from_iso(texts, reading).type


def _refuse_shape(shape: TextShape | None, reading: _Options) -> None:
    """Refuse text that is a time or a number."""
    if shape is None:
        return
    remedy = "convert the column to numbers or times"
    if shape.is_number:
        remedy = reading.remedies.of_number
    elif shape.has_format:
        remedy = reading.remedies.of_format
    raise SourceError(
        f"column {reading.name!r} holds the {shape.noun} {shape.text!r} as text, and text sorts "
        f"in another order: {remedy}"
    )


def _from_iso(texts: pa.Array, reading: _Options) -> pa.Array:
    """Read text in ISO 8601; its distinct values one by one only if they are of mixed forms."""
    for type_ in (LOCAL, UTC):
        times = iso_times(texts, type_)
        if times is not None:
            return times if type_ == UTC else _localise(times, texts, reading)
    encoded = texts.dictionary_encode()
    return _from_forms(encoded.dictionary, texts, reading).take(encoded.indices)


def _from_forms(unique: pa.Array, texts: pa.Array, reading: _Options) -> pa.Array:
    """Read distinct texts in several forms of ISO 8601; ``texts`` are those of all rows."""
    iso, aware, normal = split_iso(unique)
    _refuse_first(
        pc.invert(iso), texts, unique, reading, f"is not ISO 8601: {reading.remedies.of_format}"
    )
    local = pc.invert(aware)
    if reading.input_timezone is None and pc.any(aware).as_py() and pc.any(local).as_py():
        zoned = unique.filter(aware)[0].as_py()
        why = f"has no offset from UTC, but {zoned!r} has one: {reading.remedies.of_offset}"
        _refuse_first(local, texts, unique, reading, why)
    named = unique.filter(aware), unique.filter(local)
    zoned = _cast_iso(normal.filter(aware), named[0], UTC, texts, reading)
    clocks = _cast_iso(normal.filter(local), named[1], LOCAL, texts, reading)
    clocks = _localise(clocks, named[1], reading, texts)
    if not len(zoned):
        return clocks
    places = pc.array_sort_indices(pc.array_sort_indices(local))
    return pa.concat_arrays([zoned, clocks.cast(UTC)]).take(places)


def _cast_iso(
    normal: pa.Array, own: pa.Array, type_: pa.DataType, rows: pa.Array, reading: _Options
) -> pa.Array:
    """Cast normalised text; its own text names a day or an hour that does not exist."""
    times = iso_times(normal, type_)
    if times is not None:
        return times
    low, high = 0, len(normal)  # the first ``low`` texts can be cast, the first ``high`` cannot
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if iso_times(normal[:middle], type_) is None else (middle, high)
    why = f"is no time within the years 1678 to 2261: correct it, or {reading.remedies.of_format}"
    raise value_fault(rows, own[low], reading.name, why)


def _formatted(array: pa.Array, reading: _Options) -> pa.Array:
    time_format = str(reading.time_format)
    if pt.is_integer(array.type) and time_format.startswith("%Y"):
        array = array.cast(pa.string())
    if not _is_text(array.type):
        raise ArgumentError(
            f"time_format={time_format!r} reads text, but column {reading.name!r} has type "
            f"{array.type}: leave it out, or give time_unit (--time-unit) for integers since 1970"
        )
    encoded = array.dictionary_encode()
    unique = encoded.dictionary
    times = parse_format(unique, time_format)
    why = (
        f"does not match time_format={time_format!r}, or lies beyond the years 1678 to 2261: "
        "correct it, or give the format of all values"
    )
    _refuse_first(times.is_null(), array, unique, reading, why)
    zoned = times if times.type == UTC else _localise(times, unique, reading, array)
    return zoned.take(encoded.indices)


def _from_timestamps(array: pa.Array, reading: _Options) -> pa.Array:
    zone = getattr(array.type, "tz", None)
    valid = array if not array.null_count else array.drop_null()
    nanoseconds(valid, reading.name)  # refuses what int64 cannot hold
    if zone:
        return array.cast(pa.timestamp("ns", zone)).cast(UTC)
    return _localise(array.cast(LOCAL), array, reading)


def _localise(
    times: pa.Array, shown: pa.Array, reading: _Options, rows: pa.Array | None = None
) -> pa.Array:
    """Turn local times to UTC, if ``input_timezone`` is given.

    ``shown`` are the values that ``times`` were read from, ``rows`` those of all rows.
    """
    zone = reading.input_timezone
    if zone is None:
        return times
    try:
        return pc.assume_timezone(times, zone).cast(UTC)
    except pa.ArrowInvalid:
        first, last = (
            pc.assume_timezone(times, zone, ambiguous=side, nonexistent=side).view(pa.int64())
            for side in ("earliest", "latest")
        )
    apart = pc.subtract(last, first)
    place = pc.index(pc.not_equal(apart, 0), True).as_py()
    skipped = apart[place].as_py() == 1
    what = "does not exist" if skipped else "occurs twice"
    why = (
        f"{what} in input_timezone={zone!r}, whose clock was moved then: write offsets, as "
        "2026-11-27T06:00+01:00, or UTC"
    )
    raise value_fault(shown if rows is None else rows, shown[place], reading.name, why)


def _refuse_first(
    bad: pa.Array, rows: pa.Array, unique: pa.Array, reading: _Options, why: str
) -> None:
    """Refuse the first of the distinct values that are marked as bad."""
    place = pc.index(bad, True).as_py()
    if place >= 0:
        raise value_fault(rows, unique[place], reading.name, why)
