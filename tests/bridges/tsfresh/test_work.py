"""What workers do: groups of chunks, names in errors, and checks before any work."""

from __future__ import annotations

import os
import pickle
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from distributed import Event, Queue

from tidemill.bridges.tsfresh import work
from tidemill.bridges.tsfresh.work import (
    MappedFunction,
    NamingFunction,
    Shipped,
    WorkerTest,
    distribute_group,
    name_of,
    results_of,
    versions_of_call,
)

from ...support.waiting import until
from .conftest import left_of


class Series(NamedTuple):
    """As tsfresh hands them to the function."""

    id: object
    kind: str
    data: list[float]


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (Series((3, "a"), "x", []), "the series with id=(3, 'a') and kind='x'"),
        (Series("\x1b[2J", "x", []), r"the series with id='\x1b[2J' and kind='x'"),
        (7, "the item 7"),
        ("y" * 300, "the item 'yy"),
    ],
)
def test_items_are_named_for_people(item, name):
    assert name_of(item).startswith(name)
    assert len(name_of(item)) < 150


def test_an_error_keeps_its_type_and_its_notes_travel():
    def fails(item, by):
        return [item / by]

    with pytest.raises(ZeroDivisionError) as raised:
        NamingFunction(fails)(1, by=0)
    first, remote = pickle.loads(pickle.dumps(raised.value)).__notes__  # noqa: S301
    assert first == "the function failed for the item 1; there:"
    assert "return [item / by]" in remote


@pytest.mark.parametrize("show", [True, False])
def test_warnings_are_shown_on_demand(show):
    def warns(chunk):
        warnings.warn("hm", UserWarning, stacklevel=1)
        return chunk

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert list(results_of(MappedFunction(warns, {}, show), [Shipped(1), Shipped(2)])) == [1, 2]
    assert len(caught) == (2 if show else 0)


@pytest.fixture
def given_out(on_threads):
    """Carries out a group, and gives the number of chunks that were; with the call's queue."""
    client, shipped = on_threads._opened().client, [Shipped([1, 2]), Shipped([3])]
    queue, live = Queue("of-the-test", client=client), Event("of-the-test", client=client)
    live.set()

    def carry_out(attempt, function=sum):
        work = Shipped(MappedFunction(function, {}, show_warnings=True))
        given = ([4, 9], attempt, queue.name, work, shipped)
        return client.submit(distribute_group, *given, pure=False).result(timeout=60)

    yield carry_out, queue, live
    live.clear()
    queue.close()
    until(lambda: not left_of(client, "of-the-test"), 10, "the queue to be gone")


def test_a_group_sends_each_result_and_does_nothing_the_second_time(given_out):
    carry_out, queue, _ = given_out
    Event("attempt-of-the-test", client=queue.client).set()
    assert [carry_out("attempt-of-the-test") for _ in range(2)] == [2, 0]
    come = [(number, pickle.loads(one)) for number, one in queue.get(batch=True)]  # noqa: S301
    assert come == [(4, 3), (9, 3)]


def test_a_group_of_a_call_that_is_over_does_not_begin(given_out):
    carry_out, queue, live = given_out
    attempt = Event("attempt-of-the-test", client=queue.client)
    attempt.set()
    live.clear()
    assert carry_out("attempt-of-the-test") == 0
    attempt.clear()
    assert queue.qsize() == 0


def test_a_group_whose_call_ends_goes_on_no_further(given_out, tmp_path):
    carry_out, queue, live = given_out
    Event("attempt-of-the-test", client=queue.client).set()

    def count(chunk):
        (tmp_path / f"{len(list(tmp_path.iterdir()))}").touch()
        while not (tmp_path / "go").exists():
            time.sleep(0.02)
        return chunk

    with ThreadPoolExecutor(1) as pool:
        group = pool.submit(carry_out, "attempt-of-the-test", count)
        until(lambda: list(tmp_path.iterdir()), 30, "the first chunk", group)
        live.clear()
        (tmp_path / "go").touch()
        assert group.result(timeout=60) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "go"]


def test_a_worker_of_other_versions_is_told_what_to_install():
    expected = {**versions_of_call(), "tsfresh": "0.0.1", "no-such-package": "1.0"}
    report = WorkerTest(expected, None, pid=0)()
    assert len(report["problems"]) == 2
    assert "install tsfresh==0.0.1 there" in report["problems"][0]
    assert "no-such-package is not installed" in report["problems"][1]
    assert not report["may_pass"]


def test_an_api_that_a_worker_does_not_reach_is_named():
    report = WorkerTest({}, "http://127.0.0.1:9/api", pid=0)()
    assert "set PREFECT_API_URL" in report["problems"][0]
    assert report["may_pass"]
    assert WorkerTest({}, "http://127.0.0.1:9/api", os.getpid())() == {
        "problems": [],
        "may_pass": True,
    }


def test_versions_are_those_of_what_calls_need():
    assert versions_of_call().keys() == set(work._PACKAGES)
