"""The Python door for a table of cutoffs: the features that ids had at given times."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from tidemill.errors import ArgumentError, shorten
from tidemill.frames.arguments import count_threads
from tidemill.frames.window_arguments import CUTOFF, check_sink, least_rows, read_series
from tidemill.frames.window_tiles import WindowedSeries, WindowJob, deliver
from tidemill.frames.windows import Cutoffs, parse_span
from tidemill.model.aliases import Index
from tidemill.model.ids import id_labels, id_text
from tidemill.model.logs import engine_log
from tidemill.model.policies import Policies

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["extract_at"]

log = engine_log(__name__)


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
    column_value: Hashable | list[Any] = None,
    column_cutoff: Hashable = CUTOFF,
    sink: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    disable_progressbar: bool = False,
    on_nan: str = "raise",
    on_duplicate: str = "raise",
    on_error: str = "raise",
) -> pd.DataFrame | None:
    """Calculate the features that ids had at given cutoffs, from earlier rows only.

    Parameters
    ----------
    frame, settings
        As in :func:`extract_rolling`.
    cutoffs : DataFrame
        One row for each row of the matrix: the id in ``column_id``, the cutoff in
        ``column_cutoff``. An id may occur any number of times; other columns are ignored.
    window : int, str or timedelta, optional
        How far a window reaches back from its cutoff: a number of rows of each kind, or a
        duration. Default: to the first row.
    min_size : int, optional
        Rows that a window must hold. A kind with fewer gets NaN. Default: 1.
    include_cutoff : bool
        Windows are ``[cutoff - window, cutoff)``; True makes them ``(cutoff - window, cutoff]``.
    column_id, column_sort, column_kind, column_value : str
        Roles of the frame's columns. ``column_sort`` holds times or numbers, like the cutoffs.
    column_cutoff : str
        Column of the cutoffs.
    sink, n_jobs, disable_progressbar, on_nan, on_duplicate, on_error
        As in :func:`extract_rolling`.

    Returns
    -------
    DataFrame or None
        The rows of ``cutoffs``, in their order; id and cutoff are the index. An id whose window
        is empty, known or not, gets NaN; ``on_nan="quarantine"`` leaves rows out. None if written
        to ``sink``.

    Raises
    ------
    InputError
        If arguments, settings or data cannot be used; the message says what to do.
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
    least = least_rows(min_size, span, 1)
    path = check_sink(sink)
    cutoffs = _checked_cutoffs(cutoffs, column_id, column_cutoff)
    series = read_series(
        frame, settings, column_id, column_sort, column_kind, column_value,
        spans={} if span is None else {"window": span},
        policies=Policies(on_nan, on_duplicate, on_error),  # type: ignore[arg-type]
    )  # fmt: skip
    keys = read_cutoffs(cutoffs[column_cutoff], series.clock, column_sort)
    names = (*id_labels(column_id), column_cutoff)
    ids = _positions_of(cutoffs[[*names[:-1]]], series)
    job = WindowJob(
        series,
        Cutoffs(ids, np.arange(len(ids)), np.arange(1, len(ids) + 1), keys=keys),
        span,
        least,
        include_cutoff=include_cutoff,
        names=names,
        label=lambda rows, _ids, _cutoffs: [cutoffs[name].iloc[rows] for name in names],
        keeps_empty=True,
    )
    return deliver(job, path, count_threads(n_jobs), show_progress=not disable_progressbar)


def _checked_cutoffs(
    cutoffs: object, column_id: Hashable | list[Any], column_cutoff: Hashable
) -> pd.DataFrame:
    """The cutoffs, with those levels of the index as columns that have a role."""
    import pandas as pd

    from tidemill.sources.frames.roles import (
        RoleLabels,
        check_column,
        check_frame,
        with_index_columns,
    )

    if not isinstance(cutoffs, pd.DataFrame):
        raise ArgumentError(
            f"cutoffs is a {type(cutoffs).__name__}, but must be a pandas DataFrame with the "
            f"columns {column_id!r} and {column_cutoff!r}"
        )
    check_frame(cutoffs, "cutoffs")
    labels = RoleLabels.of(column_id, column_cutoff, None, None).ids
    if column_cutoff in labels:
        raise ArgumentError(
            f"column_id and column_cutoff are both {column_cutoff!r}: name two different columns"
        )
    roles = [*(("column_id", label) for label in labels), ("column_cutoff", column_cutoff)]
    indexed = with_index_columns(cutoffs, roles)
    for role, label in roles:
        check_column(indexed, role, label, "cutoffs")
    return indexed


def _positions_of(columns: pd.DataFrame, series: WindowedSeries) -> Index:
    """Position of each id in the batch; -1 if the frame does not hold it."""
    from tidemill.sources.frames.ids import find_ids

    found = find_ids(columns, series.batch.ids, "cutoffs")
    unknown = found < 0
    if unknown.any():
        some = columns[unknown].drop_duplicates().itertuples(index=False, name=None)
        named = (id_text(tuple(one) if len(one) > 1 else one[0]) for one in some)
        log.warning(
            "%d of %d rows of cutoffs have ids that are not in the frame; their features are "
            "NaN: %s", unknown.sum(), len(found), shorten(named),
        )  # fmt: skip
    return found
