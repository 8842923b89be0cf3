"""Sort columns of pandas frames: times, numbers, categories, or text with a warning."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tidemill.errors import InputError, SourceError, TextOrderWarning
from tidemill.sources.frames.columns import to_arrow
from tidemill.sources.rows.casts import ArrowColumn
from tidemill.sources.rows.times import Remedies, read_times, time_type_of_text

__all__ = ["read_sort"]

REMEDIES = Remedies(
    of_format=(
        "convert it with pandas.to_datetime, as in pandas.to_datetime(frame['time'], "
        "format='%d.%m.%Y %H:%M')"
    ),
    of_number="convert it with pandas.to_numeric",
    of_offset="write all with an offset or none, or convert them with pandas.to_datetime",
)


def read_sort(column: pd.Series[Any], where: str, *, warns: bool = True) -> ArrowColumn:
    """Convert sort keys to an array of the same order.

    Categories sort in their own order, as pandas has it, and periods by their start. Text in ISO
    8601 is read as times; text that is another time or a number is refused; other text is sorted
    as text, with a warning.

    Parameters
    ----------
    column : the sort column
    where : its frame, for messages
    warns : whether there is a warning about text; windows refuse it anyway

    Raises
    ------
    InputError
        If the column has no order, or holds times or numbers as text.

    Examples
    --------
    >>> read_sort(pd.Series(["2026-11-27", "2026-11-27T06:00"]), "frame").type
    TimestampType(timestamp[ns])
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _read_categories(column, where)
    if column.dtype == object:
        column = _with_one_type(column, where)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = _starts(column, where)
    array = to_arrow(column, where)
    if isinstance(array.type, pa.BaseExtensionType):
        raise SourceError(
            f"{where}: column {column.name!r} has dtype {_type_name(column)}, which has no order "
            f"to sort by: {_remedy(column)}"
        )
    return _read_text(array, column, where, warns=warns) if _is_text(array.type) else array


def _is_text(type_: pa.DataType) -> bool:
    value_type = type_.value_type if pt.is_dictionary(type_) and not type_.ordered else type_
    return bool(
        pt.is_string(value_type) or pt.is_large_string(value_type) or pt.is_string_view(value_type)
    )


def _type_name(column: pd.Series[Any]) -> str:
    if column.dtype != object:
        return str(column.dtype)
    return f"object ({type(column.dropna().iloc[0]).__name__})"


def _remedy(column: pd.Series[Any]) -> str:
    if isinstance(column.dtype, pd.IntervalDtype):
        return f"sort by one end, as in frame[{column.name!r}] = frame[{column.name!r}].array.left"
    return "name a column of times or numbers, or convert it to one"


def _read_categories(column: pd.Series[Any], where: str) -> ArrowColumn:
    """Codes of the categories, or times; text that is a time or a number has no own order."""
    codes = column.cat.codes.to_numpy()
    places = pa.array(codes, mask=codes < 0)
    categories = column.cat.categories
    if column.cat.ordered or not categories.is_monotonic_increasing or not len(categories):
        return places
    own = to_arrow(pd.Series(categories, name=column.name), where)
    if not _is_text(own.type):
        return places
    if isinstance(own, pa.ChunkedArray):
        own = own.combine_chunks()
    texts = _read_text(own.take(places), column, where, warns=False)
    return places if _is_text(texts.type) else texts


def _read_text(
    array: ArrowColumn, column: pd.Series[Any], where: str, *, warns: bool
) -> ArrowColumn:
    try:
        type_ = time_type_of_text(array, str(column.name), remedies=REMEDIES)
        if type_ is not None:
            return read_times(array, str(column.name), remedies=REMEDIES)
    except InputError as error:
        raise type(error)(f"{where}: {error}") from None
    if warns and array.null_count < len(array):
        warnings.warn(
            f"{where}: column {column.name!r} is sorted as text, from "
            f"{str(pc.min(array))!r} to {str(pc.max(array))!r}; an ordered pandas.Categorical has "
            "an order of its own",
            TextOrderWarning,
            stacklevel=2,
        )
    return array


def _with_one_type(column: pd.Series[Any], where: str) -> pd.Series[Any]:
    """Convert objects that Arrow would not know, or would mix: periods, dates beside times."""
    found = pd.api.types.infer_dtype(column, skipna=True)
    if found == "period":
        return _periods(column, where)
    if found.startswith("date") or found == "mixed":
        values = column.dropna()
        if any(isinstance(one, pd.Period) for one in values):
            return _periods(column, where)
        if all(isinstance(one, dt.date) for one in values):
            return _times(column, values, where)
    return column


def _periods(column: pd.Series[Any], where: str) -> pd.Series[Any]:
    try:
        return pd.Series(pd.PeriodIndex(column), name=column.name)
    except (TypeError, ValueError) as error:  # IncompatibleFrequency is the former
        raise SourceError(
            f"{where}: column {column.name!r} holds periods of several lengths ({error}): convert "
            "them to times, as with .map(lambda period: period.start_time)"
        ) from None


def _starts(column: pd.Series[Any], where: str) -> pd.Series[Any]:
    try:
        starts: pd.Series[Any] = column.dt.to_timestamp(how="start")
    except pd.errors.OutOfBoundsDatetime as error:
        raise _far(column, where, error) from None
    return starts


def _far(column: pd.Series[Any], where: str, error: Exception) -> SourceError:
    return SourceError(
        f"{where}: column {column.name!r}: {error}; times must lie within the years 1678 to 2261"
    )


def _times(column: pd.Series[Any], values: pd.Series[Any], where: str) -> pd.Series[Any]:
    zoned = {getattr(one, "tzinfo", None) is not None for one in values}
    if len(zoned) > 1:
        raise SourceError(
            f"{where}: column {column.name!r} holds times with and without a time zone: give all "
            "of them one, as with pandas.Timestamp.tz_localize"
        )
    try:
        return pd.Series(pd.to_datetime(column, utc=zoned == {True}), name=column.name)
    except pd.errors.OutOfBoundsDatetime as error:
        raise _far(column, where, error) from None
