"""The child speaks JSON lines, first the ranges and then the result or an error."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

from ..support.inputs import make_input, write_input
from ..support.jobs import opened

COMMAND = [sys.executable, "-P", "-m", "tidemill.execution.isolated_child"]


def talk(run, name, *, part=0, skip=None):
    """What the child says, line by line, and its exit code."""
    selection = {"skip": skip or {}, "solo": []}
    request = {"run": asdict(run), "part": part, "name": name, "selection": selection}
    with subprocess.Popen(
        COMMAND, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True
    ) as one:
        one.stdin.write(json.dumps(request) + "\n")
        one.stdin.flush()
        return [json.loads(line) for line in one.stdout], one.wait()


def test_ranges_are_announced_before_the_result(tmp_path):
    series = make_input(tmp_path, n_ids=4, ids_per_part=4)
    with opened(series, tmp_path / "matrix") as job:
        said, code = talk(job.run, job.run.key.part(0), skip={1: "it died"})
    assert code == 0
    done = {"done": True}
    assert said[1:-1:2] == [done, done]
    first, second = said[:-1:2]
    assert (first["range"], second["range"]) == ([0, 1], [2, 4])
    assert 0 < first["seconds"] < second["seconds"] < 1
    result = said[-1]["result"]
    assert (result["rows"], result["lower"], result["upper"]) == (3, 0, 3)
    assert [(one["id"], one["reason"]) for one in result["quarantined"]] == [("1", "it died")]


def test_an_error_is_reported_with_its_class_and_whether_it_is_transient(tmp_path):
    series = make_input(tmp_path, n_ids=2, ids_per_part=2)
    frame = series.frame.copy()
    frame.loc[5, "value"] = float("inf")
    bad = write_input(series.path, frame, 2, series.length)
    with opened(bad, tmp_path / "matrix") as job:
        said, code = talk(job.run, job.run.key.part(0))
    assert (code, said[-1]["error"], said[-1]["transient"]) == (0, "DataError", False)
    assert "value" in said[-1]["message"]


def test_without_a_request_it_says_nothing():
    ended = subprocess.run(COMMAND, input="", capture_output=True, text=True, check=False)
    assert (ended.returncode != 0, ended.stdout) == (True, "")
