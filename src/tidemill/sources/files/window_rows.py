"""Select the row groups and rows of an input whose times lie in a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from tidemill.errors import DataError, SourceError
from tidemill.model.source import ColumnRoles, Window
from tidemill.sources.rows.clocks import NANOSECONDS

__all__ = ["covers", "inside", "make_window", "touches", "with_time"]


def make_window(schema: pa.Schema, columns: ColumnRoles, first: int, stop: int) -> Window:
    """Make the window of the times from ``first`` up to, not including, ``stop`` (UTC nanoseconds).

    Raises
    ------
    SourceError
        If the sort column holds no timestamps; those without a time zone are taken as UTC.
    """
    if columns.sort is None:
        raise SourceError("column_time=None is not allowed; name the column of timestamps")
    type_ = schema.field(columns.sort).type
    if not pt.is_timestamp(type_):
        raise SourceError(
            f"column {columns.sort!r} has type {type_}, but intervals need timestamps; write the "
            "column as timestamps, such as those of pandas.to_datetime"
        )
    unit = NANOSECONDS[type_.unit]
    return Window(-(-first // unit), -(-stop // unit), str(type_.unit))


def covers(window: Window, group: pq.RowGroupMetaData, column: str) -> bool | None:
    """Whether all rows of a row group lie in the window, or none; None if unknown.

    This uses the statistics of the sort column; groups with nulls are read, which refuses them.
    """
    places = (place for place in range(group.num_columns) if _name(group, place) == column)
    statistics = group.column(next(places)).statistics
    if statistics is None or not statistics.has_min_max or statistics.null_count:
        return None
    type_ = pa.timestamp(window.unit)
    try:
        low, high = (
            pa.scalar(_naive(bound), type_).value for bound in (statistics.min, statistics.max)
        )
    except (ValueError, OverflowError, TypeError, pa.ArrowException):
        return None
    slack = 1_000 if window.unit == "ns" else 0  # bounds are read in microseconds
    if high + slack < window.first or low - slack >= window.stop:
        return False
    return True if low - slack >= window.first and high + slack < window.stop else None


def touches(window: Window, columns: ColumnRoles, metadata: pq.FileMetaData) -> bool:
    """Whether a Parquet file may hold rows of the window, by its footer."""
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    return any(covers(window, group, str(columns.sort)) is not False for group in groups)


def _name(group: pq.RowGroupMetaData, place: int) -> str:
    name: str = group.column(place).path_in_schema
    return name


def _naive(bound: Any) -> Any:
    """A bound in UTC, without a zone."""
    return bound.astimezone(UTC).replace(tzinfo=None) if bound.tzinfo else bound


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
            f"column {column!r} is null in {times.null_count} rows; every row needs a time: drop "
            "these rows"
        )
    plain = times.cast(pa.timestamp(window.unit, times.type.tz)).view(pa.int64())
    values = plain.to_numpy(zero_copy_only=True)
    mask: npt.NDArray[np.bool_] = (values >= window.first) & (values < window.stop)
    return mask
