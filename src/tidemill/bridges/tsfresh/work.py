"""What a worker does of a call: a group of chunks, each result sent as soon as it is there."""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distributed import Worker, get_worker
from distributed.utils import sync

from tidemill.calculators.blas_threads import one_pool_thread
from tidemill.errors import TidemillError, printable
from tidemill.frames.arguments import calculator_warnings
from tidemill.orchestration.preflight import reach_api

__all__ = [
    "MappedFunction",
    "NamingFunction",
    "Shipped",
    "WorkerTest",
    "distribute_group",
    "name_of",
    "results_of",
    "versions_of_call",
]

#: Packages of which workers need the version of the process that calls.
_PACKAGES = ("tidemill", "tsfresh", "numpy", "pandas", "prefect")
#: Characters that are shown of an item that is no series.
_ITEM = 100


class Shipped:
    """What was scattered to workers; Prefect looks into most other things that a task gets."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


@dataclass(frozen=True, slots=True)
class MappedFunction:
    """What is done to each chunk."""

    function: Callable[..., Any]
    options: Mapping[str, Any]
    show_warnings: bool


@dataclass(frozen=True, slots=True)
class NamingFunction:
    """A map function whose errors say which item failed, and where."""

    function: Callable[..., Any]

    def __call__(self, item: Any, **options: Any) -> Any:
        """Call it; an error keeps its type and gets two notes."""
        try:
            return self.function(item, **options)
        except Exception as error:
            error.add_note(f"the function failed for {name_of(item)}{_place()}; there:")
            error.add_note("".join(traceback.format_exception(error)).rstrip())
            raise


def name_of(item: Any) -> str:
    """The item for people: a series by id and kind."""
    if hasattr(item, "id") and hasattr(item, "kind"):
        return printable(f"the series with id={item.id!r} and kind={item.kind!r}")
    return printable(f"the item {item!r}", _ITEM)


def _place() -> str:
    try:
        return f" on the worker {get_worker().address}"
    except ValueError:
        return ""


def distribute_group(
    numbers: list[int], attempt: str, results: str, work: Shipped, chunks: list[Shipped]
) -> int:
    """Carry out a group of chunks; how many were, before the call was over.

    Parameters
    ----------
    numbers : of the chunks, in the order of the input
    attempt : name of this submission; the scheduler may start it again, of itself
    results : name of the queue to which ``(number, pickled result)`` go, one by one, and of the
        event that is set until the call is over
    work : a :class:`MappedFunction`
    chunks : lists of items
    """
    scheduler, done = _Scheduler(get_worker()), 0
    if not scheduler.is_set(results) or not scheduler.is_set(attempt):
        return 0  # over; or its worker died, and the client knows which results are there
    scheduler.clear(attempt)
    for number, result in zip(numbers, results_of(work.value, chunks), strict=True):
        if not scheduler.is_set(results):
            break
        scheduler.put(results, (number, pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL)))
        done += 1
    return done


@dataclass(frozen=True, slots=True)
class _Scheduler:
    """Events and queues of the client, as a task uses them: nothing that it does makes new ones.

    Dask's own classes would, and what a task makes after the end of its call, or a worker that dies
    does not give back, stays on the scheduler.
    """

    worker: Worker

    def is_set(self, event: str) -> bool:
        return bool(self._call(self.worker.scheduler.event_is_set, name=event))

    def clear(self, event: str) -> None:
        self._call(self.worker.scheduler.event_clear, name=event)

    def put(self, queue: str, value: tuple[int, bytes]) -> None:
        self._call(self.worker.scheduler.queue_put, name=queue, data=value)

    def _call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        return sync(self.worker.loop, function, **arguments)


def results_of(work: MappedFunction, chunks: Iterable[Shipped]) -> Iterator[Any]:
    """The result of each chunk, one after the other."""
    with one_pool_thread(), calculator_warnings(show=work.show_warnings):
        for chunk in chunks:
            yield work.function(chunk.value, **work.options)


def versions_of_call() -> dict[str, str]:
    """Versions of what a call needs, in this process."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


@dataclass(frozen=True, slots=True)
class WorkerTest:
    """The check of a worker before it gets work; called there, it reports problems."""

    expected: Mapping[str, str]  # versions in the process that calls
    api_url: str | None  # of Prefect; None: it is in the process that calls
    pid: int  # of the process that calls

    def __call__(self) -> dict[str, Any]:
        """Try everything; ``{"problems": [...], "may_pass": ...}``."""
        problems = [*self._versions(), *self._api()]
        return {"problems": problems, "may_pass": not [*self._versions()]}

    def _versions(self) -> Iterator[str]:
        for name, wanted in self.expected.items():
            try:
                here = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                yield f"{name} is not installed; install {name}=={wanted} there"
                continue
            if here != wanted:
                yield (
                    f"{name} is {here}, but {wanted} where tsfresh is called; "
                    f"install {name}=={wanted} there"
                )

    def _api(self) -> Iterator[str]:
        if self.api_url is None or self.pid == os.getpid():
            return
        try:
            reach_api(self.api_url)
        except TidemillError as error:
            yield str(error)
