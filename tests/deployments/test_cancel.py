"""Deployed runs that a person cancels or starts again, as Prefect's page does it."""

from __future__ import annotations

import pytest
from prefect.states import Cancelling, Scheduled

import tidemill

from ..support import deployed as support
from ..support.inputs import make_days, make_input
from ..support.sinks import (
    attempt_marks,
    committed_parts,
    is_given_back,
    lease,
    records,
    state,
    unfinished,
)
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DAYS = ["2026-11-17", "2026-11-18", "2026-11-19"]
CANCEL_SECONDS = 60.0


@pytest.fixture(scope="module")
def worker(flows, services_server):
    with support.process_worker(flows.pool, services_server) as worker:
        yield worker


def cancel(run, worker):
    """As the page's button does it."""
    run.propose(Cancelling())
    run.wait(lambda now: now.is_cancelled(), "cancelled", CANCEL_SECONDS)
    until(lambda: not support.descendants(worker), 30, "all processes of the run to end")
    assert {one.state.name for one in run.inner()} <= {"Cancelled", "Completed", "Failed"}


def start_again(run):
    """As the page's button *Retry* does it."""
    run.propose(Scheduled(name="AwaitingRetry", message="Retry from the UI"))
    run.completes()


def table(series, sink, probe, **more):
    """Arguments of the recurring flows."""
    return {
        **probe.arguments, "source": str(series.path), "sink": str(sink), "column_id": "id",
        "column_time": "time", "cluster": "threads:1", "retries": 0, "on_error": "raise",
        "part_bytes": series.part_bytes, **more,
    }  # fmt: skip


@pytest.mark.parametrize("cluster", ["none", "threads:2", "processes:1"])
def test_a_cancelled_run_stops_and_its_parts_are_used_again(
    cluster, flows, worker, tmp_path, sink, probe
):
    series = make_input(tmp_path, n_ids=60)
    probe.tell("all", "sleep 0.4")
    given = {**series.arguments, **probe.arguments, "sink": str(sink), "cluster": cluster}
    run = flows.start("extract", **given)
    until(lambda: committed_parts(sink) >= 3, 120, "three parts are there")
    cancel(run, worker)
    done, before = committed_parts(sink), probe.counts
    assert 3 <= done < 60
    assert attempt_marks(sink) == unfinished(sink) == []
    assert lease(sink)["released"]
    assert records(sink)[-1]["state"] == "cancelled"
    probe.forget("all")
    again = flows.start("extract", **given)
    again.completes()
    new = probe.counts - before
    assert sum(new.values()) == 60 - done
    assert list(tidemill.read_matrix(sink).index) == series.ids


def test_a_failed_run_that_is_started_again_calculates_what_is_missing(
    flows, worker, tmp_path, sink, probe
):
    series = make_input(tmp_path, n_ids=6)
    probe.tell(3, "wrong")
    run = flows.start(
        "extract", **series.arguments, **probe.arguments, sink=str(sink), cluster="threads:1"
    )
    run.wait(lambda now: now.is_failed(), "failed")
    done, before = committed_parts(sink), probe.counts
    assert before[3] == 1
    assert done >= 3
    probe.forget(3)
    start_again(run)
    assert sum((probe.counts - before).values()) == 6 - done
    assert list(tidemill.read_matrix(sink).index) == series.ids
    assert sorted(one.state.name for one in run.inner()) == ["Completed", "Failed"]


def test_intervals_of_a_run_that_is_started_again(flows, worker, tmp_path, sink, probe):
    """The first interval is there; the second fails, and is about the same when run again."""
    series = make_days(tmp_path, DAYS, n_ids=4)
    probe.tell(202, "wrong")
    given = table(series, sink, probe, interval_start=DAYS[2], lookback=1)
    run = flows.start("extract-interval", **given)
    run.wait(lambda now: now.is_failed(), "failed")
    before = probe.counts
    assert {one: before[one] for one in (100, 101, 102, 103, 202)} == dict.fromkeys(
        (100, 101, 102, 103, 202), 1
    )
    probe.forget(202)
    start_again(run)
    new = probe.counts - before
    assert set(new) <= {200, 201, 202, 203}
    assert set(new.values()) == {1}
    assert new[202] == 1
    assert len(tidemill.read_matrix(sink)) == 8


@pytest.mark.parametrize("cluster", ["none", "threads:1"])
def test_a_cancelled_recurring_run(cluster, flows, worker, tmp_path, sink, probe):
    series = make_days(tmp_path, DAYS, n_ids=4)
    probe.tell(102, "wait go")
    given = table(series, sink, probe, interval_start=DAYS[1], lookback=0, cluster=cluster)
    run = flows.start("extract-interval", **given)
    until(lambda: 102 in probe.counts, 120, "the series to be calculated")
    run.propose(Cancelling())
    until(lambda: is_given_back(sink, "20261118T000000Z"), 60, "the lease to be given back")
    probe.release("go")
    cancel(run, worker)
    assert attempt_marks(sink) == []
    done, before = committed_parts(sink), probe.counts
    probe.forget(102)
    start_again(run)
    assert sum((probe.counts - before).values()) == 4 - done
    assert len(tidemill.read_matrix(sink)) == 4


@pytest.mark.parametrize(("cluster", "concurrency"), [("none", 1), ("threads:1", 2)])
def test_a_cancelled_backfill_goes_on_where_it_stopped(
    cluster, concurrency, flows, worker, tmp_path, sink, probe
):
    series = make_days(tmp_path, DAYS, n_ids=4)
    slow = [*range(100, 104), *range(200, 204)]
    for one in slow:
        probe.tell(one, "sleep 3")
    span = {"start": DAYS[0], "end": "2026-11-20", "concurrency": concurrency}
    given = table(series, sink, probe, cluster=cluster, **span)
    run = flows.start("backfill", **given)
    until((state(sink) / "intervals" / "20261117T000000Z.json").exists, 120, "one interval")
    cancel(run, worker)
    before = probe.counts
    assert sum(before.values()) < 12
    for one in slow:
        probe.forget(one)
    again = flows.start("backfill", **given)
    again.completes()
    new = probe.counts - before
    assert not set(new) & {0, 1, 2, 3}  # what was published is skipped
    assert set(new.values()) == {1}
    assert len(tidemill.read_matrix(sink)) == 12
