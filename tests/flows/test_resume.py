"""A killed flow, and the one that goes on from there."""

from __future__ import annotations

import sys

import pytest

import tidemill
from tidemill.flows.extract import extract

from ..support import programs
from ..support.inputs import make_input
from ..support.probes import FOLDER
from ..support.sinks import assert_nothing_left, committed_parts, records
from ..support.waiting import until

pytestmark = pytest.mark.usefixtures("server_environment")


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=8)


def arguments(series, probe, sink, cluster):
    return [series.path, sink, *series.options, *probe.options, f"--cluster={cluster}"]


def assert_complete(series, sink, calculated):
    matrix = tidemill.read_matrix(str(sink))
    means = series.frame.groupby("id")["value"].mean()
    assert list(matrix.index) == series.ids
    assert matrix["value__mean"].to_numpy() == pytest.approx(means.to_numpy(), rel=1e-12)
    parts = records(sink)[-1]["parts"]
    assert parts == {
        "total": 8, "calculated": calculated, "reused": 8 - calculated, "quarantined": 0
    }  # fmt: skip
    assert_nothing_left(sink)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("threads:1", "processes:1", marks=pytest.mark.slow),
        ("none", "threads:2"),
    ],
)
def test_only_missing_parts_are_calculated_on_another_cluster(first, second, series, probe, sink):
    probe.tell(5, "wait go")
    with programs.extraction(*arguments(series, probe, sink, first)) as flow:
        until(
            lambda: 5 in probe.counts and committed_parts(sink) >= 3,
            120,
            "three parts are there",
            flow,
        )
        flow.kill()
    probe.forget(5)
    done, before = committed_parts(sink), probe.counts
    summary = extract(**series.arguments, **probe.arguments, sink=str(sink), cluster=second)
    assert_complete(series, sink, 8 - done)
    assert summary["parts"]["reused"] == done
    new = probe.counts - before
    assert sum(new.values()) == 8 - done, new
    assert set(new.values()) == {1}


def test_a_finished_result_is_not_calculated_again(series, probe, sink):
    for cluster in ("none", "threads:1"):
        extract(**series.arguments, **probe.arguments, sink=str(sink), cluster=cluster)
    assert set(probe.counts.values()) == {1}
    assert_complete(series, sink, 0)
    assert len(records(sink)) == 2


@pytest.mark.slow
def test_a_new_flow_takes_over_while_the_old_chunks_still_run(scheduler, series, probe, sink):
    """The flow dies, its workers do not: their chunks stop, and the result is right."""
    probe.tell(4, "wait go")
    with programs.worker(scheduler, threads=2) as worker:
        with programs.extraction(*arguments(series, probe, sink, scheduler)) as flow:
            until(lambda: 4 in probe.counts, 120, "the chunk to be orphaned", flow)
            flow.kill()
        probe.forget(4)
        summary = extract(
            **series.arguments, **probe.arguments, sink=str(sink), cluster="threads:1"
        )
        assert_complete(series, sink, summary["parts"]["calculated"])
        assert probe.counts[4] == 2
        probe.release("go")
        worker.says(r"LeaseLostError\b.*no longer owns .*(released|taken over)", 60)
    assert_complete(series, sink, summary["parts"]["calculated"])


@pytest.mark.slow
def test_orphans_stop_when_nobody_renews_the_lease(scheduler, series, probe, sink):
    """No new flow comes, the lease goes stale: the chunk stops after the part in hand."""
    probe.tell("all", "sleep 4")
    script = [sys.executable, FOLDER / "impatient.py", "extract"]
    with programs.worker(scheduler, threads=1) as worker:
        with programs.program([*script, *arguments(series, probe, sink, scheduler)]) as flow:
            until(lambda: committed_parts(sink) >= 1, 120, "one part is there", flow)
            flow.kill()
        worker.says(r"LeaseLostError\b.*no longer renews it", 60)
        stopped = len(probe.calls)
    assert committed_parts(sink) < stopped <= 3
