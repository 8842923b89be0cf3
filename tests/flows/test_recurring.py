"""The recurring flow: the interval that closed last, earlier ones that changed, real retries."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import Scheduled

import tidemill
from tidemill.cli.main import cli
from tidemill.errors import (
    ArgumentError,
    CalculationError,
    CheckError,
    ClusterError,
    IntervalsError,
    NoRowsError,
    SettingsError,
    SourceError,
    UnfitWorkerError,
)
from tidemill.flows import on_dask
from tidemill.flows.recurring import extract_interval
from tidemill.orchestration import server
from tidemill.recurring import latest

from ..support import programs
from ..support.inputs import make_days

FLOW = Path(__file__).parents[2] / "flows" / "recurring.py"
DAYS = ("2026-11-17", "2026-11-18", "2026-11-19")
ROLES = {"column_id": "id", "column_time": "time", "settings": "minimal"}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for day in DAYS:
        times = pd.date_range(day, periods=24, freq="1h").repeat(4)
        frame = pd.DataFrame({"id": np.tile(np.arange(4), 24), "time": times})
        frame.assign(x=rng.normal(size=96)).to_parquet(folder / f"{day}.parquet", index=False)
    return folder


@pytest.fixture
def extract(source, sink, prefect_server):
    def run(day=DAYS[2], **options):
        given = {"cluster": "none", "retries": 0, "interval_start": day} | options
        return extract_interval(str(source), str(sink), **(ROLES | given))

    return run


def states(report):
    return [finding["state"] for finding in report["findings"]]


def test_one_cluster_serves_all_intervals_of_a_run(extract, probe):
    report = extract(**probe.arguments, cluster="processes:1", lookback=2)
    assert [summary["rows"] for summary in report["summaries"]] == [4, 4, 4]
    assert len(probe.calls) == 12
    assert len(probe.processes) == 1


@pytest.mark.parametrize("cluster", ["none", "threads:2"])
def test_intervals_are_made_once_and_late_rows_reopen_theirs(cluster, extract, source, sink):
    assert states(extract(lookback=2, cluster=cluster)) == ["missing"] * 3
    again = extract(lookback=2)
    assert (states(again), again["summaries"]) == (["unchanged"] * 3, [])
    late = pd.DataFrame({"id": [1], "time": [pd.Timestamp("2026-11-18 05:30")], "x": [50.0]})
    late.to_parquet(source / "late.parquet", index=False)
    healed = extract(lookback=2, cluster=cluster)
    assert states(healed) == ["unchanged", "changed", "unchanged"]
    (summary,) = healed["summaries"]
    assert summary["acceptance"]["changes"]["altered"]["ids"] == ["1"]
    matrix = tidemill.read_matrix(sink, "20261118T000000Z")
    assert matrix.loc[1, "x__maximum"] == 50.0


def test_holes_are_named(extract):
    extract(DAYS[0], lookback=0)
    holes = extract(DAYS[2], lookback=0)["holes"]
    assert (holes["count"], holes["names"]) == (1, ["2026-11-18"])


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ConnectionError("reset by peer"), 3),
        (ClusterError("no worker"), 3),
        (UnfitWorkerError("work_dir is not writable"), 1),
        (ValueError("bad"), 1),
    ],
)
def test_only_what_may_pass_is_tried_again(error, attempts, extract, monkeypatch):
    made = []

    def carry_out(request, *_rest):
        made.append(request.interval.name)
        raise error

    monkeypatch.setattr(on_dask, "carry_out", carry_out)
    with pytest.raises(type(error)):
        extract(lookback=0, retries=2, retry_delay_seconds=0.0)
    assert made == ["20261119T000000Z"] * attempts


def test_an_attempt_that_succeeds_is_the_last(extract, monkeypatch):
    real, made = on_dask.carry_out, []

    def carry_out(*arguments):
        made.append(1)
        if len(made) == 1:
            raise ConnectionError("reset by peer")
        return real(*arguments)

    monkeypatch.setattr(on_dask, "carry_out", carry_out)
    report = extract(lookback=0, retries=2, retry_delay_seconds=0.0)
    assert (len(made), report["summaries"][0]["rows"]) == (2, 4)


def test_empty_windows(extract):
    assert states(extract("2026-11-25", lookback=0, on_empty="skip")) == ["empty"]
    for on_empty in ("fail", "wait"):
        with pytest.raises(NoRowsError, match="interval 2026-11-25: its window has no row"):
            extract("2026-11-25", lookback=0, on_empty=on_empty, max_wait=0.1)


def test_rows_that_come_while_a_run_waits(extract, source, monkeypatch):
    monkeypatch.setattr(latest, "EMPTY_SECONDS", 0.2)
    frame = pd.read_parquet(source / f"{DAYS[2]}.parquet")
    moved = frame.assign(time=frame["time"] + pd.Timedelta(days=1))
    moved.to_parquet(source / ".arriving", index=False)
    arrival = Timer(1.5, (source / ".arriving").rename, [source / "2026-11-20.parquet"])
    arrival.start()
    report = extract("2026-11-20", lookback=0, on_empty="wait", max_wait=60.0)
    arrival.join()
    assert states(report) == ["missing"]


def test_changed_settings_are_refused(extract, source, sink, prefect_server):
    extract(lookback=0)
    with pytest.raises(SettingsError, match="was built with different settings: features left out"):
        extract_interval(
            str(source), str(sink), **ROLES | {"settings": {"mean": None}}, cluster="none",
            retries=0, interval_start=DAYS[2],
        )  # fmt: skip


def test_a_late_start_is_about_the_scheduled_interval(source, sink, prefect_server):
    """Its name says so, too."""
    at = datetime(2026, 11, 20, 0, 5, tzinfo=UTC)
    parameters = {
        "source": str(source), "sink": str(sink), **ROLES, "cluster": "none", "retries": 0,
        "lookback": 0,
    }  # fmt: skip
    with get_client(sync_client=True) as client:
        state = Scheduled(scheduled_time=at)
        run = client.create_flow_run(extract_interval, parameters=parameters, state=state)
        given = extract_interval.validate_parameters(parameters)
        report = run_flow(extract_interval, flow_run=run, parameters=given)
        named = client.read_flow_run(run.id).name
    assert report["interval"] == "20261119T000000Z"
    assert named == "matrix-2026-11-19"


@pytest.mark.slow
def test_the_file_is_a_script(source, sink):
    command = [
        sys.executable, FLOW, source, sink, "--column-id", "id", "--column-time", "time",
        "--settings", "minimal", "--interval-start", DAYS[2], "--lookback", "1",
        "--cluster", "none",
    ]  # fmt: skip
    with programs.program(command, {"PYTHONPATH": ""}) as ran:
        ran.finishes(120)
        assert "2026-11-19" in ran.output, ran.output
    assert len(tidemill.read_matrix(sink)) == 8


@pytest.mark.parametrize(
    ("command", "error", "attempts"),
    [("fault 9", ConnectionError, 3), ("wrong", CalculationError, 1)],
)
def test_attempts_as_counted_on_disk(
    command, error, attempts, tmp_path, sink, probe, prefect_server
):
    """A transient error is tried again as often as was asked for, a bad input never."""
    series = make_days(tmp_path, ["2026-11-18"], n_ids=3)
    probe.tell(1, command)
    with pytest.raises(error, match="a fault that"):
        extract_interval(
            str(series.path), str(sink), "id", "time", **probe.arguments, lookback=0,
            interval_start="2026-11-18", cluster="none", on_error="raise", retries=2,
            retry_delay_seconds=0.0, part_bytes=series.part_bytes,
        )  # fmt: skip
    assert probe.counts[1] == attempts
    assert probe.counts[0] <= 1  # what was committed is not calculated again


def test_an_older_interval_that_fails_does_not_keep_the_last_from_being_made(extract, source, sink):
    path = source / f"{DAYS[1]}.parquet"
    frame = pd.read_parquet(path)
    pd.concat([frame, frame[:1].assign(x=0.0)]).to_parquet(path, index=False)
    with pytest.raises(IntervalsError, match=r"1 of 3 .* first 2026-11-18: DataError: "):
        extract(lookback=2)
    made = set(tidemill.read_matrix(str(sink)).index.get_level_values("interval"))
    assert {f"{one:%Y-%m-%d}" for one in made} == {DAYS[0], DAYS[2]}


def test_rows_that_vanish_fail_the_check_and_what_is_published_stays(extract, source, sink):
    extract(lookback=2)
    (source / f"{DAYS[1]}.parquet").unlink()
    with pytest.raises(CheckError, match=r"all input rows of 1 published .* 2026-11-18\. "):
        extract(lookback=2)
    assert len(tidemill.read_matrix(str(sink), "20261118T000000Z")) == 4
    assert states(extract(lookback=2, checks={"rows_drop": "off"}))[1] == "empty"


def test_a_wrong_time_column_is_named_as_it_was_given(extract):
    with pytest.raises(SourceError, match="column_time='tiem' is not a column"):
        extract(column_time="tiem")


def test_several_columns_of_values(extract, source, sink):
    for path in source.glob("*.parquet"):
        frame = pd.read_parquet(path)
        frame.assign(y=1.0, note="text").to_parquet(path, index=False)
    extract(lookback=0, column_value=["x", "y"])
    columns = tidemill.read_matrix(str(sink)).columns
    assert {name.partition("__")[0] for name in columns} == {"x", "y"}
    with pytest.raises(ArgumentError, match=r"column_value=\['x', 'x'\] .* names a column twice"):
        extract(lookback=0, column_value=["x", "x"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--every=1x"], "every='1x'"),
        (["--timezone=Europe/Berlinn"], "timezone='Europe/Berlinn'"),
        (["--column-time=tiem"], "column_time='tiem' is not a column"),
        (["--settings=minimel"], "minimel"),
        (["--cluster=thread"], "cluster='thread'"),
        (["--checks={}x"], "checks"),
    ],
)
def test_the_command_refuses_before_a_server_is_started(
    options, sentence, source, sink, monkeypatch
):
    monkeypatch.setattr(server, "start_server", lambda: pytest.fail("a server is started"))
    given = ["--column-id=id", "--column-time=time", "--settings=minimal", *options]
    told = CliRunner().invoke(cli, ["extract-interval", str(source), str(sink), *given])
    assert sentence in f"{told.exception} {told.output}"
    assert told.exit_code != 0
    assert not sink.exists()
