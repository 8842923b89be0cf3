"""Ctrl-C on the command."""

from __future__ import annotations

import os
import signal

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Cancelling

from ..support import programs
from ..support.api import runs_into
from ..support.inputs import make_input
from ..support.sinks import attempt_marks, committed_parts, lease, records, unfinished
from ..support.waiting import until

SECONDS_TO_STOP = 30.0


@pytest.mark.leaves_nothing
@pytest.mark.usefixtures("server_environment")
@pytest.mark.parametrize(
    ("cluster", "environment"),
    [
        ("none", {}),
        ("threads:2", {}),
        pytest.param("processes:1", {}, marks=pytest.mark.slow),
        pytest.param("threads:2", {"PREFECT_API_URL": ""}, marks=pytest.mark.slow),
    ],
    ids=["none", "threads", "processes", "embedded-server"],
)
def test_ctrl_c_stops_soon_and_keeps_what_is_committed(cluster, environment, tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=200)
    probe.tell("all", "sleep 0.3")
    options = [*series.options, *probe.options, f"--cluster={cluster}"]
    with programs.extraction(series.path, sink, *options, environment=environment) as command:
        until(lambda: committed_parts(sink) >= 3, 120, "three parts are there", command)
        command.interrupt()
        assert command.wait(SECONDS_TO_STOP) == 130, command.output
        until(lambda: not programs.session_members(command.pid), 10, "all its processes to end")
        assert "stopped" in command.output
        if not cluster.startswith("processes"):  # Dask's worker processes print what they like
            assert "Traceback" not in command.output
    assert lease(sink)["released"]
    assert 3 <= committed_parts(sink) < 200
    assert attempt_marks(sink) == unfinished(sink) == []
    assert records(sink)[-1]["state"] == "cancelled"
    if cluster != "none" and not environment:  # it was a flow run, on a server that is still there
        assert {run.state.name for run in runs_into(sink).runs} == {"Cancelled"}


@pytest.mark.slow
@pytest.mark.usefixtures("server_environment")
def test_a_signal_that_comes_before_the_word_of_a_cancellation(tmp_path, sink, probe):
    """A worker sends both; nobody says the word here."""
    series = make_input(tmp_path, n_ids=200)
    probe.tell("all", "sleep 0.3")
    options = [*series.options, *probe.options, "--cluster=threads:2"]
    with programs.extraction(series.path, sink, *options) as command:
        until(lambda: committed_parts(sink) >= 3, 120, "three parts are there", command)
        outer = runs_into(sink).runs[0]
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(outer.id, Cancelling(), force=True)
        os.killpg(command.pid, signal.SIGTERM)
        command.wait(SECONDS_TO_STOP)
    assert {run.state.name for run in runs_into(sink).runs} == {"Cancelled"}
    assert lease(sink)["released"]
