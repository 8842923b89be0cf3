"""The embedded server of a killed flow ends with it."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from ..support import programs
from ..support.inputs import make_input
from ..support.waiting import until

SCRIPT = """
import os, sys
from tidemill.calculators import calculator
from tidemill.flows.extract import extract

if __name__ == "__main__":
    source, sink, settings = sys.argv[1:]
    extract(source, sink, column_id="id", column_sort="time", cluster="none", settings=settings,
            modules=["probing_calculators"])
"""


@pytest.mark.slow
def test_a_killed_script_leaves_no_server(tmp_path, sink, probe):
    series = make_input(tmp_path, n_ids=2)
    probe.tell("all", "sleep 600")
    settings = probe.options[0].partition("=")[2]
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(series.path), str(sink), settings]
    with programs.program(command, {"PREFECT_API_URL": ""}) as running:
        probe.wait_for_calls(1, running)
        servers = programs.session_members(running.pid)
        assert any("create_app" in " ".join(one.cmdline()) for one in servers)
        os.kill(running.pid, signal.SIGKILL)
        until(lambda: not programs.session_members(running.pid), 30, "the server to end")
