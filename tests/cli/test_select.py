"""The command `select`: from a table and labels to settings that a run takes."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import tidemill
from tidemill.cli.main import cli
from tidemill.execution.in_process import extract_here
from tidemill.planning.request import make_request
from tidemill.reports.charts import drawn_figures

from ..support import programs
from ..support.worn_pumps import worn, write_table


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


@pytest.fixture
def stored(pumps, s3):
    """The same in an object store; how to write there, and how to run the command there."""
    url, options, client = s3
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    given = [f"--storage-option={name}={variable}" for name, variable in options.items()]

    def write(name, data):
        client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=data)

    def read(place):
        key = place.removeprefix(f"s3://{bucket}/")
        return client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def run(matrix, target, *more):
        words = [f"{url}/{matrix}", f"--target={target}", "--column-target=worn", "--json"]
        return CliRunner().invoke(cli, ["select", *words, *given, *more])

    for path in (pumps / "matrix").rglob("*"):
        if path.is_file():
            write(f"table/{path.relative_to(pumps / 'matrix')}", path.read_bytes())
    write("worn.csv", (pumps / "worn.csv").read_bytes())
    return SimpleNamespace(url=url, write=write, read=read, run=run, options=options)


def test_table_target_and_results_may_lie_in_an_object_store(stored, pumps, tmp_path):
    here = [str(pumps / "matrix"), "--target", str(pumps / "worn.csv"), "--column-target", "worn"]
    CliRunner().invoke(cli, ["select", *here, "--output", str(tmp_path)])
    frame = pd.read_csv(pumps / "worn.csv")
    stored.write("worn.parquet", frame.to_parquet(index=False))
    for target in ("worn.csv", "worn.parquet"):
        done = stored.run("table", f"{stored.url}/{target}", "--max-bytes=4000")
        assert done.exit_code == 0, done.output
        summary = json.loads(done.stdout)
        folder = f"{stored.url}/table_selection"
        names = [summary[name] for name in ("relevance", "settings", "picture")]
        files = ("relevance.parquet", "chosen.yaml", "p_values.png")
        assert names == [f"{folder}/{file}" for file in files]
        assert stored.read(names[1]) == (tmp_path / "chosen.yaml").read_bytes()
        pd.testing.assert_frame_equal(
            pd.read_parquet(io.BytesIO(stored.read(names[0]))),
            pd.read_parquet(tmp_path / "relevance.parquet"),
            check_exact=True,
        )


def test_a_file_in_an_object_store_and_places_of_both_kinds(stored, pumps, tmp_path):
    """A matrix of one file there, the target here; results there, or here."""
    matrix = tidemill.read_matrix(pumps / "matrix")
    single = tmp_path / "matrix.parquet"
    wanted = {"column_id": "pump", "column_sort": "time", "settings": "minimal"}
    extract_here(make_request(pumps / "in.parquet", single, **wanted))
    stored.write("matrix.parquet", single.read_bytes())
    done = stored.run("matrix.parquet", pumps / "worn.csv", "--relevance-file=all.csv")
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["relevance"] == f"{stored.url}/matrix_selection/all.csv"
    assert summary["features"] == matrix.shape[1]
    done = stored.run("matrix.parquet", pumps / "worn.csv", "--output", tmp_path / "here")
    assert json.loads(done.stdout)["chosen"] == summary["chosen"]
    assert Path(json.loads(done.stdout)["settings"]).parent == tmp_path / "here"
    done = stored.run("matrix.parquet", pumps / "worn.csv", f"--output={stored.url}/there")
    assert json.loads(done.stdout)["settings"] == f"{stored.url}/there/chosen.yaml"


def test_what_is_missing_in_an_object_store_is_named(stored, pumps):
    done = stored.run("table", f"{stored.url}/none.csv")
    assert str(done.exception) == f"target='{stored.url}/none.csv' does not exist; check the path"
    done = stored.run("none", pumps / "worn.csv")
    assert str(done.exception).startswith(f"nothing is published at {stored.url}/none")
    done = stored.run("none.parquet", pumps / "worn.csv")
    assert str(done.exception).startswith(f"nothing is published at {stored.url}/none.parquet")


def test_intervals_are_tested_one_by_one_and_told(tmp_path):
    table = write_table(tmp_path)
    worn("two classes").to_csv(tmp_path / "worn.csv")
    words = ["select", table, f"--target={tmp_path / 'worn.csv'}", "--column-target=y"]
    words += ["--per-window=interval", "--min-share=0.6"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert re.search(r"Intervals +2026-11-17: \d+ features relevant, by 40 rows\n", done.output)
    assert re.search(r"Intervals +2026-11-20: not tested: 1 row\n", done.output)
    assert "which are so in 0.6 of 3 intervals or more" in done.output
    summary = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    relevance = pd.read_parquet(summary["relevance"]).set_index("feature")
    assert summary["chosen"] == list(relevance.index[relevance["chosen"]])
    assert summary["windows"][3] == {
        "interval": "2026-11-20", "rows": 1, "relevant": None, "untested": "1 row",
    }  # fmt: skip
    drawn = drawn_figures(summary["picture"])
    assert Path(summary["picture"]).name == "intervals.png"
    assert drawn["relevant"] == len(summary["chosen"]) > 0
    refused = CliRunner().invoke(cli, [*words, "--min-share=2"])
    assert str(refused.exception).startswith("min_share=2.0 is not allowed; give a number above 0")


def test_mistakes_are_one_line_and_status_1(pumps):
    words = ["select", pumps / "none", "--target", pumps / "worn.csv", "--column-target", "worn"]
    with programs.program([sys.executable, "-m", "tidemill", *words]) as command:
        assert command.wait() == 1
        assert command.output.startswith("SinkError: nothing is published at")
        assert len(command.output.splitlines()) == 1
