"""What both doors for windows share: reading the series, and checks of their arguments."""

from __future__ import annotations

import numbers
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.errors import ArgumentError
from tidemill.frames.arguments import features_of, needs_times, read_settings
from tidemill.frames.window_tiles import WindowedSeries
from tidemill.frames.windows import WindowSpan
from tidemill.model.policies import Policies

if TYPE_CHECKING:
    import pandas as pd

    from tidemill.sources.frames.clocks import Clock

__all__ = ["CUTOFF", "check_sink", "least_rows", "read_series"]

#: Name of the index's last level.
CUTOFF = "cutoff"


def read_series(
    frame: pd.DataFrame | Mapping[Any, pd.DataFrame],
    settings: Any,
    column_id: Hashable | list[Any],
    column_sort: Hashable,
    column_kind: Hashable,
    column_value: Hashable | list[Any],
    *,
    spans: Mapping[str, WindowSpan],
    policies: Policies,
) -> WindowedSeries:
    """Read a frame whose windows are wanted; ``spans`` are by the names of their arguments.

    Raises
    ------
    InputError
        If the frame, its columns or the settings cannot be used, or ``spans`` hold durations and
        the sort column no times.
    """
    from tidemill.sources.frames.clocks import read_clock
    from tidemill.sources.frames.containers import has_time_index, read_frame
    from tidemill.sources.frames.ids import id_dtype, to_index

    if column_sort is None:
        raise ArgumentError(
            "column_sort=None: name the column of times or numbers that orders the windows (for an "
            "index, call reset_index() first)"
        )
    chosen = read_settings(settings, None, timed=has_time_index(frame))
    batch = read_frame(
        frame, column_id=column_id, column_sort=column_sort, column_kind=column_kind,
        column_value=column_value, policies=policies, for_windows=True,
        needs_times=needs_times(chosen),
    )  # fmt: skip
    clock = read_clock(frame, column_sort)
    _check_durations(spans, clock, column_sort)
    ids = to_index(batch.ids, id_dtype(frame, column_id))
    features = features_of(chosen, batch)
    return WindowedSeries.of(batch, clock, ids, features, policies.on_error)


def _check_durations(spans: Mapping[str, WindowSpan], clock: Clock, column_sort: Hashable) -> None:
    for argument, span in spans.items():
        if span.nanoseconds and not clock.has_times:
            raise ArgumentError(
                f"{argument} is a duration, but column_sort={column_sort!r} holds {clock.counts} "
                f"({clock.dtype}): give {argument} as a number of rows, or convert the column with "
                "pandas.to_datetime"
            )


def least_rows(min_size: Any, window: WindowSpan | None, default: int) -> int:
    """Rows that a window must hold, from the argument ``min_size``.

    Raises
    ------
    ArgumentError
        If that is no number of rows, or more than the window has.
    """
    if min_size is None:
        return default
    most = window.rows if window is not None else 0
    is_whole = isinstance(min_size, numbers.Integral) and not isinstance(min_size, bool)
    if not is_whole or min_size < 1 or 0 < most < min_size:
        allowed = f"from 1 to window={most}" if most else "from 1 up"
        raise ArgumentError(f"min_size={min_size!r} is not allowed; give a row count {allowed}")
    return int(min_size)


def check_sink(sink: str | os.PathLike[str] | None) -> Path | None:
    """The path of the argument ``sink``: a Parquet file, or a folder for them.

    Raises
    ------
    ArgumentError
        If it is not on this machine, or something else is there.
    """
    if sink is None:
        return None
    path = Path(sink)
    if "://" in os.fspath(sink):
        fault = "is not a path on this machine"
    elif path.suffix == ".parquet":
        fault = "is a folder" if path.is_dir() else ""
    elif path.is_dir():
        fault = "is a folder that is not empty" if any(path.iterdir()) else ""
    else:
        fault = "is a file that does not end in .parquet" if path.exists() else ""
    if fault:
        raise ArgumentError(
            f"sink={os.fspath(sink)!r} {fault}; give the path of a .parquet file, which is "
            "replaced, or of a folder that is empty or does not exist yet"
        )
    return path
