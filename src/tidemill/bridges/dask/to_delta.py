"""Publish features that a Dask cluster holds as a table, written by the workers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
from dask.delayed import Delayed
from distributed import Client, Future
from pandas.api.types import is_numeric_dtype, is_object_dtype

from tidemill.bridges.dask.dataframes import found_client, refuse_repeated
from tidemill.bridges.dask.fetch import fetch, naming_lost
from tidemill.bridges.dask.gathered import frame_of_parts
from tidemill.errors import ArgumentError, SourceError, shorten
from tidemill.execution.rows import RowsJob, write_rows
from tidemill.model.ids import id_labels
from tidemill.sources.frames.columns import read_ids
from tidemill.sources.rows.casts import check_ids

__all__ = ["to_delta"]


def to_delta(
    features: Any,
    sink: str | os.PathLike[str],
    *,
    column_id: str | list[str] | None = None,
    client: Client | None = None,
    storage_options: Mapping[str, str] | None = None,
    wait_for_sink: float = 0.0,
) -> dict[str, Any]:
    """Publish features that Dask holds, or is to calculate, as the Delta table of a run.

    Every partition is calculated and written where it is, as a part; nothing but a few figures and
    the ids, which must all differ, go elsewhere, and these to one worker. Then all parts are
    published in one transaction: readers see the old table or the new one. A call that fails or is
    killed leaves the old one; the next call starts over.

    Parameters
    ----------
    features : Dask DataFrame, or a list of futures or of delayed frames
        Rows of a feature matrix, as ``extract_features`` gives them: ids as index, features as
        columns.
    sink : path or URL
        Folder of the table, which every worker reaches.
    column_id : str or list of str, optional
        Names of the columns of ids in the table; default: those of the index, or ``id``.
    client : distributed.Client, optional
        The cluster; default: the current client. Without one, this process does the work.
    storage_options : mapping, optional
        Option to *name* of the environment variable that holds its value.
    wait_for_sink : float
        Seconds to wait while another run writes the sink.

    Returns
    -------
    dict
        The summary of the run, as the flow returns it.

    Raises
    ------
    InputError
        If the rows are no features, or an id has two of them.
    SinkError
        If the sink is no table or holds something else, or another live run owns it.
    ClusterError
        If the scheduler, all workers, or scattered features are lost.

    Examples
    --------
    >>> import tempfile
    >>> import dask.dataframe as dd
    >>> import tidemill
    >>> frame = pd.DataFrame({"id": [1, 1, 2], "x": [1.0, 3.0, 5.0]})
    >>> lazy = tidemill.extract_features(
    ...     dd.from_pandas(frame, npartitions=2), {"mean": None}, column_id="id"
    ... )
    >>> sink = tempfile.mkdtemp() + "/features"
    >>> to_delta(lazy, sink)["rows"]
    2
    >>> tidemill.read_matrix(sink)
        x__mean
    id
    1       2.0
    2       5.0
    """
    client = found_client(client)
    with naming_lost(features, client):
        frame = _as_frame(features, client)
    meta = frame._meta  # noqa: SLF001 (Dask's own name for it)
    names = _id_names(meta.index, column_id)
    began = time.perf_counter()
    with RowsJob.open(
        os.fspath(sink),
        name=_name(features, frame),
        ids={name: array.type for name, array in zip(names, _id_arrays(meta, names), strict=True)},
        columns=_feature_columns(meta),
        n_parts=frame.npartitions,
        cluster=_address(client),
        storage_options=storage_options,
        wait_for_sink=wait_for_sink,
    ) as job:
        with naming_lost(features, client):
            fetch(_checked_parts(frame, job, names), client)
        facts = {
            "cluster": _address(client),
            "threads": (os.cpu_count() or 1) if client is None else sum(client.nthreads().values()),
            "task_runs": 0,
            "seconds": {"calculate_features": time.perf_counter() - began},
        }
        return job.publish(facts).to_json()


def _address(client: Client | None) -> str:
    return "none" if client is None else str(client.scheduler_info()["address"])


def _as_frame(features: Any, client: Client | None) -> dd.DataFrame:
    if isinstance(features, dd.DataFrame):
        return features
    parts = list(features) if isinstance(features, list | tuple) else []
    if not parts or not any(
        all(isinstance(one, form) for one in parts) for form in (Future, Delayed)
    ):
        raise ArgumentError(
            f"features is a {type(features).__name__}, but must be a Dask DataFrame, or a list of "
            "futures or of delayed frames: for others use the flow tidemill.flows.extract.extract"
        )
    return frame_of_parts(parts, client)


def _name(features: Any, frame: dd.DataFrame) -> str:
    """The rows' name in the run record."""
    kind = "DataFrame" if features is frame else f"{len(features)} frames"
    return f"{kind} {frame._name}"  # noqa: SLF001


def _id_names(index: pd.Index[Any], column_id: str | list[str] | None) -> tuple[str, ...]:
    own = [
        f"id_{place}" if index.nlevels > 1 else "id" if name is None else str(name)
        for place, name in enumerate(index.names)
    ]
    names = tuple(own) if column_id is None else tuple(map(str, id_labels(column_id)))
    if len(names) != index.nlevels:
        raise ArgumentError(
            f"column_id={column_id!r} names {len(names)} columns, but the index of the features "
            f"has {index.nlevels} levels: name each of them"
        )
    return names


def _feature_columns(meta: pd.DataFrame) -> list[str]:
    others = [
        f"{label!r} ({dtype})"
        for label, dtype in meta.dtypes.items()
        if not is_numeric_dtype(dtype)
    ]
    if others:
        raise SourceError(
            f"the columns {shorten(others)} of the features hold no numbers: drop them; the ids "
            "belong into the index, as with set_index"
        )
    return list(map(str, meta.columns))


def _id_arrays(rows: pd.DataFrame, names: Sequence[str]) -> list[pa.Array]:
    """The ids of some rows, a column per level, in the types in which they are written."""
    index = rows.index
    levels = [index.get_level_values(place) for place in range(index.nlevels)]
    if not len(rows) and any(is_object_dtype(one.dtype) for one in levels):
        raise SourceError(
            "the ids of the features are Python objects, whose type is not known before they are "
            "calculated: cast them to strings, numbers or times before extract_features"
        )
    return [
        check_ids(read_ids(pd.Series(level, name=name), "features"), name)
        for level, name in zip(levels, names, strict=True)
    ]


def _checked_parts(frame: dd.DataFrame, job: RowsJob, names: Sequence[str]) -> Delayed:
    """One value that is there once all partitions are written and all ids are seen to differ."""
    shared = dask.delayed(job, name=f"tidemill-job-{job.run.run_id}", traverse=False)
    meta = frame._meta  # noqa: SLF001
    write = dask.delayed(_write, pure=False)
    written = [
        write(part, shared, place, tuple(names)) for place, part in enumerate(frame.to_delayed())
    ]
    return dask.delayed(_check_ids, pure=False)(written, meta.iloc[:0, :0])


def _write(rows: pd.DataFrame, job: RowsJob, place: int, names: Sequence[str]) -> pd.DataFrame:
    """Write a partition; its rows without their columns."""
    if not rows.index.is_monotonic_increasing:
        rows = rows.sort_index(kind="stable")
    if list(map(str, rows.columns)) != list(job.plan.columns):
        raise SourceError(
            f"a frame of the features has the columns {shorten(map(str, rows.columns))}, but the "
            f"first one {shorten(job.plan.columns)}: give all the same columns"
        )
    if len(rows):
        levels = _id_arrays(rows, names)
        ids = levels[0] if len(levels) == 1 else pa.StructArray.from_arrays(levels, list(names))
        write_rows(job, place, ids, rows.to_numpy(np.float64))
    else:
        write_rows(job, place, pa.array([]), np.empty((0, len(job.plan.columns))))
    return pd.DataFrame(index=rows.index)


def _check_ids(written: Sequence[pd.DataFrame], meta: pd.DataFrame) -> int:
    rows = pd.concat([one for one in written if len(one)] or [meta])
    refuse_repeated(
        rows.index,
        "has rows in several places of the features: nothing is published; bring its series "
        "together before the features are calculated",
    )
    return len(rows)
