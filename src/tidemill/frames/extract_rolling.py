"""The Python door for rolling windows: the features of every window of each series."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from tidemill.errors import ArgumentError
from tidemill.frames.arguments import count_threads
from tidemill.frames.window_arguments import CUTOFF, check_sink, least_rows, read_series
from tidemill.frames.window_tiles import WindowedSeries, WindowJob, deliver
from tidemill.frames.windows import (
    Cutoffs,
    Track,
    WindowSpan,
    count_cutoffs,
    grid_cutoffs,
    join_tracks,
    parse_span,
)
from tidemill.model.aliases import Index
from tidemill.model.policies import Policies

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["extract_rolling"]


def extract_rolling(
    frame: pd.DataFrame | Mapping[Any, pd.DataFrame],
    settings: Any = None,
    *,
    window: int | str | timedelta,
    step: int | str | timedelta | None = None,
    min_size: int | None = None,
    include_cutoff: bool = False,
    column_id: Hashable | list[Any] = None,
    column_sort: Hashable = None,
    column_kind: Hashable = None,
    column_value: Hashable | list[Any] = None,
    sink: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    disable_progressbar: bool = False,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
) -> pd.DataFrame | None:
    """Calculate the features of windows that roll along each series.

    Parameters
    ----------
    frame : DataFrame or mapping of kind to DataFrame
        Wide (a column per kind), long (``column_kind`` and ``column_value``), or a frame per kind.
    settings : settings, optional
        A preset's name, settings, or the path of a settings file; default: comprehensive.
    window : int, str or timedelta
        How far a window reaches back from its cutoff: a number of rows of each kind, or a
        duration such as "15min", "1h" or "7d".
    step : int, str or timedelta, optional
        From one cutoff to the next. Rows are counted from each id's first, so that the first
        window is a full one. Durations put cutoffs at multiples of ``step`` since 1970 (in UTC if
        times have a zone), the same for all ids and all runs. Default: ``window``.
    min_size : int, optional
        Rows that a window must hold. A kind with fewer gets NaN; a window in which all kinds have
        fewer gets no row. Default: ``window`` if that is a number of rows, otherwise 1.
    include_cutoff : bool
        Windows are ``[cutoff - window, cutoff)``; True makes them ``(cutoff - window, cutoff]``.
        If steps are rows, a cutoff is the sort value of the row after the window, or of the
        window's last row if it is included.
    column_id, column_sort, column_kind, column_value : str
        Roles of the columns; a list in ``column_id`` names several that together form the id.
        ``column_sort`` holds times or numbers; durations need times.
    sink : path, optional
        A Parquet file, or a new folder of them, to which the matrix is written piece by piece; it
        appears once it is complete. A folder takes the least memory.
    n_jobs : int, optional
        Threads; default: all cores. 0 and 1 both mean the calling thread alone.
    disable_progressbar : bool
        Show no progress bar. (There is none anyway if standard error is not a terminal.)
    on_nan : "raise", "omit" or "quarantine"
        What to do with NaN and infinite values. Omitted rows do not count as rows;
        quarantine leaves out the windows that hold such a value.
    on_duplicate : "raise", "keep", "first", "last" or "mean"
        What to do with rows that share id, kind and sort value.
    on_error : "raise" or "nan"
        What to do if a calculator raises.

    Returns
    -------
    DataFrame or None
        One row per id and cutoff, which are the index, both ascending; columns
        ``kind__calculator__param_value``, float64. None if written to ``sink``.

    Raises
    ------
    InputError
        If arguments, settings or data cannot be used; the message says what to do.
    CalculationError
        If a calculator raises and ``on_error="raise"``.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": [1, 1, 1, 1], "time": [1, 2, 3, 4], "x": [3.0, 5.0, 7.0, 9.0]})
    >>> roles = {"column_id": "id", "column_sort": "time"}
    >>> extract_rolling(frame, {"mean": None}, window=2, step=1, **roles)
               x__mean
    id cutoff
    1  3           4.0
       4           6.0
    """
    from tidemill.sources.frames.roles import RoleLabels

    span = parse_span("window", window)
    stride = span if step is None else parse_span("step", step)
    least = least_rows(min_size, span, span.rows or 1)
    labels = RoleLabels.of(column_id, column_sort, column_kind, column_value).ids
    if CUTOFF in labels:
        raise ArgumentError(
            f"column_id={CUTOFF!r} is also the name of the index's last level: rename the column"
        )
    path = check_sink(sink)
    series = read_series(
        frame, settings, column_id, column_sort, column_kind, column_value,
        spans={"window": span, "step": stride},
        policies=Policies(on_nan, on_duplicate, on_error),  # type: ignore[arg-type]
    )  # fmt: skip
    job = WindowJob(
        series,
        _rolling_cutoffs(series, span, stride, least, include_cutoff=include_cutoff),
        span,
        least,
        include_cutoff=include_cutoff,
        names=(*labels, CUTOFF),
        label=lambda _, ids, cutoffs: [
            *_levels(series.ids.take(ids)),
            series.clock.to_index(cutoffs, stride.nanoseconds),
        ],
    )
    return deliver(job, path, count_threads(n_jobs), show_progress=not disable_progressbar)


def _rolling_cutoffs(
    series: WindowedSeries,
    window: WindowSpan,
    step: WindowSpan,
    least: int,
    *,
    include_cutoff: bool,
) -> Cutoffs:
    moments = join_tracks(series.tracks.values())
    order = _order_of(series.ids)
    moments = Track(moments.keys, moments.starts[order], moments.stops[order])
    if step.rows:
        found = count_cutoffs(
            moments,
            step.rows,
            anchor=window.rows or step.rows,
            least=least,
            include_cutoff=include_cutoff,
        )
    else:
        found = grid_cutoffs(moments, step.nanoseconds, window, include_cutoff=include_cutoff)
    return replace(found, ids=order[found.ids])


def _levels(ids: pd.Index[Any]) -> list[pd.Index[Any]]:
    return [ids.get_level_values(level) for level in range(ids.nlevels)]


def _order_of(ids: pd.Index[Any]) -> Index:
    """Positions in the order of the matrix; categories in their own order, as elsewhere."""
    import pandas as pd

    if isinstance(ids, pd.MultiIndex):
        return np.asarray(ids.argsort(), np.int64)
    if isinstance(ids, pd.CategoricalIndex):
        return np.argsort(ids.codes, kind="stable")
    return np.arange(len(ids))
