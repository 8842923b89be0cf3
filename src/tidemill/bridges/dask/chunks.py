"""What a task of :mod:`tidemill.cluster` runs on its worker: one chunk, from frame to features."""

from __future__ import annotations

import os

import pandas as pd

from tidemill.bridges.dask.calculate import (
    Container,
    FrameCalculation,
    calculate_frame,
)
from tidemill.bridges.dask.frame_request import FrameRequest
from tidemill.bridges.dask.in_hand import in_hand
from tidemill.bridges.dask.isolate import calculate_isolated_frame

__all__ = ["calculate_chunk", "same"]


def same(request: FrameRequest) -> FrameRequest:
    """The request as a task of its own: sent to each worker once, and made again if one dies."""
    return request


def calculate_chunk(
    chunk: Container | str | os.PathLike[str], request: FrameRequest, *, suspect: bool = False
) -> pd.DataFrame:
    """The features of a frame, of a frame per kind, or of a file that this worker reads.

    Parameters
    ----------
    chunk : the frame or its path
    request : what is calculated
    suspect : whether an earlier task for it was lost with its worker

    Raises
    ------
    InputError
        If it cannot be used.
    CalculationError
        If a calculator raises, or a series kills the process for the second time.
    """
    with in_hand() as was_begun:
        container = request.load(chunk)
        if not _has_rows(container):
            return _nothing(container, request)
        calculation = request.calculation(container)
        if suspect or was_begun:
            return calculate_isolated_frame(_with_rows(container), calculation)
        return calculate_frame(container, calculation)


def _has_rows(container: Container) -> bool:
    if isinstance(container, dict):
        return any(map(len, container.values()))
    return not isinstance(container, pd.DataFrame) or len(container) > 0


def _with_rows(container: Container) -> Container:
    if isinstance(container, dict):
        return {key: frame for key, frame in container.items() if len(frame)}
    return container


def _nothing(container: Container, request: FrameRequest) -> pd.DataFrame:
    calculation: FrameCalculation = request.calculation(container)
    if not calculation.kinds:  # long, and nobody has said which kinds there are
        return pd.DataFrame(index=pd.Index([]))
    return calculate_frame(container, calculation)
