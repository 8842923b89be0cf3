"""Options that all tasks share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run
from prefect.states import State
from prefect.tasks import Task, exponential_backoff

from tidemill.errors import CalculationError, printable
from tidemill.storage.outages import is_silence
from tidemill.storage.transient import is_transient

__all__ = ["as_task", "is_worth_a_retry"]

P = ParamSpec("P")
R = TypeVar("R")


def is_worth_a_retry(_task: Any, task_run: Any, state: State[Any]) -> bool:
    """Whether a failed task run met a fault that may pass; a bad input never does.

    A request that a storage does not answer takes half a minute, so it is tried again once only:
    whoever waits for the run shall hear of it. The flow may have retries of its own.
    """
    error = state.data
    if isinstance(error, CalculationError) and error.__cause__ is not None:
        error = error.__cause__  # what a custom calculator raised, such as a lost connection
    if is_silence(error) and task_run.run_count > 1:
        return False
    return isinstance(error, BaseException) and is_transient(error)


def _run_name(name: str) -> str:
    """Such as ``reduce-2026-11-20``, or ``chunk-from-part-3``."""
    given = task_run.parameters
    label = given["run"]["interval_label"]
    return "-".join(filter(None, [name.format(**given), printable(label)]))


def as_task(function: Callable[P, R], name: str, of: str = "") -> Task[P, R]:
    """``function`` as a task under ``name``, with the options that all tasks share.

    Its runs are named after the task, ``of``, and the interval, of which a backfill has many.

    The default cache policy pickles and hashes every input even when nothing is persisted, so
    there is none. Delays are short, because they sleep inside the worker's slot.
    """
    return Task(
        function,
        name=name,
        task_run_name=partial(_run_name, of or name),
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=3,
        retry_delay_seconds=exponential_backoff(backoff_factor=1),
        retry_jitter_factor=0.5,
        retry_condition_fn=is_worth_a_retry,
    )
