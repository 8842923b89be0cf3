"""Workers that are killed, and series that kill them."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

import tidemill
from tidemill.flows.extract import extract

from ..support import programs
from ..support.api import named_run
from ..support.inputs import make_input
from ..support.sinks import assert_nothing_left, records
from ..support.waiting import until

pytestmark = pytest.mark.usefixtures("server_environment")


def assert_complete(sink, ids):
    assert list(tidemill.read_matrix(str(sink)).index) == list(ids)


@pytest.mark.parametrize("kind", ["processes", pytest.param("scheduler", marks=pytest.mark.slow)])
def test_a_killed_worker_costs_only_the_part_in_hand(kind, request, tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=8)
    probe.tell(5, "wait go")
    with ThreadPoolExecutor(1) as pool, _cluster(kind, request) as cluster:
        run = pool.submit(
            named_run, extract, **series.arguments, **probe.arguments, sink=str(sink),
            cluster=cluster,
        )  # fmt: skip
        until(lambda: 5 in probe.counts, 90, "series 5 begins", run)
        probe.forget(5)
        victim = next(pid for pid, one in probe.calls if one == 5)
        assert victim != os.getpid()
        os.kill(victim, signal.SIGKILL)
        runs, summary = run.result(120)
    assert_complete(sink, series.ids)
    again = {one: n - 1 for one, n in probe.counts.items() if n > 1}
    assert again.pop(5) == 1
    assert sum(again.values()) <= 1, again  # of the other worker, if it was the one in hand
    assert not summary["quarantined"]
    # A worker tells Prefect of its task run a little after it began: of the one that was killed
    # the server may never have heard.
    assert summary["task_runs"] - len(runs.task_runs()) in {0, 1}
    assert_nothing_left(sink)


@contextmanager
def _cluster(kind, request):
    """Two worker processes of our own, or one that was started by hand."""
    if kind == "processes":
        yield "processes:2"
        return
    address = request.getfixturevalue("scheduler")
    with programs.worker(address, threads=1):
        yield address


@pytest.mark.slow
def test_poison_ends_alone_in_quarantine(scheduler, tmp_path, sink, probe):
    """Three threads of one worker: the poison takes two innocents down with it, once."""
    series = make_input(tmp_path, n_ids=9)
    probe.tell(4, "wait go; kill")
    innocents = [0, 1, 2, 3, 5, 6, 7, 8]
    for one in (5, 6, 7, 8):  # whoever of them is met first is in flight when the poison kills
        probe.tell(one, "wait go; sleep 1")
    with ThreadPoolExecutor(1) as pool, programs.worker(scheduler, threads=3) as worker:
        run = pool.submit(
            named_run, extract, **series.arguments, **probe.arguments, sink=str(sink),
            cluster=scheduler,
        )  # fmt: skip
        in_flight = until(lambda: _in_flight(probe), 90, "the poison meets two innocents", run)
        probe.release("go")
        runs, summary = run.result(180)
        output = worker.output
    assert_complete(sink, innocents)
    (poison,) = summary["quarantined"]
    assert poison["id"] == "4"
    assert "died of signal 9" in poison["reason"]
    assert records(sink)[-1]["quarantined"] == [poison]
    assert output.count("was killed by signal 9") == 1
    # On the worker, and in one child: its part holds no other series. The poison in three, as
    # somebody else may have sent the signal.
    expected = dict.fromkeys(innocents, 1) | dict.fromkeys(in_flight, 2) | {4: 4}
    assert probe.counts == expected
    assert len(runs.task_runs()) == summary["task_runs"]
    chunks = [run.name for run in runs.task_runs() if run.name.startswith("chunk")]
    assert len(set(chunks)) == len(chunks)
    assert_nothing_left(sink)


def _in_flight(probe):
    """The poison and its two companions, when all three have begun."""
    waiting = set(probe.counts) - {0, 1, 2, 3}
    return waiting if len(waiting) == 3 and 4 in waiting else None


@pytest.mark.slow
def test_poison_on_threads_costs_the_process_once(tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=6)
    probe.tell(3, "kill")
    arguments = [series.path, sink, *series.options, *probe.options, "--cluster=threads:2"]
    with programs.extraction(*arguments) as first:
        assert first.wait() == -signal.SIGKILL
    done = set(probe.counts) - {3}
    with programs.extraction(*arguments) as second:
        second.finishes()
    assert_complete(sink, [0, 1, 2, 4, 5])
    (poison,) = records(sink)[-1]["quarantined"]
    assert (poison["id"], probe.counts[3]) == ("3", 1 + 3)
    assert all(probe.counts[one] <= 2 for one in done), probe.counts
    assert_nothing_left(sink)
