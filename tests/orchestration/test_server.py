"""Prefect's server as a run sees it: its address, its start, and the engine's lines in its log."""

from __future__ import annotations

import logging
import signal
import socket
import time

import httpx
import pytest
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    temporary_settings,
)

from tidemill.errors import ServerError
from tidemill.flows.extract import extract
from tidemill.orchestration import server

from ..support import programs
from ..support.inputs import make_input


def test_the_address_is_that_of_the_server(prefect_server):
    assert server.api_url() == prefect_server.rstrip("/")


def test_a_server_that_runs_is_not_started_again(prefect_server):
    server.start_server()
    assert httpx.get(f"{prefect_server}/health", timeout=30).json() is True
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_configured_server_that_does_not_answer_is_named():
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(ServerError, match=r"http://127\.0\.0\.1:9/api"),
    ):
        server.start_server()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.slow
def test_a_server_that_takes_connections_and_never_answers_is_named(monkeypatch):
    monkeypatch.setattr(server, "START_SECONDS", 1.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}/api"
        began = time.monotonic()
        with (
            temporary_settings({PREFECT_API_URL: f"http://me:secret@{address}"}),
            pytest.raises(ServerError, match=f"=http://{address} cannot be reached"),
        ):
            extract("in.parquet", "matrix", column_id="id")
        assert time.monotonic() - began < 60, "Prefect's client alone takes seven minutes"


@pytest.mark.parametrize("fault", ["full", "a file is in its place"])
def test_an_embedded_server_without_room_is_refused_at_once(fault, tmp_path):
    home = tmp_path / "home"
    if fault != "full":
        home.touch()
    series = make_input(tmp_path, n_ids=2)
    environment = {"PREFECT_HOME": str(home), "PREFECT_API_URL": ""}
    options = [*series.options, "--settings=minimal"]
    limit = ["prlimit", "--fsize=2097152"] if fault == "full" else []
    command = [*limit, programs.BIN / "tidemill", "extract", series.path, tmp_path / "m", *options]
    with programs.program(command, environment) as run:
        assert run.wait(60) == 1
        assert f"Prefect's embedded server cannot start ({home}: " in run.output
        assert "Traceback" not in run.output


def test_the_engine_gets_one_handler_however_often_it_is_asked_for():
    engine = logging.getLogger("tidemill")
    for _ in range(3):
        with server.engine_logs():
            pass
    handlers = [one for one in engine.handlers if isinstance(one, server._EngineLogHandler)]
    assert len(handlers) == 1
    assert engine.isEnabledFor(logging.INFO)


def test_a_line_outside_of_a_run_is_dropped_without_an_error(caplog):
    with server.engine_logs():
        logging.getLogger("tidemill.somewhere").info("nobody's line")
    assert "nobody's line" in caplog.text


@pytest.mark.parametrize(("asked", "reports"), [(None, False), ("true", True)])
def test_a_server_reports_to_nobody_unless_it_is_asked_to(asked, reports, monkeypatch):
    setting = PREFECT_SERVER_ANALYTICS_ENABLED
    monkeypatch.delenv(setting.name)
    if asked:
        monkeypatch.setenv(setting.name, asked)
    with temporary_settings({setting: True}), server._without_telemetry():
        assert setting.value() is reports
