"""The flow of a call: the steps of tsfresh's distributors, each a task run.

Prefect pickles a flow with all task runs, and by value what a decorated function uses. So the flow
and its tasks are plain functions of this module that get the name of a call, and what it works on
stays here, in the process that calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import Flow, Task
from prefect.cache_policies import NO_CACHE

from tidemill.bridges.tsfresh.calls import Call
from tidemill.bridges.tsfresh.distribution import Distribution
from tidemill.orchestration.cluster import ClusterSpec
from tidemill.orchestration.flow_guard import guarded_flow
from tidemill.orchestration.server import cancel_interrupted
from tidemill.orchestration.task_runners import one_api

__all__ = ["carry_out"]

#: What flows of this process work on, and where, by the names of calls.
_calls: dict[str, tuple[Call, ClusterSpec]] = {}


def carry_out(call: Call, spec: ClusterSpec, title: str) -> list[Any]:
    """Carry out a call as a flow on a cluster that is open; the results of the chunks, in order.

    Raises
    ------
    ClusterError
        If there are no workers, or they are lost too often.
    Exception
        What the function raises, with notes that name the item and show the remote traceback.
    """
    _calls[call.name] = call, spec
    try:
        with one_api(spec) as runner, guarded_flow():
            _distribute_items.with_options(task_runner=runner, flow_run_name=title)(call.name)
    finally:
        del _calls[call.name]
    return call.ordered


def distribute_items(call: str) -> int:
    """Cut the items of a call into chunks, distribute these, and put the results together.

    Args:
        call: Name of the call in the process that runs the flow.

    Returns
    -------
        The number of chunks.
    """
    count: int = _partition(call, _calculate_best_chunk_size(call))
    with Distribution.prepared(*_calls[call]) as distribution:
        distribution.carry_out()
        _map_reduce(call)
        _close(call)
    return count


def calculate_best_chunk_size(call: str) -> int:
    """Items of a chunk."""
    return _calls[call][0].find_chunk_size()


def partition(call: str, chunk_size: int) -> int:
    """Cut the items into chunks; how many."""
    return _calls[call][0].cut(chunk_size)


def map_reduce(call: str) -> int:
    """Bring the results into the order of the input; how many."""
    return _calls[call][0].put_in_order()


def close(call: str) -> None:
    """Let the scheduler forget the call."""
    _calls[call][0].release()


def _step(function: Callable[..., Any]) -> Any:
    name = function.__name__
    return Task(
        function, name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False
    )


_calculate_best_chunk_size = _step(calculate_best_chunk_size)
_partition = _step(partition)
_map_reduce = _step(map_reduce)
_close = _step(close)
_distribute_items: Any = Flow(
    distribute_items,
    name="tsfresh-distributor",
    persist_result=False,
    on_crashed=[cancel_interrupted],
)
