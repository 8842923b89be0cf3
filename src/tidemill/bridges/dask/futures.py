"""Futures of features: submitted one by one, or in a stream with a bounded number in flight."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from dask.base import is_dask_collection, tokenize
from distributed import Client, Future, KilledWorker

from tidemill.bridges.dask.chunks import calculate_chunk, same
from tidemill.bridges.dask.fetch import CANCELLED, LOST, lost_inputs
from tidemill.bridges.dask.frame_request import FrameRequest, check_path, is_path
from tidemill.bridges.dask.patience import Patience
from tidemill.errors import ArgumentError, ClusterError
from tidemill.orchestration.scheduler_calls import address_of, quietly

__all__ = ["stream", "submit"]

#: Chunks in flight for each thread of the cluster: one in work, one that waits there.
CHUNKS_PER_THREAD = 2
#: Times that a chunk is submitted whose frame was lost with its worker.
SUBMISSIONS = 4
#: Seconds for a result to arrive. If its worker died, it is calculated again, which takes longer.
GATHER_SECONDS = 10.0
CANCEL_SECONDS = 5.0
POLL_SECONDS = 0.02
_SETTLED = frozenset({"finished", "error", "cancelled", "lost"})


@dataclass(slots=True)
class _InFlight:
    """A chunk of input and the future of its features."""

    item: Any  # as it was given: a future, a delayed frame, a path or a frame
    submissions: int = 0


def submit(client: Client, frames: Iterable[Any], request: FrameRequest) -> list[Future[Any]]:
    """A future of features for each chunk; returns before any is calculated.

    Raises
    ------
    ArgumentError
        If one of ``frames`` is none of what is allowed.
    """
    _check_list(frames)
    asked = _asked(client, request)
    return [_submit(client, item, asked) for item in _checked(frames)]


def stream(
    client: Client, frames: Iterable[Any], request: FrameRequest, most: int | None
) -> Iterator[tuple[pd.Index[Any], pd.DataFrame]]:
    """(ids, features) of each chunk, in the order in which they are done.

    Raises
    ------
    ClusterError
        If there is no live scheduler or worker, or a chunk was lost too often.
    Exception
        The first error of a chunk, with the traceback of its worker.
    """
    _check_list(frames)
    return _stream(client, _checked(frames), request, most)


def _stream(
    client: Client, source: Iterator[Any], request: FrameRequest, most: int | None
) -> Iterator[tuple[pd.Index[Any], pd.DataFrame]]:
    waiting: dict[Future[Any], _InFlight] = {}
    asked, patience = _asked(client, request), Patience(client)
    try:
        with patience.explaining():
            while True:
                patience.look()
                _fill(waiting, source, client, asked, most or patience.threads * CHUNKS_PER_THREAD)
                if not waiting:
                    return
                while (frame := _next_frame(waiting, client, asked, patience)) is None:
                    time.sleep(POLL_SECONDS)
                yield frame.index, frame
                del frame  # else it would live until the next is there
    finally:
        quietly(CANCEL_SECONDS, client.cancel, list(waiting))


def _check_list(frames: Any) -> None:
    if is_dask_collection(frames) or isinstance(frames, pd.DataFrame | Mapping | str | Future):
        raise ArgumentError(
            f"frames is a {type(frames).__name__}, but must be a list or iterator of chunks; put "
            "a single one into a list, and give Dask DataFrames to tidemill.extract_features"
        )
    if not isinstance(frames, Iterable):
        raise ArgumentError(f"frames={frames!r} is not allowed; give a list or iterator of chunks")


def _checked(frames: Iterable[Any]) -> Iterator[Any]:
    for number, item in enumerate(frames):
        if is_path(item):
            check_path(item)
        elif not (isinstance(item, Future | pd.DataFrame | Mapping) or is_dask_collection(item)):
            raise ArgumentError(
                f"frames[{number}] is a {type(item).__name__}, which is not allowed; give futures "
                "or delayed objects of frames, paths that the workers can read, or frames"
            )
        yield item


def _asked(client: Client, request: FrameRequest) -> Future[Any]:
    return client.submit(same, request, key=f"tidemill-request-{tokenize(request)}")


def _submit(client: Client, item: Any, asked: Future[Any], *, suspect: bool = False) -> Future[Any]:
    if isinstance(item, pd.DataFrame | Mapping):
        item = _scatter(client, item)
    elif is_dask_collection(item):
        item = client.compute(item)
    key = f"tidemill-features-{uuid.uuid4().hex}"
    return client.submit(calculate_chunk, item, asked, suspect=suspect, key=key, pure=False)


def _scatter(client: Client, frame: Any) -> Future[Any]:
    try:
        scattered: Future[Any] = client.scatter([frame], hash=False)[0]  # a dict alone is many
    except TimeoutError as error:
        raise ClusterError(
            f"the scheduler at {address_of(client)} has no worker that takes a frame; start one "
            f"with: dask worker {address_of(client)}"
        ) from error
    return scattered


def _fill(
    waiting: dict[Future[Any], _InFlight],
    source: Iterator[Any],
    client: Client,
    asked: Future[Any],
    most: int,
) -> None:
    """Submit until enough are in flight, or there are no more."""
    while len(waiting) < max(most, 1):
        try:
            item = next(source)
        except StopIteration:
            return
        waiting[_submit(client, item, asked)] = _InFlight(item, 1)


def _next_frame(
    waiting: dict[Future[Any], _InFlight], client: Client, asked: Future[Any], patience: Patience
) -> pd.DataFrame | None:
    """The features of a chunk that is done, taken out of ``waiting``; None if none is."""
    patience.look()
    if patience.is_reconnecting:  # all futures count as cancelled until that has succeeded
        return None
    future = next((one for one in waiting if one.status in _SETTLED), None)
    if future is None:
        return None
    chunk = waiting.pop(future)
    if future.status in {"finished", "error"}:
        try:
            result: pd.DataFrame = future.result(timeout=GATHER_SECONDS)
        except TimeoutError:  # lost with its worker: the scheduler has it calculated again
            waiting[future] = chunk
            return None
        except KilledWorker as error:
            raise ClusterError(
                f"a chunk was lost with its worker again and again ({error}); check the workers' "
                "memory and logs, or give smaller chunks"
            ) from error
        except CANCELLED:
            waiting[future] = chunk
            return None
        return result
    waiting[_again(chunk, client, asked)] = chunk
    return None


def _again(chunk: _InFlight, client: Client, asked: Future[Any]) -> Future[Any]:
    """Submit a chunk once more whose frame was lost."""
    item = chunk.item
    if isinstance(item, Future) and item.status in LOST:
        raise lost_inputs([item.key])
    if chunk.submissions >= SUBMISSIONS:
        raise ClusterError(
            f"a chunk was lost {chunk.submissions} times with its worker; check the workers' "
            "memory and logs, or give smaller chunks"
        )
    chunk.submissions += 1
    return _submit(client, item, asked, suspect=True)
