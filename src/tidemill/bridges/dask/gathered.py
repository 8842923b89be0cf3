"""Frames behind futures or delayed calls, as one Dask DataFrame; and a matrix in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
from distributed import Client, Future

from tidemill.bridges.dask.calculate import WHERE
from tidemill.bridges.dask.fetch import fetch_all
from tidemill.errors import SourceError
from tidemill.sources.frames.roles import check_frame

__all__ = ["frame_of_parts", "gather"]


def frame_of_parts(parts: Sequence[Any], client: Client | None) -> dd.DataFrame:
    """The frames as partitions that lie in memory; only what they look like is fetched.

    Parameters
    ----------
    parts : futures of frames, or delayed frames, which are calculated now
    client : of the cluster; None: delayed frames are calculated in this process

    Raises
    ------
    InputError
        If they are no frames, all of them are empty, or their columns differ.
    """
    if client is None:
        held = list(dask.persist(*parts))
    else:
        held = [one if isinstance(one, Future) else client.compute(one) for one in parts]
    looks = [dask.delayed(_look)(one) for one in held]
    found = fetch_all(looks, client)
    return dd.from_delayed(held, meta=_agreed(found), verify_meta=False, prefix="tidemill-frames")


def gather(features: dd.DataFrame, client: Client | None) -> pd.DataFrame:
    """The matrix in this process, ids ascending, as ``extract_features`` gives it."""
    if client is None:
        whole = features.compute()
    else:
        # Partition by partition: as one, it would have to fit into the memory of one worker.
        rows = fetch_all(features.to_delayed(), client)
        whole = pd.concat([one for one in rows if len(one)] or rows[:1])
    ascend = whole.index.is_monotonic_increasing
    return whole if ascend else whole.sort_index(kind="stable")


def _look(frame: Any) -> tuple[Any, int]:
    """A frame without its rows, and their number; anything else by the name of its type."""
    if not isinstance(frame, pd.DataFrame):
        return type(frame).__name__, 0
    return frame.iloc[:0], len(frame)


def _agreed(found: Sequence[tuple[Any, int]]) -> pd.DataFrame:
    """What all frames look like; those without rows need not have the same types."""
    for place, (sample, _) in enumerate(found):
        if isinstance(sample, str):
            raise SourceError(
                f"{WHERE}[{place}] is a {sample}, but must be a pandas DataFrame: give futures or "
                "delayed calls that return frames"
            )
    filled = [(place, sample) for place, (sample, rows) in enumerate(found) if rows]
    if not filled:
        raise SourceError(f"{WHERE} is a list of frames without rows: give at least one row")
    first, model = filled[0]
    check_frame(model, f"{WHERE}[{first}]", may_be_empty=True)
    for place, sample in filled:
        _check_alike(model, sample, f"{WHERE}[{first}]", f"{WHERE}[{place}]")
    return model


def _check_alike(model: pd.DataFrame, sample: pd.DataFrame, first: str, other: str) -> None:
    if list(model.columns) != list(sample.columns) or model.index.names != sample.index.names:
        raise SourceError(
            f"{other} has the columns {list(sample.columns)}, but {first} has "
            f"{list(model.columns)}: give all frames the same columns, in the same order"
        )
    for label, mine, its in zip(model.columns, model.dtypes, sample.dtypes, strict=True):
        if mine != its:
            raise SourceError(
                f"{other} has the column {label!r} as {its}, but {first} as {mine}: cast them to "
                "one type, as with .astype"
            )
