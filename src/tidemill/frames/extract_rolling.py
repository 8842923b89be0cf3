"""The Python doors for windows: rolling over series, or looking back from a table of cutoffs."""

from __future__ import annotations

import logging
import numbers
import os
from collections.abc import Hashable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tidemill.errors import ArgumentError, shorten
from tidemill.frames.extract_features import OTHER_KINDS, count_threads, features_of, read_settings
from tidemill.frames.window_tiles import Source, WindowJob, deliver
from tidemill.frames.windows import (
    Cutoffs,
    Span,
    Track,
    count_cutoffs,
    grid_cutoffs,
    join_tracks,
    parse_span,
)
from tidemill.model.ids import id_labels, tuple_text
from tidemill.model.policies import Policies

if TYPE_CHECKING:
    import pandas as pd

    from tidemill.sources.frames.clocks import Clock

__all__ = ["extract_at", "extract_rolling"]

log = logging.getLogger(__name__)

#: Name of the index's second level.
CUTOFF = "cutoff"

Container: TypeAlias = "pd.DataFrame | Mapping[Any, pd.DataFrame]"
Index: TypeAlias = npt.NDArray[np.int64]


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
    column_value: Hashable = None,
    sink: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    disable_progressbar: bool = False,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
) -> pd.DataFrame | None:
    """Calculate the features of windows that roll over each series.

    Parameters
    ----------
    frame : DataFrame or mapping of kind to DataFrame
        Wide (a column per kind), long (``column_kind`` and ``column_value``) or one frame a kind.
    settings : settings, optional
        A preset's name, settings, or the path of a settings file; default: comprehensive.
    window : int, str or timedelta
        How far a window reaches back from its cutoff: as many rows of each kind, or a duration
        such as "15min", "1h" or "7d".
    step : int, str or timedelta, optional
        From one cutoff to the next. Rows are counted from the first of each id, so that a whole
        window comes first. Durations step on the multiples of ``step`` since 1970 (in UTC, where
        times have a zone), the same for all ids and all runs. Default: ``window``.
    min_size : int, optional
        Rows that a window must hold. A kind with fewer gets NaN, a window where all kinds have
        fewer no row. Default: all rows of a window given in rows, 1 of a duration.
    include_cutoff : bool
        Windows are ``[cutoff - window, cutoff)``; True makes them ``(cutoff - window, cutoff]``.
        Where steps are rows, a cutoff is the sort value of the row after the window; of the
        window's last row, if it is included.
    column_id, column_sort, column_kind, column_value : str
        Roles of the columns; a list in ``column_id`` names several that make up an id.
        ``column_sort`` holds times or numbers; durations need times.
    sink : path, optional
        Of a Parquet file, or of a new folder of them, which gets the matrix piece by piece and
        appears when it is complete. A folder takes the least memory.
    n_jobs : int, optional
        Threads; default: all cores. 0 and 1 both mean the calling thread alone.
    disable_progressbar : bool
        No progress bar (there is none either where standard error is not a terminal).
    on_nan : "raise", "omit" or "quarantine"
        NaN and infinite values. Omitted ones are not there when rows are counted; quarantine
        leaves out the windows that hold one.
    on_duplicate : "raise", "first", "last" or "mean"
        Rows that share id, kind and sort value.
    on_error : "raise" or "nan"
        A calculator that raises.

    Returns
    -------
    DataFrame or None
        One row per id and cutoff, both ascending, which are the index; columns
        ``kind__calculator__param_value``, float64. None if ``sink`` got them.

    Raises
    ------
    InputError
        If arguments, settings or data are not usable; the message says what to do.
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
    span = parse_span("window", window)
    stride = span if step is None else parse_span("step", step)
    least = _least(min_size, span, span.rows or 1)
    if CUTOFF in (labels := id_labels(column_id)):
        raise ArgumentError(
            f"column_id={CUTOFF!r} is also the name of the index's last level: rename the column"
        )
    path = _check_sink(sink)
    source = _read(
        frame, settings, column_id, column_sort, column_kind, column_value,
        spans={"window": span, "step": stride},
        policies=Policies(on_nan, on_duplicate, on_error),  # type: ignore[arg-type]
    )  # fmt: skip
    job = WindowJob(
        source,
        _rolling_cutoffs(source, span, stride, least, include_cutoff=include_cutoff),
        span,
        least,
        include_cutoff=include_cutoff,
        names=(*labels, CUTOFF),
        label=lambda _, ids, cutoffs: [
            *_levels(source.ids.take(ids)),
            source.clock.to_index(cutoffs, stride.nanoseconds),
        ],
    )
    return deliver(job, path, count_threads(n_jobs), show_progress=not disable_progressbar)


def extract_at(
    frame: pd.DataFrame | Mapping[Any, pd.DataFrame],
    cutoffs: pd.DataFrame,
    settings: Any = None,
    *,
    window: int | str | timedelta | None = None,
    min_size: int | None = None,
    include_cutoff: bool = False,
    column_id: Hashable | list[Any] = None,
    column_sort: Hashable = None,
    column_kind: Hashable = None,
    column_value: Hashable = None,
    column_cutoff: Hashable = CUTOFF,
    sink: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    disable_progressbar: bool = False,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
) -> pd.DataFrame | None:
    """Calculate the features that ids had at given cutoffs, from what came before these.

    Parameters
    ----------
    frame, settings
        As in :func:`extract_rolling`.
    cutoffs : DataFrame
        A row for each row of the matrix: the id in ``column_id``, the cutoff in
        ``column_cutoff``. The same id may come any number of times, other columns are ignored.
    window : int, str or timedelta, optional
        How far back from its cutoff a row looks: as many rows of each kind, or a duration.
        Default: to the first row.
    min_size : int, optional
        Rows that a window must hold; a kind with fewer gets NaN. Default: 1.
    include_cutoff : bool
        Windows are ``[cutoff - window, cutoff)``; True makes them ``(cutoff - window, cutoff]``.
    column_id, column_sort, column_kind, column_value : str
        Roles of the frame's columns. ``column_sort`` holds times or numbers, as the cutoffs do.
    column_cutoff : str
        Column of the cutoffs.
    sink, n_jobs, disable_progressbar, on_nan, on_duplicate, on_error
        As in :func:`extract_rolling`.

    Returns
    -------
    DataFrame or None
        The rows of ``cutoffs``, in their order; id and cutoff are the index. An id with nothing
        in its window, known or not, gets NaN; ``on_nan="quarantine"`` leaves rows out. None if
        ``sink`` got them.

    Raises
    ------
    InputError
        If arguments, settings or data are not usable; the message says what to do.
    CalculationError
        If a calculator raises and ``on_error="raise"``.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": [1, 1, 2], "time": [1, 2, 3], "x": [3.0, 5.0, 7.0]})
    >>> cutoffs = pd.DataFrame({"id": [2, 1, 1], "cutoff": [3, 3, 2]})
    >>> extract_at(frame, cutoffs, {"mean": None}, column_id="id", column_sort="time")
               x__mean
    id cutoff
    2  3           NaN
    1  3           4.0
       2           3.0
    """
    from tidemill.sources.frames.clocks import read_cutoffs

    span = None if window is None else parse_span("window", window)
    least = _least(min_size, span, 1)
    path = _check_sink(sink)
    _check_cutoffs(cutoffs, column_id, column_cutoff)
    source = _read(
        frame, settings, column_id, column_sort, column_kind, column_value,
        spans={} if span is None else {"window": span},
        policies=Policies(on_nan, on_duplicate, on_error),  # type: ignore[arg-type]
    )  # fmt: skip
    keys = read_cutoffs(cutoffs[column_cutoff], source.clock, column_sort)
    names = (*id_labels(column_id), column_cutoff)
    ids = _places_of(cutoffs[[*names[:-1]]], source)
    job = WindowJob(
        source,
        Cutoffs(ids, np.arange(len(ids)), np.arange(1, len(ids) + 1), keys=keys),
        span,
        least,
        include_cutoff=include_cutoff,
        names=names,
        label=lambda rows, _ids, _cutoffs: [cutoffs[name].iloc[rows] for name in names],
        keeps_empty=True,
    )
    return deliver(job, path, count_threads(n_jobs), show_progress=not disable_progressbar)


def _read(
    frame: Container,
    settings: Any,
    column_id: Hashable | list[Any],
    column_sort: Hashable,
    column_kind: Hashable,
    column_value: Hashable,
    *,
    spans: Mapping[str, Span],
    policies: Policies,
) -> Source:
    from tidemill.sources.frames.clocks import read_clock
    from tidemill.sources.frames.containers import has_time_index, read_frame
    from tidemill.sources.frames.ids import id_dtype, to_index

    if column_sort is None:
        raise ArgumentError(
            "column_sort=None: name the column of times or numbers that windows are cut by (for an "
            "index, call reset_index() first)"
        )
    chosen = read_settings(settings, None, timed=has_time_index(frame))
    batch = read_frame(
        frame, column_id=column_id, column_sort=column_sort, column_kind=column_kind,
        column_value=column_value, policies=policies, for_windows=True,
        needs_times=chosen.needs_times([*chosen.kinds, OTHER_KINDS]),
    )  # fmt: skip
    clock = read_clock(frame, column_sort)
    _check_durations(spans, clock, column_sort)
    ids = to_index(batch.ids, id_dtype(frame, column_id))
    features = features_of(chosen, batch)
    return Source.of(batch, clock, ids, features, policies.on_error)


def _check_durations(spans: Mapping[str, Span], clock: Clock, column_sort: Hashable) -> None:
    for argument, span in spans.items():
        if span.nanoseconds and not clock.has_times:
            raise ArgumentError(
                f"{argument} is a duration, but column_sort={column_sort!r} holds {clock.counts} "
                f"({clock.dtype}): give {argument} as a number of rows, or convert the column with "
                "pandas.to_datetime"
            )


def _least(min_size: Any, window: Span | None, default: int) -> int:
    """Rows that a window must hold."""
    if min_size is None:
        return default
    most = window.rows if window is not None else 0
    is_whole = isinstance(min_size, numbers.Integral) and not isinstance(min_size, bool)
    if not is_whole or min_size < 1 or 0 < most < min_size:
        allowed = f"from 1 to window={most}" if most else "from 1 up"
        raise ArgumentError(f"min_size={min_size!r} is not allowed; give rows {allowed}")
    return int(min_size)


def _check_sink(sink: str | os.PathLike[str] | None) -> Path | None:
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


def _check_cutoffs(
    cutoffs: object, column_id: Hashable | list[Any], column_cutoff: Hashable
) -> None:
    import pandas as pd

    from tidemill.sources.frames.containers import check_column, check_frame

    if not isinstance(cutoffs, pd.DataFrame):
        raise ArgumentError(
            f"cutoffs is a {type(cutoffs).__name__}, but must be a pandas DataFrame with the "
            f"columns {column_id!r} and {column_cutoff!r}"
        )
    check_frame(cutoffs, "cutoffs")
    labels = id_labels(column_id)
    if column_cutoff in labels:
        raise ArgumentError(
            f"column_id and column_cutoff are both {column_cutoff!r}: a column has one role; name "
            "two"
        )
    for label in labels:
        if label is not None:
            check_column(cutoffs, "column_id", label, "cutoffs")
    check_column(cutoffs, "column_cutoff", column_cutoff, "cutoffs")


def _places_of(columns: pd.DataFrame, source: Source) -> Index:
    """Find each id's place in the batch; -1 for one that the frame does not hold."""
    from tidemill.sources.frames.ids import find_ids

    found = find_ids(columns, source.batch.ids, "cutoffs")
    unknown = found < 0
    if unknown.any():
        some = columns[unknown].drop_duplicates().itertuples(index=False, name=None)
        named = (tuple_text(one) if len(one) > 1 else repr(one[0]) for one in some)
        log.warning(
            "%d of %d rows of cutoffs have ids that the frame does not hold, their features are "
            "NaN: %s", unknown.sum(), len(found), shorten(named),
        )  # fmt: skip
    return found


def _rolling_cutoffs(
    source: Source, window: Span, step: Span, least: int, *, include_cutoff: bool
) -> Cutoffs:
    moments = join_tracks(source.tracks.values())
    order = _order_of(source.ids)
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
    """The order of the rows: categories sort in their own order, as in ``extract_features``."""
    import pandas as pd

    if isinstance(ids, pd.MultiIndex):
        return np.asarray(ids.argsort(), np.int64)
    if isinstance(ids, pd.CategoricalIndex):
        return np.argsort(ids.codes, kind="stable")
    return np.arange(len(ids))
