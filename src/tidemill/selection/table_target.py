"""Rows of a published matrix and their targets: by id, or by interval and id."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tidemill.errors import ArgumentError, shorten
from tidemill.model.aliases import Index
from tidemill.model.counts import counted
from tidemill.model.interval import start_of_name
from tidemill.selection.target_file import index_of
from tidemill.selection.targets import with_levels_of
from tidemill.storage.delta import INTERVAL
from tidemill.storage.interval_choice import zone_of_table
from tidemill.storage.matrix_columns import MatrixColumns

__all__ = ["Matched", "matched_rows", "split_level"]

#: Ids in a message.
NAMED = 3


class Matched(NamedTuple):
    """Rows of a matrix and their targets, in the order of the index that read_matrix gives."""

    rows: Index
    target: pd.Series[Any]
    without_row: int  # targets


def matched_rows(columns: MatrixColumns, given: pd.Series[Any], argument: str) -> Matched:
    """The rows of a matrix that have a target.

    Parameters
    ----------
    columns : the matrix
    given : the target by id, the same for each interval; or by the start of an interval and id.
        The index is unique.
    argument : that gave it, for messages, such as ``target='y.csv'``

    Raises
    ------
    ArgumentError
        If the index is neither, or has no row of the matrix.
    """
    index = index_of(columns.ids)
    given = with_levels_of(index, given)
    wanted, own = given.index, index
    if wanted.nlevels == index.nlevels + 1:
        wanted, own = _with_starts(columns, wanted, index, argument)
    elif wanted.nlevels != index.nlevels:
        raise ArgumentError(
            f"{argument} has an index of {counted(wanted.nlevels, 'level')}, and the ids of "
            f"{columns.layout.url} consist of {shorten(map(repr, index.names))}: give a target by "
            "id, or by the start of an interval and id"
        )
    places = wanted.get_indexer(own)
    rows = np.flatnonzero(places >= 0)
    if not len(rows):
        raise ArgumentError(
            f"{argument} has no id of {columns.layout.url}: it has {_some(given.index)}, and the "
            f"matrix {_some(_with_intervals(index, columns) if own is not index else index)}"
        )
    target = given.iloc[places[rows]]
    without_row = len(given) - len(np.unique(places[rows]))
    target.index = _with_intervals(index, columns)[rows]
    if not target.index.is_monotonic_increasing:
        order = target.index.argsort()
        rows, target = rows[order], target.iloc[order]
    return Matched(rows, target, without_row)


def split_level(index: pd.Index[Any]) -> tuple[pd.Index[Any], list[pd.Index[Any]]]:
    """The level of the intervals, which is the first or bears their name, and the others."""
    place = list(index.names).index(INTERVAL) if INTERVAL in index.names else 0
    levels = [index.get_level_values(one) for one in range(index.nlevels)]
    return levels.pop(place), levels


def _with_starts(
    columns: MatrixColumns, wanted: pd.Index[Any], index: pd.Index[Any], argument: str
) -> tuple[pd.Index[Any], pd.Index[Any]]:
    """Both indices with the starts of intervals as integers before the ids."""
    if not columns.intervals:
        raise ArgumentError(
            f"{argument} has targets by interval, but {columns.layout.url} is not divided into "
            "intervals: give them by id alone"
        )
    level, ids = split_level(wanted)
    names_of_ids = [one.name for one in ids]
    if None not in names_of_ids and set(names_of_ids) == set(index.names):
        ids = [ids[names_of_ids.index(name)] for name in index.names]
    starts = _starts(level, zone_of_table(columns.layout), argument)
    names = {name: (start_of_name(name) or 0) // 1_000 for name in columns.intervals}
    own = np.array([names[one] for one in columns.row_intervals()], np.int64)
    levels = [index.get_level_values(place) for place in range(index.nlevels)]
    found = pd.MultiIndex.from_arrays([starts, *ids])
    if not found.is_unique:
        repeated = wanted[found.duplicated()]
        raise ArgumentError(
            f"{argument} has several targets for {shorten(map(repr, repeated))}; keep one for "
            "each interval and id"
        )
    return found, pd.MultiIndex.from_arrays([own, *levels])


def _starts(level: pd.Index[Any], zone: str, argument: str) -> Index:
    """The starts of intervals, microseconds since 1970 in UTC."""
    codes, distinct = pd.factorize(level)
    if (codes < 0).any():
        raise ArgumentError(
            f"{argument} lacks the interval in {int((codes < 0).sum()):,} rows; drop these rows"
        )
    return np.array([_start(one, zone, argument) for one in distinct], np.int64)[codes]


def _start(one: Any, zone: str, argument: str) -> int:
    """The start of an interval: a date or time, as object or text, or the interval's name."""
    named = start_of_name(one) if isinstance(one, str) else None
    if named is not None:
        return named // 1_000
    error = ""
    if isinstance(one, str | date | np.datetime64):
        try:
            moment = pd.Timestamp(one)
            moment = moment if moment.tz else moment.tz_localize(zone, nonexistent="shift_forward")
            return int(moment.value) // 1_000
        except ValueError as raised:
            error = f" ({raised})"
    raise ArgumentError(
        f"{argument} has the interval {one!r}, which is not allowed{error}: give its start, such "
        "as 2026-11-27 or 2026-11-27 06:00, with the offset where the clock shows it twice, or "
        "its name, such as 20261127T060000Z"
    )


def _with_intervals(index: pd.Index[Any], columns: MatrixColumns) -> pd.Index[Any]:
    if len(columns.intervals) < 2:
        return index
    levels = [index.get_level_values(place) for place in range(index.nlevels)]
    return pd.MultiIndex.from_arrays(
        [columns.row_intervals(), *levels], names=[INTERVAL, *index.names]
    )


def _some(index: pd.Index[Any]) -> str:
    return f"{shorten(map(repr, index[:NAMED]))} ({index.dtype}, {counted(len(index), 'row')})"
