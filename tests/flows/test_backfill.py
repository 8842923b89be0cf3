"""Backfill: what is complete is skipped, and the rest equals what the schedule would have made."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.errors import ArgumentError, BackfillError
from tidemill.flows import backfill as module
from tidemill.flows.backfill import backfill
from tidemill.flows.recurring import extract_interval
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout

from ..support import programs

FLOW = Path(__file__).parents[2] / "flows" / "backfill.py"
ROLES = {
    "column_id": "id", "column_time": "time", "settings": "minimal", "every": "1h",
    "window": "3h", "cluster": "none", "retries": 0,
}  # fmt: skip
SPAN = {"start": "2026-11-18T06:00", "end": "2026-11-18T14:00"}


def hour(day_hour: str, seed: int) -> pd.DataFrame:
    times = pd.date_range(day_hour, periods=6, freq="10min").repeat(3)
    values = np.random.default_rng(seed).normal(size=18)
    return pd.DataFrame({"id": np.tile(np.arange(3), 6), "time": times, "x": values})


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(15):
        frame = hour(f"2026-11-18T{number:02d}:00", number)
        frame.to_parquet(folder / f"{number:02d}.parquet", index=False)
    return folder


@pytest.fixture
def fill(source, sink, prefect_server):
    def run(**options):
        return backfill(str(source), str(sink), **ROLES | SPAN | options)

    return run


def results(report):
    return [row["result"] for row in report["intervals"]]


def digests(sink):
    layout = SinkLayout.of(sink)
    records = read_intervals(layout, interval_names(layout))
    return {name: one.digest for name, one in records.items()}


def test_a_dry_run_does_nothing(fill, sink):
    report = fill(dry_run=True)
    assert results(report) == ["due"] * 8
    assert not sink.exists()


def test_a_dry_run_leaves_every_file_of_a_table_as_it_was(fill, source, sink):
    fill(end="2026-11-18T08:00")
    frame = pd.read_parquet(source / "07.parquet")
    frame.iloc[::-1].to_parquet(source / "07.parquet", index=False)  # the same rows, another file
    before = {path: path.read_bytes() for path in sink.rglob("*") if path.is_file()}
    report = fill(end="2026-11-18T08:00", dry_run=True)
    assert [row["state"] for row in report["intervals"]] == ["unchanged"] * 2
    assert {path: path.read_bytes() for path in sink.rglob("*") if path.is_file()} == before


def test_what_is_complete_is_skipped(fill, source):
    assert results(fill(end="2026-11-18T10:00")) == ["published"] * 4
    assert results(fill()) == ["skipped"] * 4 + ["published"] * 4
    hour("2026-11-18T08:00", 99).assign(id=1).to_parquet(source / "late.parquet", index=False)
    states = [row["state"] for row in fill(dry_run=True)["intervals"]]
    assert states == ["unchanged"] * 2 + ["changed"] * 3 + ["unchanged"] * 3


def test_it_equals_what_the_schedule_made_with_late_rows(fill, source, sink, tmp_path):
    """Each hour runs when its rows are there; every third file comes two hours late."""
    table = tmp_path / "scheduled"
    late = {path: path.with_suffix(".late") for path in sorted(source.glob("*.parquet"))[::3]}
    for path, hidden in late.items():
        path.rename(hidden)
    for number in range(6, 14):
        for path, hidden in late.items():
            if int(path.stem) <= number - 2 and hidden.exists():
                hidden.rename(path)
        extract_interval(
            str(source), str(table), **ROLES, interval_start=f"2026-11-18T{number:02d}:00",
            lookback=5, on_empty="skip",
        )  # fmt: skip
    for path, hidden in late.items():
        if hidden.exists():
            hidden.rename(path)
    extract_interval(
        str(source), str(table), **ROLES, interval_start="2026-11-18T13:00", lookback=7
    )
    fill()
    made = digests(table)
    assert {name: made[name] for name in digests(sink)} == digests(sink)
    assert len(digests(sink)) == 8


@pytest.mark.parametrize("order", ["oldest first", "newest first"])
def test_one_that_fails_does_not_keep_the_others(order, fill, sink, monkeypatch):
    real, seen = module.calculate, []

    def calculate(request, finding, *rest):
        seen.append(finding.interval.name[9:11])
        if finding.interval.name.startswith("20261118T09"):
            raise ValueError("broken")
        return real(request, finding, *rest)

    monkeypatch.setattr(module, "calculate", calculate)
    with pytest.raises(BackfillError, match="1 of 8 intervals failed, first 20261118T090000Z"):
        fill(order=order)
    hours = ["06", "07", "08", "09", "10", "11", "12", "13"]
    assert seen == (hours if order == "oldest first" else hours[::-1])
    monkeypatch.undo()
    assert results(fill()).count("published") == 1
    assert len(tidemill.read_matrix(sink)) == 24


def test_intervals_that_are_still_open_are_left_out(fill):
    assert fill(lag="36500d", dry_run=True)["intervals"] == []


def test_times_that_are_no_boundaries_are_refused(fill):
    with pytest.raises(ArgumentError, match="start='2026-11-18T06:10'"):
        fill(start="2026-11-18T06:10")


def test_the_file_is_a_script(source, sink):
    command = [
        sys.executable, FLOW, source, sink, "--column-id", "id", "--column-time", "time",
        "--settings", "minimal", "--every", "1h", "--start", SPAN["start"], "--end",
        "2026-11-18T08:00", "--cluster", "none", "--dry-run",
    ]  # fmt: skip
    with programs.program(command, {"PYTHONPATH": ""}) as ran:
        ran.finishes(120)
        assert "What would be done" in ran.output, ran.output
    assert not sink.exists()
