"""What all tasks share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed

from tidemill import tasks
from tidemill.errors import CalculationError, ClusterError, DataError, LeaseLostError
from tidemill.tasks.options import is_worth_a_retry

TASKS = [getattr(tasks, name) for name in tasks.__all__]


def raised(error, cause=None):
    error.__cause__ = cause
    return Failed(data=error)


@pytest.mark.parametrize(
    ("state", "worth"),
    [
        (raised(ConnectionResetError("by peer")), True),
        (raised(TimeoutError()), True),
        (raised(OSError(116, "Stale file handle")), True),
        (raised(CalculationError("f failed"), ConnectionError("gone")), True),
        (raised(CalculationError("f failed"), ValueError("wrong")), False),
        (raised(CalculationError("f failed")), False),
        (raised(DataError("NaN")), False),
        (raised(DataError("NaN"), ConnectionError("gone")), False),
        (raised(LeaseLostError("taken over")), False),
        (raised(ClusterError("no worker")), False),
        (raised(FileNotFoundError("part")), False),
        (Failed(data=None), False),
    ],
)
def test_only_faults_that_may_pass_are_worth_a_retry(state, worth):
    assert is_worth_a_retry(None, None, state) is worth


@pytest.mark.parametrize(("attempt", "worth"), [(1, True), (2, False)])
def test_a_storage_that_does_not_answer_is_asked_once_more(attempt, worth):
    state = raised(ConnectionError("the storage gave no good answer for s3://b/k: timed out"))
    assert is_worth_a_retry(None, SimpleNamespace(run_count=attempt), state) is worth


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_tasks_retry_but_neither_cache_nor_persist(task):
    assert task.name in tasks.__all__
    assert task.retries == 3
    assert task.retry_condition_fn is is_worth_a_retry
    assert task.persist_result is False
    assert task.cache_policy is NO_CACHE


def test_delays_grow():
    assert tasks.reduce.retry_delay_seconds == [1, 2, 4]
