"""Questions to a scheduler have limits."""

from __future__ import annotations

import threading

import pytest
from distributed import Client

from tidemill.errors import ClusterError
from tidemill.orchestration.scheduler_calls import address_of, ask, quietly, within, workers_of


def test_what_does_not_return_is_abandoned():
    never = threading.Event()
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        within(0.2, never.wait)
    quietly(0.2, never.wait)
    never.set()


def test_errors_come_through_unless_nothing_depends_on_it():
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 / 0)
    quietly(5.0, lambda: 1 / 0)


def test_a_client_that_has_no_scheduler_any_more_says_so():
    with Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0"
    ) as client:
        (worker,) = workers_of(client).values()
        assert worker["nthreads"] == 2
        assert address_of(client) == client.scheduler.address
    with pytest.raises(ClusterError, match=r"the scheduler at .* was lost; start it"):
        ask(client, lambda scheduler: scheduler.identity())


def test_a_question_that_fails_is_an_error_of_the_connection():
    async def refuse(_):
        raise RuntimeError("ConnectionPool is closed")

    with (
        Client(processes=False, n_workers=0, dashboard_address="127.0.0.1:0") as client,
        pytest.raises(ConnectionError, match="ConnectionPool is closed"),
    ):
        ask(client, refuse)
