"""Times in files, read as the user said."""

from __future__ import annotations

import pyarrow as pa

from tidemill.model.source import Reading
from tidemill.sources.rows.times import read_times, time_type_of_text

__all__ = ["time_type", "times_of"]


def time_type(values: pa.Array, name: str, reading: Reading) -> pa.DataType | None:
    """The type of times that a column holds, as :func:`time_type_of_text` finds it.

    Examples
    --------
    >>> time_type(pa.array(["27.11.2026"]), "time", Reading(time_format="%d.%m.%Y"))
    TimestampType(timestamp[ns])
    """
    return time_type_of_text(
        values, name, time_format=reading.time_format, time_unit=reading.time_unit,
        input_timezone=reading.input_timezone,
    )  # fmt: skip


def times_of(
    values: pa.Array, name: str, reading: Reading, expected: pa.DataType | None = None
) -> pa.Array:
    """The times of a column, as :func:`read_times` reads them.

    Raises
    ------
    DataError
        If they are not of the ``expected`` type: naive and aware ones do not go together.
    """
    return read_times(
        values, name, time_format=reading.time_format, time_unit=reading.time_unit,
        input_timezone=reading.input_timezone, expected=expected,
    )  # fmt: skip
