"""The kind of number or time in a sort column, and cutoffs of the same kind."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from tidemill.errors import ArgumentError, DataError, InputError, SourceError, shorten
from tidemill.model.counts import counted
from tidemill.sources.frames.roles import with_index_columns
from tidemill.sources.frames.sort_keys import read_sort
from tidemill.sources.rows.casts import contiguous
from tidemill.sources.rows.clocks import NANOSECONDS, is_time, window_keys

__all__ = ["Clock", "read_clock", "read_cutoffs"]


@dataclass(frozen=True, slots=True)
class Clock:
    """The kind of number or time in a sort column."""

    counts: str  # "times", "times with a zone", "integers" or "floats"
    dtype: Any  # pandas dtype of the column
    unit: str = "ns"  # of times
    zone: Any = None  # of times

    @property
    def has_times(self) -> bool:
        """Whether it holds times, so that durations make sense."""
        return self.counts.startswith("times")

    def to_index(self, keys: npt.NDArray[Any], step: int = 0) -> pd.Index[Any]:
        """Keys as the column would hold them; in nanoseconds where its unit cannot hold ``step``.

        Examples
        --------
        >>> days = read_clock(pd.DataFrame({"day": pd.to_datetime(["2026-01-01"])}), "day")
        >>> days.to_index(np.array([3_600 * 10**9]))
        DatetimeIndex(['1970-01-01 01:00:00'], dtype='datetime64[...]', freq=None)
        """
        if not self.has_times:
            numbers: pd.Index[Any] = pd.Index(keys).astype(self.dtype)
            return numbers
        times = pd.DatetimeIndex(keys.view("datetime64[ns]"))
        times = times if step % NANOSECONDS[self.unit] else times.as_unit(self.unit)  # type: ignore[arg-type]
        return times.tz_localize("UTC").tz_convert(self.zone) if self.zone else times


def read_clock(
    container: pd.DataFrame | Mapping[Any, pd.DataFrame], column_sort: Hashable
) -> Clock:
    """Find the clock of a frame's sort column; of a dict of frames, that of the last one.

    Raises
    ------
    InputError
        If it is neither times nor numbers, or of different kinds in different frames.

    Examples
    --------
    >>> read_clock(pd.DataFrame({"t": [1, 2]}), "t").counts
    'integers'
    """
    frames = container.values() if isinstance(container, Mapping) else [container]
    role = [("column_sort", column_sort)]
    columns = [with_index_columns(frame, role)[column_sort] for frame in frames]
    clocks = [_clock(column, "timeseries_container") for column in columns]
    found = {clock.counts for clock in clocks}
    if len(found) > 1:
        raise SourceError(
            f"column_sort={column_sort!r} holds {' and '.join(sorted(found))}, but must hold the "
            "same in all frames: convert it"
        )
    return clocks[-1]


def _clock(column: pd.Series[Any], where: str) -> Clock:
    type_ = _sample(column, where).type
    if isinstance(column.dtype, pd.CategoricalDtype):
        type_ = pa.dictionary(pa.int32(), pa.string())
    if is_time(type_):
        unit = getattr(type_, "unit", "s")
        zone = getattr(column.dtype, "tz", None) or getattr(type_, "tz", None)
        return Clock("times with a zone" if zone else "times", column.dtype, unit, zone)
    if pt.is_integer(type_):
        return Clock("integers", column.dtype)
    if pt.is_floating(type_):
        return Clock("floats", column.dtype)
    raise SourceError(
        f"{where}: column {column.name!r} has type {column.dtype}, but windows need a sort column "
        "of times or numbers: convert it, as with pandas.to_datetime or pandas.to_numeric"
    )


def _sample(column: pd.Series[Any], where: str) -> pa.Array:
    """The first value that is not null, as Arrow has it."""
    place = int(np.argmax(column.notna().to_numpy()))
    return contiguous(read_sort(column.iloc[place : place + 1], where, warns=False))


def read_cutoffs(column: pd.Series[Any], clock: Clock, column_sort: Hashable) -> npt.NDArray[Any]:
    """Read cutoffs as keys of the sort column.

    Raises
    ------
    InputError
        If one is missing, or they are of another kind than the sort column.

    Examples
    --------
    >>> clock = read_clock(pd.DataFrame({"t": [1, 2]}), "t")
    >>> read_cutoffs(pd.Series([2, 1], name="cutoff"), clock, "t")
    array([2, 1])
    """
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise DataError(
            f"cutoffs: column {column.name!r} is null in {len(missing):,} of "
            f"{counted(len(column), 'row')} (at rows {shorten(missing)}): every row needs a "
            "cutoff; drop these rows or fill it in"
        )
    try:
        own = _clock(column, "cutoffs")
        keys = window_keys(contiguous(read_sort(column, "cutoffs", warns=False)), str(column.name))
    except InputError as error:
        raise type(error)(f"cutoffs: {str(error).removeprefix('cutoffs: ')}") from None
    if own.counts == "integers" and clock.counts == "floats":
        return keys.astype(np.float64)
    if own.counts != clock.counts:
        raise ArgumentError(
            f"cutoffs: column {column.name!r} holds {own.counts}, but column_sort={column_sort!r} "
            f"holds {clock.counts}: {_remedy(own, clock)}"
        )
    return keys


def _remedy(own: Clock, clock: Clock) -> str:
    if own.has_times and clock.has_times:
        return "give both a zone with .dt.tz_localize, or take it away with .dt.tz_localize(None)"
    if clock.has_times:
        return "convert the cutoffs with pandas.to_datetime"
    return f"convert the cutoffs to {clock.counts}"
