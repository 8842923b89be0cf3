"""From one series to a forecasting task: windows of the past, and the value that follows each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tidemill.selection.rolling import roll_time_series

__all__ = ["make_forecasting_frame"]


def make_forecasting_frame(
    x: pd.Series[Any] | Sequence[float],
    kind: str,
    max_timeshift: int | None,
    rolling_direction: int,
    min_timeshift: int = 0,
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Cut one series into windows, and give the value that follows each of them.

    Parameters
    ----------
    x : Series or sequence of numbers
        The series; the index of a Series is its time, else rows are counted.
    kind : str
        The kind of the series, for the names of features.
    max_timeshift : int or None
        Rows of a window at most; None: no limit.
    rolling_direction : int
        As in :func:`roll_time_series`: above 0, windows reach back.
    min_timeshift : int
        Windows with fewer rows than this are left out.

    Returns
    -------
    frame : DataFrame
        The rows of all windows, with columns ``time``, ``value``, ``kind`` and ``id``; an id is
        ``("id", time of the value to forecast)``.
    y : Series
        That value, for each id.

    Raises
    ------
    SelectionError
        If arguments cannot be used, or there are fewer than two values.

    Examples
    --------
    >>> frame, y = make_forecasting_frame([3.0, 5.0, 8.0], "price", 1, 1)
    >>> frame
       time  value   kind       id
    1     0    3.0  price  (id, 1)
    3     1    5.0  price  (id, 2)
    >>> y
    (id, 1)    5.0
    (id, 2)    8.0
    Name: value, dtype: float64
    """
    times = x.index if isinstance(x, pd.Series) else range(len(x))
    given = pd.DataFrame({"id": ["id"] * len(x), "time": times, "value": x, "kind": kind})
    rolled = roll_time_series(
        given,
        column_id="id",
        column_sort="time",
        column_kind="kind",
        rolling_direction=rolling_direction,
        max_timeshift=max_timeshift,
        min_timeshift=min_timeshift,
    )
    # The last row of a window is the one to forecast.
    frame = rolled[rolled["id"].duplicated(keep="last")]
    y = given["value"].iloc[1:]
    y.index = pd.Index([("id", time) for time in y.index], tupleize_cols=False)
    return frame, y[y.index.isin(set(frame["id"]))]
