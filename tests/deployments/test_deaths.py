"""Runs whose process or host died: found, started again once, and finished."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from time import sleep

import pytest
from prefect.states import Scheduled

import tidemill
from tidemill.orchestration.deploy.automations import (
    HEARTBEAT,
    LEAST_SECONDS,
    MISSED,
    SETTLE_SECONDS,
)

from ..support import deployed as support
from ..support.inputs import make_days, make_input
from ..support.sinks import committed_parts
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FOUND_SECONDS = MISSED * LEAST_SECONDS + SETTLE_SECONDS + 60.0
DAYS = ["2026-11-18", "2026-11-19"]


def wait_for_call(probe, series, calls=1):
    until(lambda: probe.counts[series] == calls, 120, f"{calls} calls for series {series}")


def live_inner_runs(run):
    return [one.name for one in run.inner() if not one.state.is_final()]


def test_a_killed_flow_process_is_started_again_about_the_same_interval(
    flows, services_server, tmp_path, sink, probe
):
    series = make_days(tmp_path, DAYS, n_ids=4)
    given = {
        **probe.arguments, "source": str(series.path), "sink": str(sink), "column_id": "id",
        "column_time": "time", "lookback": 0, "cluster": "threads:1", "retries": 0,
        "part_bytes": series.part_bytes,
    }  # fmt: skip
    probe.tell(2, "wait go")
    at = Scheduled(scheduled_time=datetime(2026, 11, 19, 0, 5, tzinfo=UTC))
    with support.process_worker(flows.pool, services_server) as worker:
        run = flows.start("extract-interval", at, **given)
        wait_for_call(probe, 2)
        done = committed_parts(sink)
        support.end_descendants(worker)
        probe.forget(2)
        run.completes()
    assert run.attempts() == 2
    assert run.states().count("Crashed") == 1
    assert run.read().name == "matrix-2026-11-18"
    assert list(tidemill.read_matrix(sink, "20261118T000000Z").index) == series.ids
    assert done >= 1
    assert sum(probe.counts.values()) <= 4 + (4 - done)  # what was committed is not called again
    assert live_inner_runs(run) == []


def test_a_second_death_is_not_followed_by_a_third_attempt(
    flows, services_server, tmp_path, sink, probe
):
    series = make_input(tmp_path, n_ids=3)
    probe.tell("all", "wait go")
    given = {**series.arguments, **probe.arguments, "sink": str(sink), "cluster": "threads:1"}
    with support.process_worker(flows.pool, services_server) as worker:
        run = flows.start("extract", **given)
        for attempt in (1, 2):
            until(lambda n=attempt: len(probe.processes) == n, 120, f"process {attempt}")
            support.end_descendants(worker)
        run.wait(lambda state: state.is_crashed(), "crashed")
        sleep(SETTLE_SECONDS + 15)  # by now a third would have been scheduled
        assert run.state.is_crashed()
        assert run.attempts() == 2
        (left,) = live_inner_runs(run)
        assert left
        probe.forget("all")
        flows.start("extract", **given).completes()
        assert live_inner_runs(run) == []  # the next run ended it


def test_a_worker_that_was_killed_with_its_flow_is_missed(
    flows, services_server, tmp_path, sink, probe
):
    series = make_input(tmp_path, n_ids=3)
    probe.tell(1, "wait go")
    given = {**series.arguments, **probe.arguments, "sink": str(sink), "cluster": "threads:1"}
    with support.process_worker(flows.pool, services_server) as worker:
        run = flows.start("extract", **given)
        wait_for_call(probe, 1)
        worker.process.send_signal(signal.SIGSTOP)  # it cannot tell of the deaths
        support.end_descendants(worker)
        worker.kill()
        assert run.state.is_running()
    probe.forget(1)
    run.wait(lambda state: state.name == "AwaitingRetry", "scheduled again", FOUND_SECONDS)
    with support.process_worker(flows.pool, services_server):
        run.completes()
    assert run.attempts() == 2
    assert probe.counts[0] == 1
    assert list(tidemill.read_matrix(sink).index) == series.ids
    assert live_inner_runs(run) == []


def test_the_deployments_have_the_heartbeat(flows):
    for one in flows.client.read_deployments():
        assert one.job_variables["env"] == {HEARTBEAT: str(LEAST_SECONDS)}
