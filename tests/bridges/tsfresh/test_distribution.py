"""Chunks on their way: few groups, data sent once, and an end of trying."""

from __future__ import annotations

import pytest

from tidemill.bridges.tsfresh import distribution
from tidemill.bridges.tsfresh.distribution import Distribution
from tidemill.errors import ClusterError


def test_groups_are_dealt_and_the_function_is_sent_once(on_threads, monkeypatch):
    groups, sent = [], []
    deal, ship = Distribution._groups, Distribution._scattered_work

    def dealt(self):
        groups.extend(deal(self))
        return groups

    def shipped(self):
        sent.append(ship(self).key)
        return self.work

    monkeypatch.setattr(Distribution, "_groups", dealt)
    monkeypatch.setattr(Distribution, "_scattered_work", shipped)
    assert on_threads.map_reduce(lambda item: [item], range(9), chunk_size=1) == list(range(9))
    assert groups == [[0, 4, 8], [1, 5], [2, 6], [3, 7]]
    assert len(sent) == 4
    assert len(set(sent)) == 1


def test_nothing_of_a_call_stays_on_the_scheduler(on_threads):
    client = on_threads._opened().client

    def names():
        return client.run_on_scheduler(
            lambda dask_scheduler: {
                *dask_scheduler.extensions["queues"].queues,
                *dask_scheduler.extensions["events"]._events,
            }
        )

    before = names()  # groups of a call that failed may have begun after its end
    assert on_threads.map_reduce(lambda item: [item], range(9), chunk_size=1) == list(range(9))
    assert names() <= before


def test_chunks_that_never_come_back_end_with_a_sentence(on_threads, monkeypatch):
    monkeypatch.setattr(distribution, "ROUNDS", 2)
    monkeypatch.setattr(Distribution, "_take_results", lambda _: None)
    with pytest.raises(ClusterError, match=r"2 chunks took the worker along 2 times.*the item 5"):
        on_threads.map_reduce(lambda item: [item], [5, 6], chunk_size=1)
