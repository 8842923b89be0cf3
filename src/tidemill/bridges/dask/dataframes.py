"""Lazy features of a Dask DataFrame: a partition in, its rows of the matrix out.

A partition is calculated as it is if no id lies in two of them. That is known if the id is the
index and the divisions are known; it is looked for on the workers if the partitions are in memory
there; and it is taken on trust, and checked along the way, with ``aligned=True``. Else rows are
brought together by one shuffle. It moves rows between workers, never through the client, and
numbers them before, so that the rows of an id keep the order of the partitions.

Graphs stay small: a task names its partition and one value that all tasks share, the request.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.base import tokenize
from distributed import Client, futures_of, get_client
from pandas.api.types import is_object_dtype

from tidemill.bridges.dask.calculate import (
    WHERE,
    FrameCalculation,
    calculate_frame,
    empty_features,
)
from tidemill.bridges.dask.fetch import fetch
from tidemill.errors import DataError, shorten
from tidemill.model.ids import id_labels, id_text
from tidemill.model.logs import engine_log
from tidemill.sources.frames.roles import RoleLabels, find_frame_roles, with_index_columns

__all__ = ["features_of_partitions", "found_client", "refuse_repeated", "with_role_columns"]

log = engine_log(__name__)

#: Column with the number of a row among all rows, while they travel.
ROW = "__tidemill_row__"
#: Rows of a partition, at most: numbers of rows ascend from partition to partition.
PARTITION_ROWS = 2**40


@dataclass(frozen=True, slots=True)
class _Ids:
    """The columns that make up the id, as a task needs them."""

    labels: tuple[Hashable, ...]

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The id of every row."""
        return frame[list(self.labels)]

    def among(self, frame: pd.DataFrame, others: pd.DataFrame) -> Any:
        """Whether the id of a row is among others, bool[n]."""
        if len(self.labels) == 1:
            return frame[self.labels[0]].isin(others[self.labels[0]]).to_numpy()
        return pd.MultiIndex.from_frame(self.of(frame)).isin(pd.MultiIndex.from_frame(others))


def features_of_partitions(
    frame: dd.DataFrame,
    calculation: FrameCalculation,
    *,
    client: Client | None = None,
    aligned: bool = False,
    in_memory: bool | None = None,
) -> dd.DataFrame:
    """The matrix of a Dask DataFrame as another, lazy one.

    Parameters
    ----------
    frame : of the wide or long format
    calculation : what to calculate; made with ``frame._meta``
    client : of the cluster that will compute it; by default the current one, if there is one
    aligned : take it that no id lies in two partitions. If one does after all, computing the
        matrix fails; an empty partition at its end stands for that check.
    in_memory : whether the partitions lie on the workers; by default that is looked at

    Returns
    -------
    DataFrame
        Ids ascend within a partition. They do so as a whole, with known divisions, if the frame
        has known divisions and the id as its index.
    """
    client = found_client(client)
    ids = _Ids(id_labels(calculation.column_id))
    if frame.known_divisions and ids.labels == (frame.index.name,):
        return _calculated(frame, calculation, keeps_divisions=True)
    used = with_role_columns(frame, calculation)
    if used.npartitions == 1:
        return _calculated(used, calculation)
    if aligned:
        return _checked(_calculated(used, calculation))
    if _is_in_memory(frame) if in_memory is None else in_memory:
        return _of_partitions_in_memory(used, calculation, ids, client)
    return _shuffled(used, calculation, ids, client)


def found_client(client: Client | None) -> Client | None:
    """The given client, or the current one; None if there is none."""
    if client is not None:
        return client
    try:
        return get_client()
    except ValueError:
        return None


def with_role_columns(frame: dd.DataFrame, calculation: FrameCalculation) -> dd.DataFrame:
    """The columns that are used, those made of the index among them; an index of times stays."""
    labels = RoleLabels.of(
        calculation.column_id,
        calculation.column_sort,
        calculation.column_kind,
        calculation.column_value,
    )
    indexed = with_index_columns(frame._meta, labels.every())  # noqa: SLF001 (Dask's own name for it)
    roles = find_frame_roles(indexed, labels, WHERE)
    given = [one for one in (roles.sort, roles.kind) if one is not None]
    used = list(dict.fromkeys([*roles.ids, *given, *roles.values]))  # noqa: PD011
    present = [label for label in used if label in frame.columns]
    chosen = frame if len(present) == len(frame.columns) else frame[present]
    if len(present) == len(used):
        return chosen
    return chosen.map_partitions(
        _with_columns, used, meta=_with_columns(indexed, used), enforce_metadata=False
    ).clear_divisions()


def _with_columns(frame: pd.DataFrame, used: list[Hashable]) -> pd.DataFrame:
    widened = with_index_columns(frame, [("column", label) for label in used])[used]
    return widened.rename_axis(index=None)


def _calculated(
    frame: dd.DataFrame, calculation: FrameCalculation, *, keeps_divisions: bool = False
) -> dd.DataFrame:
    return frame.map_partitions(
        _calculate,
        _shared(calculation),
        meta=empty_features(frame._meta, calculation),  # noqa: SLF001
        enforce_metadata=False,  # it would ship the names of all columns with every task
        transform_divisions=False,
        clear_divisions=not keeps_divisions,
        token="tidemill-features",  # noqa: S106 (the name of the tasks)
    )


def _calculate(frame: pd.DataFrame, calculation: FrameCalculation) -> pd.DataFrame:
    if ROW in frame.columns:
        frame = frame.sort_values(ROW, ignore_index=False).drop(columns=ROW)
    return calculate_frame(frame, calculation)


def _shared(calculation: FrameCalculation) -> Any:
    """The request as one task, whose result every worker fetches once."""
    name = f"tidemill-request-{tokenize(calculation)}"
    return dask.delayed(calculation, name=name, traverse=False)


def _shuffled(
    frame: dd.DataFrame, calculation: FrameCalculation, ids: _Ids, client: Client | None
) -> dd.DataFrame:
    meta = frame._meta  # noqa: SLF001
    numbered = frame.map_partitions(
        _number_rows,
        meta=_number_rows(meta, {"number": 0}),
        enforce_metadata=False,
        clear_divisions=True,
    )
    together = numbered.shuffle(
        on=list(ids.labels),
        npartitions=frame.npartitions,
        shuffle_method=_method(meta, client),
    )
    return _calculated(together, calculation)


def _number_rows(frame: pd.DataFrame, partition_info: Any = None) -> pd.DataFrame:
    first = partition_info["number"] * PARTITION_ROWS
    numbered = frame.assign(**{ROW: np.arange(first, first + len(frame))})
    if isinstance(frame.index, pd.DatetimeIndex):
        return numbered
    return numbered.reset_index(drop=True)


def _method(meta: pd.DataFrame, client: Client | None) -> str:
    """P2P needs a cluster, names that are text, and columns that Arrow can hold."""
    plain = all(isinstance(name, str) for name in meta.columns)
    typed = not any(map(is_object_dtype, meta.dtypes))
    return "p2p" if client is not None and plain and typed else "tasks"


# Partitions that lie on the workers


def _is_in_memory(frame: dd.DataFrame) -> bool:
    n = frame.npartitions
    return len(futures_of(frame)) == n and len(frame.__dask_graph__()) == n


def _of_partitions_in_memory(
    frame: dd.DataFrame, calculation: FrameCalculation, ids: _Ids, client: Client | None
) -> dd.DataFrame:
    """Shuffle the rows of ids that lie in two partitions, and those only."""
    several = frame.reduction(
        ids_once,
        aggregate=ids_in_several,
        chunk_kwargs={"ids": ids},
        aggregate_kwargs={"ids": ids},
        meta=ids.of(frame._meta),  # noqa: SLF001
        split_every=False,
    )
    several = several.persist() if client is None else client.persist(several)
    if not (found := _length(several, client)):
        return _calculated(frame, calculation)
    log.info("%d ids lie in two partitions or more: their rows are shuffled", found)
    meta = frame._meta  # noqa: SLF001
    alone, split = (
        frame.map_partitions(
            _rows_of, several, ids, among, meta=meta, enforce_metadata=False, clear_divisions=True
        )
        for among in (False, True)
    )
    return dd.concat(
        [_calculated(alone, calculation), _shuffled(split, calculation, ids, client)],
        interleave_partitions=False,
    )


def _length(held: dd.DataFrame, client: Client | None) -> int:
    """The rows of a frame of one partition, which stays where it is."""
    (rows,) = held.to_delayed()
    return int(fetch(dask.delayed(len)(rows), client))


def ids_once(frame: pd.DataFrame, ids: _Ids) -> pd.DataFrame:
    """The distinct ids of a partition."""
    return ids.of(frame).drop_duplicates(ignore_index=True)


def ids_in_several(frame: pd.DataFrame, ids: _Ids) -> pd.DataFrame:
    """The ids that several partitions have."""
    return ids.of(frame)[frame.duplicated()].drop_duplicates(ignore_index=True)


def _rows_of(
    frame: pd.DataFrame,
    several: pd.DataFrame,
    ids: _Ids,
    among: bool,  # noqa: FBT001 (a task's argument)
) -> pd.DataFrame:
    return frame[ids.among(frame, several) == among]


# Partitions that are said to hold whole ids


def _checked(features: dd.DataFrame) -> dd.DataFrame:
    """The features, and an empty partition that fails if an id has two rows.

    What is compared are the ids of the finished rows: no partition waits for others.
    """
    check = features.reduction(
        _without_columns,
        aggregate=_refuse_repeated,
        meta=features._meta,  # noqa: SLF001
        aggregate_kwargs={"meta": features._meta},  # noqa: SLF001
        split_every=False,
    )
    return dd.concat([features, check], interleave_partitions=False)


def _without_columns(features: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(index=features.index)


def _refuse_repeated(rows: pd.DataFrame, meta: pd.DataFrame) -> pd.DataFrame:
    refuse_repeated(
        rows.index,
        "lies in two partitions or more, but aligned=True says that none does: leave it out, and "
        "rows are brought together by a shuffle",
    )
    return meta


def refuse_repeated(ids: pd.Index[Any], why: str) -> None:
    """Refuse ids that occur twice.

    Raises
    ------
    DataError
        With the ids, and why they must not.

    Examples
    --------
    >>> refuse_repeated(pd.Index([1, 2, 1]), "has two rows")
    Traceback (most recent call last):
    tidemill.errors.DataError: id 1 has two rows
    """
    twice = ids[ids.duplicated()].unique().tolist()
    if twice:
        raise DataError(f"id {shorten(map(id_text, twice))} {why}")
