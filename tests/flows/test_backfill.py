"""Backfill: what is complete is skipped, and the rest equals what the schedule would have made."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from distributed.client import FutureCancelledError

import tidemill
from tidemill.errors import ArgumentError, BackfillError
from tidemill.flows import on_dask
from tidemill.flows.backfill import backfill
from tidemill.flows.recurring import extract_interval
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support import programs
from ..support.waiting import until

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


def names(sink):
    return interval_names(SinkLayout.of(sink))


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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ("oldest first", ValueError("broken")),
        ("newest first", FutureCancelledError("key", "its scheduler went away")),
    ],
)
def test_one_that_fails_does_not_keep_the_others(order, error, fill, sink, monkeypatch):
    real, seen = on_dask.carry_out, []

    def carry_out(request, *rest):
        seen.append(request.interval.name[9:11])
        if request.interval.name.startswith("20261118T09"):
            raise error
        return real(request, *rest)

    monkeypatch.setattr(on_dask, "carry_out", carry_out)
    with pytest.raises(BackfillError, match="7 published, 1 failed; first 2026-11-18 09:00"):
        fill(order=order)
    hours = ["06", "07", "08", "09", "10", "11", "12", "13"]
    assert seen == (hours if order == "oldest first" else hours[::-1])
    monkeypatch.undo()
    assert results(fill()).count("published") == 1
    assert len(tidemill.read_matrix(sink)) == 24


def test_intervals_that_are_still_open_are_left_out(fill):
    assert fill(lag="36500d", dry_run=True)["intervals"] == []


@pytest.mark.parametrize("cluster", ["none", "threads:2"])
def test_intervals_are_worked_on_at_once_and_published_in_order(cluster, fill, source, sink, probe):
    """Series 0 of two intervals waits; a run of another interval does not wait for that."""
    for path in source.glob("*.parquet"):  # the probe tells series by their first value
        frame = pd.read_parquet(path)
        frame.assign(x=frame["id"].astype(float)).to_parquet(path, index=False)
    probe.tell(0, "wait go")
    options = probe.arguments | {"window": "1h", "cluster": cluster}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(fill, **options, concurrency=2, end="2026-11-18T09:00")
        until(lambda: probe.counts[0] == 2, 180, "series 0 of two intervals begins", running)
        probe.forget(0)
        alone = {"interval_start": "2026-11-18T13:00", "lookback": 0}
        extract_interval(str(source), str(sink), **ROLES | options | alone)
        assert names(sink) == ["20261118T130000Z"]
        probe.release("go")
        report = running.result(180)
    assert results(report) == ["published"] * 3
    assert probe.counts == {0: 4, 1: 4, 2: 4}
    intervals = {record.run_id: record.interval for record in history(SinkLayout.of(sink))}
    commits = reversed(DeltaTable(sink).history())
    order = [intervals[commit["tidemill.run_id"]] for commit in commits]
    assert [name[9:11] for name in order] == ["13", "06", "07", "08"]


def test_as_many_at_once_as_one_likes_make_the_same_table(fill, sink, tmp_path):
    fill()
    alone = digests(sink)
    shutil.rmtree(sink)
    fill(concurrency=5, order="newest first")
    assert digests(sink) == alone
    with pytest.raises(ArgumentError, match="concurrency=0 is not allowed; give 1 or more"):
        fill(concurrency=0)


@pytest.mark.slow
@pytest.mark.leaves_nothing
@pytest.mark.parametrize("cluster", ["none", "threads:2"])
def test_ctrl_c_stops_all_of_them_and_the_next_run_goes_on(
    cluster, server_environment, source, sink, probe
):
    probe.tell("all", "sleep 0.5")
    command = [
        programs.BIN / "tidemill", "backfill", source, sink, *probe.options, "--column-id=id",
        "--column-time=time", "--every=1h", "--start", SPAN["start"], "--end", SPAN["end"],
        f"--cluster={cluster}", "--concurrency=2",
    ]  # fmt: skip
    with programs.program(command) as first:
        until(lambda: len(names(sink)) >= 2, 90, "two intervals are published", first)
        first.interrupt()
        assert first.wait(30) == 130, first.output
        until(lambda: not programs.session_members(first.pid), 10, "all its processes to end")
    done = names(sink)
    assert 2 <= len(done) < 8
    probe.forget("all")
    with programs.program(command) as second:
        second.finishes(90)
    assert len(names(sink)) == 8
    history_of = Counter(record.interval for record in history(SinkLayout.of(sink)))
    assert all(history_of[name] == 1 for name in done)


def test_times_that_are_no_boundaries_are_refused(fill):
    with pytest.raises(ArgumentError, match="start='2026-11-18T06:10'"):
        fill(start="2026-11-18T06:10")


@pytest.mark.slow
def test_the_file_is_a_script(source, sink):
    command = [
        sys.executable, FLOW, source, sink, "--column-id", "id", "--column-time", "time",
        "--settings", "minimal", "--every", "1h", "--start", SPAN["start"], "--end",
        "2026-11-18T08:00", "--cluster", "none", "--dry-run",
    ]  # fmt: skip
    with programs.program(command, {"PYTHONPATH": ""}) as ran:
        ran.finishes(120)
        assert "Dry run. Completed: 2 due" in ran.output, ran.output
    assert not sink.exists()
