"""Cut the series of a frame into windows, each a series with an id of its own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.errors import SelectionError
from tidemill.model.aliases import Index
from tidemill.selection.frame_groups import FrameGroups, ragged_ranges, with_group_columns

__all__ = ["roll_time_series"]

#: The column that holds the order of rows where no column does.
_SORT = "sort"


@overload
def roll_time_series(df_or_dict: pd.DataFrame, *args: Any, **options: Any) -> pd.DataFrame: ...
@overload
def roll_time_series(
    df_or_dict: Mapping[Any, pd.DataFrame], *args: Any, **options: Any
) -> dict[Any, pd.DataFrame]: ...
def roll_time_series(
    df_or_dict: pd.DataFrame | Mapping[Any, pd.DataFrame],
    column_id: Any,
    column_sort: Any = None,
    column_kind: Any = None,
    rolling_direction: int = 1,
    max_timeshift: int | None = None,
    min_timeshift: int = 0,
    chunksize: int | None = None,
    n_jobs: int | None = None,
    show_warnings: bool = False,
    disable_progressbar: bool = False,
    distributor: None = None,
) -> pd.DataFrame | dict[Any, pd.DataFrame]:
    """Cut the series of a frame into windows that move along its rows.

    The parameters, their order and the result are tsfresh's. A rolled frame repeats every row as
    often as there are windows with it; :func:`tidemill.extract_rolling` calculates features of
    windows without such a frame.

    Parameters
    ----------
    df_or_dict : DataFrame or mapping of kind to DataFrame
        The series; is not changed.
    column_id : label
        Column of ids.
    column_sort : label, optional
        Column that orders the rows of a series; without it they keep their order, and a column
        ``sort`` of the result counts them.
    column_kind : label, optional
        Column of kinds: windows are cut for each id and kind. Not for a mapping.
    rolling_direction : int
        Above 0: a window ends at its row and reaches back; below 0: it begins there and reaches
        forward. The size is the number of rows from window to window.
    max_timeshift : int, optional
        Windows have at most this number of rows plus one; by default they grow without limit.
    min_timeshift : int
        Windows with fewer rows than this number plus one are left out.
    chunksize, n_jobs, show_warnings, disable_progressbar
        Not needed: windows are cut by one array operation. They are accepted for equality.
    distributor : None
        Not supported, for the same reason.

    Returns
    -------
    DataFrame or dict of DataFrame
        The rows of all windows, sorted by the new ids, which are ``(id, sort value of the row
        that the window is named after)``, in column ``id``.

    Raises
    ------
    SelectionError
        If arguments or data cannot be used.

    Warns
    -----
    UserWarning
        If rows are not evenly spaced in ``column_sort``.

    Examples
    --------
    >>> frame = pd.DataFrame({"pump": [1, 1, 1], "time": [7, 8, 9], "x": [1.0, 2.0, 4.0]})
    >>> roll_time_series(frame, column_id="pump", column_sort="time", max_timeshift=1)
       time    x  pump      id
    0     7  1.0     1  (1, 7)
    1     7  1.0     1  (1, 8)
    2     8  2.0     1  (1, 8)
    3     8  2.0     1  (1, 9)
    4     9  4.0     1  (1, 9)
    """
    del chunksize, n_jobs, show_warnings, disable_progressbar
    if distributor is not None:
        raise SelectionError(
            f"distributor={type(distributor).__name__} is not supported: windows are cut in this "
            "process, by one array operation; leave it out"
        )
    roller = _Roller(
        column_id, column_sort, column_kind, rolling_direction, max_timeshift, min_timeshift
    )
    if isinstance(df_or_dict, Mapping):
        if column_kind is not None:
            raise SelectionError(
                f"column_kind={column_kind!r} has no meaning for a dict, whose keys are the "
                "kinds: leave it out"
            )
        return {key: roller.roll(frame) for key, frame in df_or_dict.items()}
    return roller.roll(df_or_dict)


@dataclass(frozen=True, slots=True)
class _Windows:
    """Windows of groups of rows, group by group."""

    group: Index  # of each window
    shift: Index  # steps of the first window, counted from 1, as tsfresh counts them
    first: Index  # first row of each window within its group
    stop: Index  # the row after its last one

    @property
    def lengths(self) -> Index:
        return self.stop - self.first


@dataclass(frozen=True, slots=True)
class _Roller:
    """The checked arguments of one call."""

    column_id: Any
    column_sort: Any
    column_kind: Any
    direction: int
    max_timeshift: int | None
    min_timeshift: int

    def __post_init__(self) -> None:
        if self.column_id is None:
            raise SelectionError("column_id=None is not allowed: name the column of ids")
        if self.direction == 0:
            raise SelectionError(
                "rolling_direction=0 is not allowed: give the rows from window to window, above 0 "
                "for windows that reach back, below 0 for those that reach forward"
            )
        if self.max_timeshift is not None and self.max_timeshift <= 0:
            raise SelectionError(
                f"max_timeshift={self.max_timeshift} is not allowed: give 1 or more, or None"
            )
        if self.min_timeshift < 0:
            raise SelectionError(
                f"min_timeshift={self.min_timeshift} is not allowed: give 0 or more"
            )

    def roll(self, given: pd.DataFrame) -> pd.DataFrame:
        """The rows of all windows."""
        self._check(given)
        frame = self._ordered(given)
        labels = [label for label in (self.column_kind, self.column_id) if label is not None]
        groups = FrameGroups.of(frame, labels)
        self._warn_of_uneven_steps(frame, groups)
        windows = self._windows(groups)
        if not len(windows.group):
            raise SelectionError(
                f"min_timeshift={self.min_timeshift} and max_timeshift={self.max_timeshift} leave "
                f"no window; the longest series has {int(groups.lengths.max()):,} rows"
            )
        return self._rows(frame, groups, windows)

    def _check(self, frame: pd.DataFrame) -> None:
        for name in ("column_id", "column_kind", "column_sort"):
            label = getattr(self, name)
            if label is not None and label not in frame.columns:
                raise SelectionError(
                    f"{name}={label!r} names no column; the frame has {list(frame.columns)}"
                )
        if len(frame) <= 1:
            raise SelectionError(
                f"a frame of {len(frame)} rows cannot be rolled: give two rows or more"
            )
        new = {"id"} if self.column_sort is not None else {"id", _SORT}
        taken = new & set(frame.columns) - {self.column_id}
        if taken:
            raise SelectionError(
                f"column {min(taken)!r} would be overwritten, since the result has one of that "
                "name: rename it"
            )
        if self.column_sort is not None and frame[self.column_sort].isna().any():
            raise SelectionError(
                f"column_sort={self.column_sort!r} lacks values: fill the column, or drop rows"
            )

    def _ordered(self, frame: pd.DataFrame) -> pd.DataFrame:
        if self.column_sort is None:
            return frame.assign(**{_SORT: np.arange(len(frame))})
        ordered: pd.DataFrame = frame.sort_values(self.column_sort)
        return ordered

    def _warn_of_uneven_steps(self, frame: pd.DataFrame, groups: FrameGroups) -> None:
        if self.column_sort is None:
            return
        keys = frame[self.column_sort]
        if not (pd.api.types.is_numeric_dtype(keys) or keys.dtype.kind in "mM"):
            return
        times = keys.to_numpy()[groups.order]
        inner = np.ones(len(times), dtype=bool)
        inner[groups.starts] = False
        steps = np.diff(times.astype(np.float64) if times.dtype == bool else times)[inner[1:]]
        if len(steps) and (steps != steps[0]).any():
            warnings.warn(
                f"column_sort={self.column_sort!r}: the rows are not evenly spaced, and windows "
                "are counted in rows",
                stacklevel=4,
            )

    def _windows(self, groups: FrameGroups) -> _Windows:
        longest = int(groups.lengths.max())
        step = abs(self.direction)
        # The last window of the longest series ends with it, or the first one begins with it.
        first = (longest - 1) % step + 1 if self.direction > 0 else 1
        shifts = np.arange(first, longest + 1, step)
        counts = np.searchsorted(shifts, groups.lengths, side="right")
        group = np.repeat(np.arange(len(counts)), counts)
        shift = shifts[ragged_ranges(np.zeros_like(counts), counts)]
        width = (self.max_timeshift or longest) + 1
        if self.direction > 0:
            start, stop = np.maximum(shift - width, 0), shift
        else:
            start, stop = shift - 1, np.minimum(shift - 1 + width, groups.lengths[group])
        kept = stop - start > self.min_timeshift
        return _Windows(group[kept], shift[kept], start[kept], stop[kept])

    def _rows(self, frame: pd.DataFrame, groups: FrameGroups, windows: _Windows) -> pd.DataFrame:
        keys, ids = self._names(frame, groups, windows)
        lengths = windows.lengths
        # tsfresh numbers rows by shift, then group; that number is the index of its result.
        made = np.lexsort((windows.group, windows.shift))
        numbers = np.empty_like(lengths)
        numbers[made] = np.cumsum(lengths[made]) - lengths[made]
        order = made[np.argsort(keys[made], kind="stable")]
        window = np.repeat(order, lengths[order])
        number = ragged_ranges(numbers[order], lengths[order])
        begin = groups.starts[windows.group] + windows.first
        rows = groups.order[ragged_ranges(begin[order], lengths[order])]
        if (np.diff(keys[order]) == 0).any():  # windows of several kinds are one series
            by = np.lexsort((number, self._sort_codes(frame)[rows], keys[window]))
            window, number, rows = window[by], number[by], rows[by]
        out = with_group_columns(frame, rows, groups, windows.group[window], ids[window])
        return out.set_axis(pd.Index(number), axis=0)

    def _names(
        self, frame: pd.DataFrame, groups: FrameGroups, windows: _Windows
    ) -> tuple[Index, npt.NDArray[np.object_]]:
        """For each window a number that orders it by its new id, and that id."""
        own = groups.keys[-1]
        if self.column_sort is None:
            codes, values = windows.shift - 1, (windows.shift - 1).tolist()
        else:
            place = windows.stop - 1 if self.direction > 0 else windows.first
            named = groups.order[groups.starts[windows.group] + place]
            codes = self._sort_codes(frame)[named]
            values = frame[self.column_sort].iloc[named].tolist()
        pairs = [(own[g], value) for g, value in zip(windows.group.tolist(), values, strict=True)]
        keys = _ranks(own)[windows.group] * (len(frame) + 1) + codes
        return keys, np.fromiter(pairs, dtype=object, count=len(pairs))

    def _sort_codes(self, frame: pd.DataFrame) -> Index:
        """Numbers in the order of the sort column; the frame is sorted by it."""
        label = _SORT if self.column_sort is None else self.column_sort
        return pd.factorize(frame[label])[0].astype(np.int64)


def _ranks(keys: list[Any]) -> Index:
    """The place of each key among the distinct ones; categories too sort by their values here."""
    try:
        distinct = sorted(set(keys))
    except TypeError:  # of mixed types
        distinct = list(dict.fromkeys(keys))
    places = {key: place for place, key in enumerate(distinct)}
    return np.array([places[key] for key in keys], dtype=np.int64)
