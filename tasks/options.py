"""Options that all tasks share."""

from __future__ import annotations

from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.states import State
from prefect.tasks import exponential_backoff

from tidemill.storage.faults import is_transient

__all__ = ["OPTIONS", "is_worth_a_retry"]


def is_worth_a_retry(_task: Any, _task_run: Any, state: State[Any]) -> bool:
    """Whether a failed task run met a fault that may pass; a bad input never does."""
    return isinstance(state.data, BaseException) and is_transient(state.data)


#: NO_CACHE: the default policy pickles and hashes every input even when nothing is persisted.
#: Delays are short, because they sleep inside the worker's slot.
OPTIONS: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_a_retry,
}
