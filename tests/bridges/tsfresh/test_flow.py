"""The flow of a call: small parameters, and nothing that is pickled by value."""

from __future__ import annotations

import pickle

import pytest
from prefect import flow as prefect_flow

from tidemill.bridges.tsfresh import flow


def test_flow_and_tasks_travel_by_reference():
    """Else Prefect would pickle the calls, with all their data, into each task run."""
    size = len(pickle.dumps(flow._distribute_items.fn))
    assert size < 200
    assert flow._distribute_items.fn is flow.distribute_items


def test_a_call_is_forgotten_with_its_end(on_threads):
    def fails(item):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        on_threads.map_reduce(fails, [1])
    assert flow._calls == {}


def test_the_flow_gets_the_name_of_the_call_only(on_threads, monkeypatch):
    given = []

    def spy(call):
        given.append(call)

    monkeypatch.setattr(flow, "_distribute_items", prefect_flow(spy))
    on_threads.map_reduce(str, ["x" * 1000])
    assert [len(one) for one in given] == [32]
