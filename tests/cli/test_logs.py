"""The log of the command: as lines of JSON, each whole, with the error last."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tidemill.cli.logs import JsonLines, is_json, show_logs, shown_logs

from ..support.inputs import make_input

PROGRAM = [sys.executable, "-m", "tidemill"]


def extract(series, sink: Path, *more: str, **environment):
    words = ["extract", str(series.path), str(sink), "--column-id=id", "--column-sort=time"]
    return subprocess.run(
        [*PROGRAM, *words, "--settings=minimal", *more],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **environment,
    )


@pytest.mark.parametrize("cluster", ["none", "threads:1"])
def test_all_that_is_said_is_json(cluster, tmp_path, server_environment):
    series = make_input(tmp_path, n_ids=4)
    ran = extract(series, tmp_path / "out", "--log-format=json", f"--cluster={cluster}", "--json")
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert ran.returncode == 0
    assert any(one["message"].startswith("published 4 rows") for one in lines)
    assert {"time", "level", "logger", "message"} <= set.intersection(*map(set, lines))
    runs = [one for one in lines if one["logger"].startswith("prefect.flow_runs")]
    assert bool(runs) == (cluster != "none")
    assert all("flow_run" in one for one in runs)
    assert json.loads(ran.stdout)["rows"] == 4


def test_an_error_is_the_last_line(tmp_path):
    series = make_input(tmp_path, n_ids=4)
    out = tmp_path / "out"
    ran = extract(series, out, "--log-format=json", "--cluster=none", "--part-bytes=0")
    assert ran.returncode == 1
    last = json.loads(ran.stderr.splitlines()[-1])
    assert (last["level"], last["logger"]) == ("ERROR", "tidemill.cli")
    assert "--part-bytes=0 is not allowed" in last["message"]


def test_verbose_shows_the_engines_log_without_prefect_too(tmp_path):
    series = make_input(tmp_path, n_ids=4)
    ran = extract(series, tmp_path / "out", "--verbose", "--cluster=none")
    assert "INFO    | tidemill.execution.reduce - published 4 rows" in ran.stderr


def test_tracebacks_stay_in_their_line():
    record = logging.makeLogRecord({"levelname": "ERROR", "msg": "broken"})
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        record.exc_info = sys.exc_info()
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "ZeroDivisionError" in json.loads(line)["traceback"]


def test_a_configuration_does_not_change_the_form_of_lines():
    handler = JsonLines(stream=sys.stdout, styles={})
    handler.setFormatter(logging.Formatter("%(message)s"))
    assert json.loads(handler.format(logging.makeLogRecord({"msg": "x"})))["message"] == "x"


def test_what_was_set_up_is_taken_away(monkeypatch):
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS", "logging.NullHandler")
    engine = logging.getLogger("tidemill")
    before = engine.level, engine.propagate, engine.handlers[:]
    with shown_logs():
        show_logs(log_format="json")
        assert is_json()
    assert not is_json()
    assert (engine.level, engine.propagate, engine.handlers) == before
