"""Marks of begun tasks in the scheduler's metadata."""

from __future__ import annotations

import pytest
from distributed import Client

from tidemill.bridges.dask.in_hand import TABLE, in_hand


@pytest.fixture(scope="module")
def client():
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0",
        set_as_default=False,
    ) as client:  # fmt: skip
        yield client


def work():
    with in_hand() as was_begun:
        return was_begun


def test_a_task_is_begun_for_the_first_time_and_its_slot_is_freed(client):
    assert client.submit(work, key="first").result(30) is False
    assert set(client.get_metadata([TABLE]).values()) == {None}


def test_a_task_that_stands_in_another_slot_was_begun_before(client):
    client.set_metadata([TABLE, "tcp://10.0.0.2:1#1"], "second")
    assert client.submit(work, key="second").result(30) is True
    assert set(client.get_metadata([TABLE]).values()) == {None}
    assert client.submit(work, key="third").result(30) is False


def test_without_a_worker_nothing_is_marked():
    with in_hand() as was_begun:
        assert not was_begun
