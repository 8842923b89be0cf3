"""Ctrl-C on the command."""

from __future__ import annotations

import pytest

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
        ("processes:1", {}),
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
