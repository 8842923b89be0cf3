"""A deployed run whose server is killed in mid-run, and started again later."""

from __future__ import annotations

import pytest

from ..support import deployed as support
from ..support.inputs import make_input
from ..support.servers import Server
from ..support.sinks import records, state
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS_TO_END = 150.0


def published(sink):
    return (state(sink) / "records").exists() and records(sink)[-1]["state"] == "finished"


def test_a_deployed_run_outlasts_its_server(tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=3)
    probe.tell("all", "wait go")
    given = {**series.arguments, **probe.arguments, "sink": str(sink), "cluster": "threads:1"}
    server = Server.in_folder(tmp_path / "home")
    (tmp_path / "project").mkdir()
    with (
        support.used(server.url),
        server.running() as process,
        support.deployed(tmp_path / "project") as flows,
        support.process_worker(flows.pool, server.url) as worker,
    ):
        run = flows.start("extract", **given)
        until(lambda: len(probe.calls) == 1, 240, "a call of the probe", worker)
        process.kill()
        probe.release("go")
        until(lambda: published(sink), SECONDS_TO_END, "the matrix", worker)
        until(lambda: not support.descendants(worker), SECONDS_TO_END, "the process to end")
        assert not worker.done()
        with server.running():
            assert run.state.is_running()
            flows.start("extract", **given).completes()
            run.completes()  # unless it was started again meanwhile, as one without heartbeats
            assert [one.name for one in run.inner() if not one.state.is_final()] == []
    assert sum(probe.counts.values()) == 3
