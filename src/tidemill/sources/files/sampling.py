"""Read a sample of whole series of all lengths, without reading more than necessary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tidemill.model.plan import GroupSpan
from tidemill.model.policies import Policies
from tidemill.model.series import Batch
from tidemill.model.source import Source
from tidemill.sources.files.access import file_name, located
from tidemill.sources.files.read import read_span, select_rows, to_batch
from tidemill.sources.files.schema import concatenated, used_columns
from tidemill.sources.files.statistics import Group, Statistics
from tidemill.sources.rows.id_keys import KeyArray, read_keys

__all__ = ["Sample", "read_sample"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The series of some ids, and what reading them cost."""

    batch: Batch
    rows: int  # of the sample
    rows_read: int
    seconds: float  # to read those
    seconds_to_cut: float  # to turn the sample's rows into series


def read_sample(
    source: Source, statistics: Statistics, n_ids: int, policies: Policies, *, needs_times: bool
) -> Sample:
    """Read all rows of about ``n_ids`` ids; row groups that cannot hold them are left out.

    Parameters
    ----------
    source, statistics : an opened input
    n_ids : ids to read; at most those in the statistics
    policies, needs_times : as for :func:`tidemill.sources.files.read.read_part`

    Raises
    ------
    DataError
        If the rows break a policy.
    """
    chosen = choose_keys(statistics, n_ids)
    began = time.perf_counter()
    tables: list[pa.RecordBatch] = []
    read = 0
    groups = [group for group in statistics.groups if _may_hold(group, chosen)]
    for group in sorted(groups, key=lambda one: (one.file, one.group)):
        for batch in _batches(source, group):
            read += batch.num_rows
            keys = read_keys(batch.column(source.columns.key), source.columns.key)
            mask = _among(keys.values, chosen)
            kept = select_rows(batch, mask if keys.codes is None else mask[keys.codes])
            tables += [kept] if kept.num_rows else []
    names = used_columns(source.columns)
    table = concatenated(
        [pa.Table.from_batches([batch]).select(names) for batch in tables]
    ).unify_dictionaries()
    seconds = time.perf_counter() - began
    batch = to_batch(source, policies, table, source.shown, needs_times=needs_times)
    cut = time.perf_counter() - began - seconds
    return Sample(batch, table.num_rows, read, seconds, cut)


def choose_keys(statistics: Statistics, n_ids: int) -> KeyArray:
    """Choose ids from the statistics, evenly spread over their lengths; ascending keys."""
    met = np.flatnonzero(statistics.ids > 0)
    by_length = met[np.argsort(statistics.lengths[met], kind="stable")]
    n = min(n_ids, len(by_length))
    places = ((np.arange(n) + 0.5) * len(by_length) / n).astype(np.int64)
    chosen: KeyArray = statistics.keys[np.sort(by_length[places])]
    return chosen


def _may_hold(group: Group, chosen: KeyArray) -> bool:
    first = int(np.searchsorted(chosen, group.lower, side="left"))
    return first < len(chosen) and bool(chosen[first] <= group.upper)


def _batches(source: Source, group: Group) -> Iterator[pa.RecordBatch]:
    span = GroupSpan(group.file, group.group, group.group + 1)
    with located(file_name(source, group.file)):
        yield from read_span(source, span, used_columns(source.columns))


def _among(values: KeyArray, chosen: KeyArray) -> npt.NDArray[np.bool_]:
    places = np.minimum(np.searchsorted(chosen, values), len(chosen) - 1)
    return np.asarray(chosen[places] == values, np.bool_)
