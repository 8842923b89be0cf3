"""A Dask Bag of (id, kind, frame) as a long Dask DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import dask.dataframe as dd
import pandas as pd
from dask.bag import Bag

from tidemill.bridges.dask.fetch import fetch
from tidemill.bridges.dask.kinds import serial_order
from tidemill.bridges.dask.request import DaskRequest
from tidemill.errors import ArgumentError, SourceError
from tidemill.model.logs import engine_log

__all__ = ["long_frame"]

log = engine_log(__name__)

KIND = "kind"
VALUE = "value"


def long_frame(bag: Bag, request: DaskRequest) -> tuple[dd.DataFrame, DaskRequest]:
    """The bag's rows as a frame, and the request with the roles of its columns.

    The bag is read once for its kinds, unless they are given, and for what its first frame and the
    ids look like. A frame may be a Series or an array of values too.

    Raises
    ------
    InputError
        If elements are no triples, or arguments have no meaning for them.
    """
    if request.column_kind is not None:
        raise ArgumentError(
            f"column_kind={request.column_kind!r} has no meaning for a Bag of (id, kind, frame), "
            "whose kinds are the second elements: leave it out"
        )
    ids = request.column_id or "id"
    if not isinstance(ids, str):
        raise ArgumentError(
            f"column_id={ids!r}: a Bag of (id, kind, frame) has its ids in the first elements; "
            "leave it out, and give tuples for ids of several values"
        )
    roles = (ids, request.column_sort, request.column_value)
    kinds, sample = _look(bag, roles, request)
    parts = bag.map_partitions(_rows, *roles, sample).to_delayed()
    frame = dd.from_delayed(parts, meta=sample, verify_meta=False, prefix="tidemill-bag")
    named = [label for label in sample.columns if label not in {KIND, VALUE, request.column_sort}]
    return frame, replace(
        request,
        column_id=named if len(named) > 1 else named[0],
        column_kind=KIND,
        column_value=VALUE,
        kinds=kinds,
    )


def _look(
    bag: Bag, roles: tuple[str, Any, Any], request: DaskRequest
) -> tuple[list[Any], pd.DataFrame]:
    """The kinds, and the long frame without its rows."""
    if request.kinds is not None:
        first = fetch(bag.take(1, warn=False, compute=False), request.client)
        if len(first):
            return serial_order(list(request.kinds)), _rows(first, *roles).iloc[:0]
    log.info("the Bag is read once for its kinds; kinds=[...] saves that")
    found = fetch(bag.map_partitions(_looked, *roles), request.client)
    if not found:
        raise SourceError("the Bag holds no element: give at least one (id, kind, frame)")
    kinds = {kind for _, some in found for kind in some}
    return serial_order(list(kinds if request.kinds is None else request.kinds)), found[0][0]


def _looked(
    triples: Iterable[Any], ids: str, sort: Any, value: Any
) -> list[tuple[pd.DataFrame, set[Any]]]:
    """The long frame of a partition's first series without its rows, and the partition's kinds."""
    found = [_checked(one) for one in triples]
    if not found:
        return []
    return [(_rows(found[:1], ids, sort, value).iloc[:0], {kind for _, kind, _ in found})]


def _checked(one: Any) -> tuple[Any, Any, Any]:
    if not isinstance(one, Sequence) or isinstance(one, str) or len(one) != 3:
        raise SourceError(
            f"an element of the Bag is a {type(one).__name__}, but must be (id, kind, frame)"
        )
    return one[0], one[1], one[2]


def _rows(
    triples: Iterable[Any], ids: str, sort: Any, value: Any, sample: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The rows of a partition's triples in one frame; the sample if there are none."""
    found = [_checked(one) for one in triples]
    if not found and sample is not None:
        return sample
    frames = [_columns(data, sort, value) for _, _, data in found]
    lengths = [len(one) for one in frames]
    columns = _id_columns([one for one, _, _ in found], ids, lengths)
    columns[KIND] = pd.Series([kind for _, kind, _ in found]).repeat(lengths).array
    whole = pd.concat(frames)
    if not isinstance(whole.index, pd.DatetimeIndex):
        whole = whole.reset_index(drop=True)
    for place, (label, array) in enumerate(columns.items()):
        whole.insert(place, label, array)
    return whole


def _id_columns(found: list[Any], name: str, lengths: list[int]) -> dict[str, Any]:
    if all(isinstance(one, tuple) for one in found):
        names = getattr(found[0], "_fields", None) or [f"{name}_{i}" for i in range(len(found[0]))]
        levels: list[Any] = list(zip(*found, strict=True))
    else:
        names, levels = [name], [found]
    return {
        label: pd.Series(list(level)).repeat(lengths).array
        for label, level in zip(names, levels, strict=True)
    }


def _columns(data: Any, sort: Any, value: Any) -> pd.DataFrame:
    """The values of a series, and what they are sorted by."""
    if isinstance(data, pd.DataFrame):
        label = value
        if label is None:
            left = [column for column in data.columns if column != sort]
            if len(left) != 1:
                raise ArgumentError(
                    f"column_value=None, but a frame of the Bag has {len(left)} columns of values "
                    f"({left}): name the one that holds them"
                )
            label = left[0]
        chosen = {VALUE: data[label]}
        return pd.DataFrame(chosen if sort is None else {sort: data[sort], **chosen})
    if sort is not None:
        raise ArgumentError(
            f"column_sort={sort!r} needs frames, but a series of the Bag is a "
            f"{type(data).__name__}: leave it out if its values are in order"
        )
    return data.to_frame(VALUE) if isinstance(data, pd.Series) else pd.DataFrame({VALUE: data})
