"""Select the row groups and rows of an input whose times lie in a window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tidemill.errors import DataError, SourceError
from tidemill.model.counts import counted
from tidemill.model.source import ColumnRoles, Reading, Window
from tidemill.sources.files.file_format import TimeBounds
from tidemill.sources.files.given_times import time_type, times_of
from tidemill.sources.files.path_columns import Constants
from tidemill.sources.rows.clocks import NANOSECONDS

__all__ = [
    "constant_touches",
    "covers",
    "inside",
    "make_window",
    "time_spans",
    "touches",
    "with_time",
]


def make_window(schema: pa.Schema, columns: ColumnRoles, first: int, stop: int) -> Window:
    """Make the window of the times from ``first`` up to, not including, ``stop`` (UTC nanoseconds).

    Raises
    ------
    SourceError
        If the sort column holds no timestamps; those without a time zone are taken as UTC.
    """
    assert columns.sort is not None, "a window needs a sort column"
    type_ = schema.field(columns.sort).type
    if not pt.is_timestamp(type_):
        remedy = "write the column as timestamps, such as those of pandas.to_datetime"
        if pt.is_integer(type_):
            remedy = "say what they count with time_unit (--time-unit): s, ms, us or ns since 1970"
        elif pt.is_string(type_):
            remedy = "say how they are written with time_format (--time-format), or write ISO 8601"
        raise SourceError(
            f"column {columns.sort!r} has type {type_}, but intervals need times: {remedy}"
        )
    unit = NANOSECONDS[type_.unit]
    return Window(-(-first // unit), -(-stop // unit), str(type_.unit))


#: Nanoseconds by which naive bounds may be off in UTC: more than the largest offset of a zone.
_OFFSET = 27 * 3_600 * 10**9


def covers(
    window: Window, group: pq.RowGroupMetaData, column: str, reading: Reading
) -> bool | None:
    """Whether all rows of a row group lie in the window, or none; None if unknown.

    This uses the statistics of the sort column; groups with nulls are read, which refuses them.
    """
    span = _span(group, column, reading)
    if span is None:
        return None
    unit = NANOSECONDS[window.unit]
    first, stop = window.first * unit, window.stop * unit
    if span[1] < first or span[0] >= stop:
        return False
    return True if span[0] >= first and span[1] < stop else None


def _span(group: pq.RowGroupMetaData, column: str, reading: Reading) -> TimeBounds | None:
    """Between which times the rows of a row group lie; None if unknown."""
    places = (place for place in range(group.num_columns) if _name(group, place) == column)
    place = next(places, None)
    statistics = None if place is None else group.column(place).statistics
    if statistics is None or not statistics.has_min_max or statistics.null_count:
        return None
    try:
        low, high = (_moment(bound, reading) for bound in (statistics.min, statistics.max))
    except (ValueError, OverflowError, TypeError, pa.ArrowException):
        return None
    slack = 1_000 if "nano" in str(statistics.logical_type) else 0  # read in microseconds
    if reading.input_timezone is not None and getattr(statistics.min, "tzinfo", None) is None:
        slack = _OFFSET
    return low - slack, high + slack


def _moment(bound: Any, reading: Reading) -> int:
    """A bound in nanoseconds since 1970, in UTC if it has a zone.

    Raises
    ------
    TypeError
        If it is no time.
    """
    if isinstance(bound, int) and reading.time_unit is not None:
        return bound * NANOSECONDS[reading.time_unit]
    if isinstance(bound, datetime):
        plain = bound.astimezone(UTC).replace(tzinfo=None) if bound.tzinfo else bound
        return int(pa.scalar(plain, pa.timestamp("us")).value) * 1_000
    if isinstance(bound, date):
        return int(pa.scalar(bound, pa.date32()).value) * 86_400 * 10**9
    raise TypeError(type(bound).__name__)


def constant_touches(window: Window, constants: Constants, column: str, reading: Reading) -> bool:
    """Whether a file may hold rows of the window, if its sort value stands in its path."""
    text = dict(constants).get(column)
    if text is None:
        return True
    values = pa.array([text])
    if time_type(values, column, reading) is None:
        return True
    moment = int(times_of(values, column, reading).cast(pa.int64())[0].as_py())
    unit = NANOSECONDS[window.unit]
    return window.first * unit <= moment < window.stop * unit


def time_spans(
    columns: ColumnRoles, reading: Reading, metadata: pq.FileMetaData
) -> tuple[TimeBounds | None, ...]:
    """Between which times the rows of each row group of a Parquet file lie, by its footer."""
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    return tuple(_span(one, str(columns.sort), reading) for one in groups)


def touches(window: Window, spans: Iterable[TimeBounds | None]) -> bool:
    """Whether a file with groups of these spans may hold rows of the window.

    Examples
    --------
    >>> touches(Window(10, 20, "ns"), [(0, 9), (20, 29)]), touches(Window(10, 20, "ns"), [None])
    (False, True)
    """
    unit = NANOSECONDS[window.unit]
    first, stop = window.first * unit, window.stop * unit
    return any(one is None or (one[1] >= first and one[0] < stop) for one in spans)


def _name(group: pq.RowGroupMetaData, place: int) -> str:
    name: str = group.column(place).path_in_schema
    return name


def with_time(names: Sequence[str], columns: ColumnRoles) -> list[str]:
    """Add the sort column to the names to read: it decides which rows are in the window."""
    assert columns.sort is not None, "a window needs a sort column"
    return [*names] if columns.sort in names else [*names, columns.sort]


def inside(
    window: Window, batches: Iterator[pa.RecordBatch], names: Sequence[str], columns: ColumnRoles
) -> Iterator[pa.RecordBatch]:
    """Select the rows of the window, with the columns ``names``.

    Raises
    ------
    DataError
        If a time is null: the row belongs to no interval.
    """
    for batch in batches:
        mask = _mask(window, batch.column(columns.sort), str(columns.sort))
        if mask.all():
            kept = batch
        elif mask.any():
            kept = batch.filter(pa.array(mask))
        else:
            continue
        if kept.num_rows:
            yield kept.select(list(names))


def _mask(window: Window, times: pa.Array, column: str) -> npt.NDArray[np.bool_]:
    if times.null_count:
        raise DataError(
            f"column {column!r} is null in {counted(times.null_count, 'row')}; every row needs a "
            "time: drop these rows"
        )
    plain = times.cast(pa.timestamp(window.unit, times.type.tz)).view(pa.int64())
    values = plain.to_numpy(zero_copy_only=True)
    mask: npt.NDArray[np.bool_] = (values >= window.first) & (values < window.stop)
    return mask
