"""What ``tidemill.extract_features`` does with data of Dask: choose the way by what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import dask.dataframe as dd
import pandas as pd
from dask.bag import Bag
from dask.delayed import Delayed
from distributed import Future

from tidemill.bridges.dask.bags import long_frame
from tidemill.bridges.dask.calculate import WHERE
from tidemill.bridges.dask.dataframes import features_of_partitions, found_client
from tidemill.bridges.dask.fetch import naming_lost
from tidemill.bridges.dask.gathered import frame_of_parts, gather
from tidemill.bridges.dask.kinds import kinds_of
from tidemill.bridges.dask.one_frame import KIND, VALUE, one_frame
from tidemill.bridges.dask.request import DaskRequest
from tidemill.errors import ArgumentError, shorten

__all__ = ["extract"]


def extract(container: Any, **arguments: Any) -> dd.DataFrame | pd.DataFrame:
    """The features of what Dask holds, as :func:`tidemill.extract_features` describes it.

    ``arguments`` are the fields of a :class:`~tidemill.bridges.dask.request.DaskRequest`.

    Raises
    ------
    InputError
        If the container, or an argument beside it, cannot be used.
    ClusterError
        If the scheduler, all workers, or scattered frames are lost.
    """
    arguments["client"] = found_client(arguments["client"])
    request = DaskRequest(**arguments)
    with naming_lost(container, request.client):
        if isinstance(container, list | tuple):
            return gather(_of_parts(list(container), request), request.client)
        features = _lazily(container, request)
        return features if request.lazy else gather(features, request.client)


def _lazily(container: Any, request: DaskRequest) -> dd.DataFrame:
    if isinstance(container, dd.DataFrame):
        return _of_frame(container, request)
    if isinstance(container, Bag):
        frame, named = long_frame(container, request)
        return _of_frame(frame, named)
    if isinstance(container, Mapping):
        return _of_mapping(container, request)
    raise ArgumentError(
        f"{WHERE} is a {type(container).__module__}.{type(container).__name__}, but of Dask it may "
        "be a DataFrame, a dict of them, a Bag of (id, kind, frame), or a list of futures or of "
        "delayed frames: convert it, as with dask.dataframe.from_delayed"
    )


def _of_frame(
    frame: dd.DataFrame, request: DaskRequest, *, in_memory: bool | None = None
) -> dd.DataFrame:
    sample = frame._meta  # noqa: SLF001 (Dask's own name for it)
    kinds = request.kinds
    if request.column_kind is not None and request.column_kind in sample.columns:
        kinds = kinds_of(frame, request.column_kind, kinds, request.client)
    return features_of_partitions(
        frame,
        request.calculation(sample, kinds),
        client=request.client,
        aligned=request.aligned,
        in_memory=in_memory,
    )


def _of_mapping(frames: Mapping[Any, Any], request: DaskRequest) -> dd.DataFrame:
    others = [f"{key!r}: {type(one).__name__}" for key, one in frames.items() if not _is_frame(one)]
    if others:
        raise ArgumentError(
            f"{WHERE} is a dict in which not every frame is a Dask DataFrame ({shorten(others)}): "
            "convert these, as with dask.dataframe.from_pandas or dask.dataframe.from_delayed"
        )
    samples = {key: one._meta for key, one in frames.items()}  # noqa: SLF001
    calculation = request.calculation(samples, request.kinds)
    return features_of_partitions(
        one_frame(frames, calculation),
        replace(calculation, column_kind=KIND, column_value=VALUE),
        client=request.client,
        aligned=request.aligned,
    )


def _is_frame(one: object) -> bool:
    return isinstance(one, dd.DataFrame)


def _of_parts(parts: list[Any], request: DaskRequest) -> dd.DataFrame:
    forms: tuple[type, ...] = (Future, Delayed)
    if not any(all(isinstance(one, form) for one in parts) for form in forms):
        found = sorted({_name(one) for one in parts})
        raise ArgumentError(
            f"{WHERE} is a list of {shorten(found)}: give futures only, or delayed frames only, as "
            "with client.scatter(frame) or dask.delayed(frame)"
        )
    return _of_frame(frame_of_parts(parts, request.client), request, in_memory=True)


def _name(one: object) -> str:
    """The name of a type; delayed calls and values have one each of their own."""
    return "Delayed" if isinstance(one, Delayed) else type(one).__name__
