"""Collections of series, as scikit-learn, aeon and sktime hold them, brought into one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.errors import ArgumentError, DataError, shorten
from tidemill.sources.frames.arrays import as_array, as_floats

__all__ = ["CaseCollection", "read_collection"]

FORMS = (
    "an array (cases, timepoints) or (cases, channels, timepoints), a list of arrays (timepoints,) "
    "or (channels, timepoints), a list of frames with a column for each channel, a frame with a "
    "row for each case and a column for each time point, one with levels (case, time) as its "
    "index, or one whose cells are series"
)


@dataclass(frozen=True, slots=True, eq=False)
class CaseCollection:
    """Series, case by case."""

    series: Any  # float64[n, t] or float64[n, c, t], or a list of float64[t] or float64[c, t]
    channels: tuple[str, ...] | None  # their names, where the collection has them
    index: pd.Index | None  # of the cases, where the collection has one
    times: list[npt.NDArray[Any]] | None  # of each case, where the collection has them
    timepoints: int | None  # of a table with a row for each case; None for other forms

    def __len__(self) -> int:
        return len(self.series)


def read_collection(given: Any) -> CaseCollection:
    """Read a collection of any of the forms.

    Raises
    ------
    InputError
        If it has none of the forms, or its values are no numbers.

    Examples
    --------
    >>> cases = read_collection([pd.DataFrame({"x": [1, 2], "y": [3, 4]})])
    >>> cases.channels, cases.series[0].tolist()
    (('x', 'y'), [[1.0, 2.0], [3.0, 4.0]])
    """
    if isinstance(given, pd.DataFrame):
        return _read_frame(given)
    if hasattr(given, "toarray") or hasattr(given, "tocsr"):
        raise ArgumentError(
            "X is a sparse matrix, but must be dense: a series has a value at each of its time "
            "points; give X.toarray()"
        )
    if isinstance(given, list | tuple) and given and isinstance(given[0], pd.DataFrame):
        return _read_frames(given)
    if isinstance(given, list | tuple) and given and not np.isscalar(given[0]):
        arrays = [_as_floats(one) for one in given]
        if len({one.shape for one in arrays}) == 1:  # a matrix written as a list of rows
            return _read_array(np.stack(arrays))
        return CaseCollection(arrays, None, None, None, None)
    return _read_array(_as_floats(given))


def _read_array(array: npt.NDArray[np.float64]) -> CaseCollection:
    if array.ndim not in {2, 3}:
        raise ArgumentError(
            f"X is an array of {array.ndim} dimensions, but must be {FORMS}. Reshape your data, as "
            "with X.reshape(1, -1) if it is one series"
        )
    if 0 in array.shape:
        raise ArgumentError(
            f"X has {len(array)} sample(s) and {array.shape[-1]} feature(s) (shape={array.shape}) "
            "while a minimum of 1 is required: give at least one series with one value"
        )
    return CaseCollection(array, None, None, None, array.shape[1] if array.ndim == 2 else None)


def _read_frame(frame: pd.DataFrame) -> CaseCollection:
    if frame.empty:
        raise ArgumentError(f"X is empty (shape {frame.shape}): give at least one series")
    if isinstance(frame.index, pd.MultiIndex):
        return _read_levels(frame)
    if any(isinstance(cell, pd.Series | np.ndarray) for cell in frame.iloc[0]):
        return _read_nested(frame)
    array = _as_floats(frame)
    return CaseCollection(array, None, frame.index, None, array.shape[1])


def _read_levels(frame: pd.DataFrame) -> CaseCollection:
    """Sktime's pd-multiindex: levels (case, time), a column for each channel."""
    if frame.index.nlevels != 2:
        raise ArgumentError(
            f"the index of X has {frame.index.nlevels} levels, but must have two: case and time"
        )
    codes, labels = pd.factorize(frame.index.get_level_values(0))
    moments = frame.index.get_level_values(1)
    order = np.lexsort((pd.factorize(moments, sort=True)[0], codes))
    if frame.index.has_duplicates:
        twice = frame.index[frame.index.duplicated()].unique()
        raise DataError(
            f"X has several rows of {shorten(map(repr, twice))}: a channel has one value for each "
            "case and time; drop all but one, or average them"
        )
    edges = np.searchsorted(codes[order], np.arange(1, len(labels)))
    values = np.split(_as_floats(frame)[order], edges)
    times = None
    if isinstance(moments, pd.DatetimeIndex):
        times = np.split(moments.to_numpy()[order], edges)
    arrays = [np.ascontiguousarray(one.T) for one in values]
    index = pd.Index(labels, name=frame.index.names[0])
    return CaseCollection(arrays, _names(frame.columns), index, times, None)


def _read_nested(frame: pd.DataFrame) -> CaseCollection:
    """Sktime's nested_univ: a row for each case, a column for each channel, series as cells."""
    arrays = []
    for label, row in zip(frame.index, frame.itertuples(index=False, name=None), strict=True):
        channels = [_as_floats(cell) for cell in row]
        if len({one.shape for one in channels}) > 1:
            raise ArgumentError(
                f"the channels of case {label!r} have {shorten(str(len(one)) for one in channels)} "
                "values, but must have equally many; tidemill.extract_features takes kinds of "
                "different lengths"
            )
        arrays.append(np.stack(channels))
    return CaseCollection(arrays, _names(frame.columns), frame.index, None, None)


def _read_frames(frames: Sequence[Any]) -> CaseCollection:
    """Sktime's df-list: a frame for each case, a column for each channel."""
    names = frames[0].columns
    for place, frame in enumerate(frames):
        if not isinstance(frame, pd.DataFrame) or not frame.columns.equals(names):
            found = getattr(frame, "columns", [type(frame).__name__])
            raise ArgumentError(
                f"X[{place}] has the channels {shorten(map(repr, found))}, but X[0] has "
                f"{shorten(map(repr, names))}: each case must have the same, in the same order"
            )
    times = None
    if all(isinstance(frame.index, pd.DatetimeIndex) for frame in frames):
        times = [frame.index.to_numpy() for frame in frames]
    arrays = [np.ascontiguousarray(_as_floats(frame).T) for frame in frames]
    return CaseCollection(arrays, _names(names), None, times, None)


def _names(columns: pd.Index) -> tuple[str, ...]:
    return tuple(map(str, columns))


def _as_floats(given: Any) -> npt.NDArray[np.float64]:
    """Numbers as float64; complex ones, text and the like are refused."""
    array = as_array(given, "X")
    if array.dtype.kind == "c":
        raise ArgumentError("Complex data not supported: give real and imaginary part as channels")
    if array.dtype.kind != "O":
        return as_floats(array, "X")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"X holds what is no number ({error}); it must be {FORMS}") from None
