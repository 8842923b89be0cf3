"""The command `select`: from a table and labels to settings that a run takes."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import tidemill
from tidemill.cli.main import cli
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request

from ..support import programs


@pytest.fixture(scope="module")
def pumps(tmp_path_factory):
    """Series, their features as a table, and which pumps are worn."""
    rng = np.random.default_rng(2)
    folder = tmp_path_factory.mktemp("pumps")
    frame = pd.DataFrame({"pump": np.repeat(range(40), 30), "time": np.tile(range(30), 40)})
    frame["force"] = rng.normal(size=len(frame)) * (1 + frame["pump"] % 2)
    frame.to_parquet(folder / "in.parquet")
    wanted = {"column_id": "pump", "column_sort": "time", "settings": "minimal"}
    extract_here(make_request(folder / "in.parquet", folder / "matrix", **wanted))
    worn = pd.DataFrame({"pump": range(40), "worn": np.arange(40) % 2 == 1})
    worn.to_csv(folder / "worn.csv", index=False)
    return folder


@pytest.fixture
def run(pumps, tmp_path):
    def run(*more):
        matrix, target = str(pumps / "matrix"), str(pumps / "worn.csv")
        given = [matrix, "--target", target, "--column-target", "worn", "--output", str(tmp_path)]
        return CliRunner().invoke(cli, ["select", *given, *more])

    return run


def test_what_is_chosen_is_calculated_by_a_run_with_the_settings(run, pumps, tmp_path):
    done = run("--max-features", "3")
    assert done.exit_code == 0
    assert "Completed: 3 of 10 features chosen" in done.output
    settings = str(tmp_path / "chosen.yaml")
    wanted = {"column_id": "pump", "column_sort": "time", "settings": settings}
    extract_here(make_request(pumps / "in.parquet", tmp_path / "nightly", **wanted))
    whole, own = (tidemill.read_matrix(one) for one in (pumps / "matrix", tmp_path / "nightly"))
    assert own.shape == (40, 3)
    pd.testing.assert_frame_equal(own, whole[own.columns], check_exact=True)


def test_the_summary_as_json_names_the_files(run, tmp_path):
    summary = json.loads(run("--json", "--relevance-file", "all.csv").output)
    assert summary["relevance"] == str(tmp_path / "all.csv")
    assert summary["features"] == len(pd.read_csv(summary["relevance"])) == 10
    assert summary["constant"] == ["force__length"]


def test_mistakes_are_one_line_and_status_1(pumps):
    words = ["select", pumps / "none", "--target", pumps / "worn.csv", "--column-target", "worn"]
    with programs.program([sys.executable, "-m", "tidemill", *words]) as command:
        assert command.wait() == 1
        assert command.output.startswith("SinkError: nothing is published at")
        assert len(command.output.splitlines()) == 1
