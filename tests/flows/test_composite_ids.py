"""Ids of two columns through the flows, by schedule and by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import tidemill
from tidemill.cli.main import cli
from tidemill.flows.backfill import backfill
from tidemill.flows.recurring import extract_interval

DAYS = ("2026-11-17", "2026-11-18")
IDS = ["plant", "sensor"]
ROLES = {"column_id": IDS, "column_time": "time", "settings": "minimal", "cluster": "none"}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for day in DAYS:
        times = pd.date_range(day, periods=24, freq="1h").repeat(4)
        frame = pd.DataFrame({"plant": ["n", "s", "n", "s"] * 24, "sensor": [1, 1, 2, 2] * 24})
        frame = frame.assign(time=times, x=rng.normal(size=96))
        frame.to_parquet(folder / f"{day}.parquet", index=False)
    return folder


def test_schedule_backfill_and_command_make_the_same_rows(source, sink, tmp_path, prefect_server):
    extract_interval(str(source), str(sink), interval_start=DAYS[1], lookback=1, **ROLES)
    late = pd.DataFrame({"plant": ["s"], "sensor": [2], "time": [pd.Timestamp(f"{DAYS[0]} 05:30")]})
    late.assign(x=50.0).to_parquet(source / "late.parquet", index=False)
    healed = extract_interval(str(source), str(sink), interval_start=DAYS[1], lookback=1, **ROLES)
    (summary,) = healed["summaries"]
    assert summary["acceptance"]["changes"]["altered"]["ids"] == ["(s, 2)"]
    matrix = tidemill.read_matrix(sink)
    assert matrix.index.names == ["interval", *IDS]
    assert matrix.loc[(pd.Timestamp("2026-11-17", tz="UTC"), "s", 2), "x__maximum"] == 50.0
    report = backfill(
        str(source), str(tmp_path / "again"), start=DAYS[0], end="2026-11-19", **ROLES
    )
    assert [row["rows"] for row in report["intervals"]] == [4, 4]
    pd.testing.assert_frame_equal(tidemill.read_matrix(tmp_path / "again"), matrix)
    arguments = ["--column-id", "plant", "--column-id", "sensor", "--column-time", "time"]
    arguments += ["--settings", "minimal", "--cluster", "none", "--on-nan", "quarantine"]
    arguments += ["--on-error", "nan", "--interval-start", DAYS[1], "--lookback", "1", "--json"]
    said = CliRunner().invoke(cli, ["extract-interval", str(source), str(sink), *arguments])
    assert said.exit_code == 0, said.output
    states = [one["state"] for one in json.loads(said.stdout)["findings"]]
    assert states == ["unchanged", "unchanged"]
