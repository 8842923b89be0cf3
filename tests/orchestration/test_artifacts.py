"""What a run's page in the UI shows, read back through the API: progress, report, output."""

from __future__ import annotations

import logging
import shlex
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.sorting import ArtifactSort
from prefect.runtime import flow_run

import tidemill
from tidemill.errors import IntervalsError
from tidemill.flows import on_dask
from tidemill.flows.backfill import backfill
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval
from tidemill.model.progress import Progress
from tidemill.orchestration import artifacts
from tidemill.orchestration.artifacts import live_progress
from tidemill.storage.intervals import interval_names
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support.api import named_run
from ..support.waiting import until

DAYS = ("2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20")
ROLES = {"column_id": "id", "column_time": "time", "settings": "minimal"}
IDS = ("a|b", "<i>", "c", "d")


def day(number: int, level: float) -> pd.DataFrame:
    times = pd.date_range(DAYS[number], periods=24, freq="1h").repeat(4)
    values = np.random.default_rng(number).normal(level, 1.0, size=96)
    return pd.DataFrame({"id": np.tile(IDS, 24), "time": times, "x": values})


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in put"
    folder.mkdir()
    for number in range(4):
        frame = day(number, 40.0 if number == 3 else 0.0)
        frame.to_parquet(folder / f"{number}.parquet", index=False)
    return folder


@pytest.fixture
def shown(prefect_server):
    """Run a flow; its artifacts by what their keys say they are, and what it returned."""

    def run(flow, **arguments):
        runs, result = named_run(flow, **arguments)
        mine = ArtifactFilterFlowRunId(any_=[run.id for run in runs.runs])
        with get_client(sync_client=True) as client:
            found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))
        assert {one.flow_run_id for one in found} <= {runs.runs[0].id}
        named = {one.key.removeprefix("tidemill-").removesuffix("-matrix"): one for one in found}
        assert len(named) == len(found)  # one of each, on the page of the outer run
        return named, result

    return run


def of_interval(source, sink, day, **options):
    given = {"cluster": "none", "retries": 0, "interval_start": day, "lookback": 0} | options
    return dict(source=str(source), sink=str(sink), **ROLES) | given


def test_a_recurring_run(shown, source, sink):
    first, _ = shown(extract_interval, **of_interval(source, sink, DAYS[2], lookback=1))
    page = first["report"].data
    assert "This is the first interval" in page
    assert f"[`{sink}`]({sink.as_uri()})" in page
    assert sink.as_uri() in first["output"].data
    assert first["progress"].data == 100.0
    assert first["progress"].description.startswith("2 of 2 intervals, 2 of 2 parts")
    late = pd.DataFrame({"id": IDS[:2], "time": pd.Timestamp(f"{DAYS[2]} 05:30"), "x": 50.0})
    late.to_parquet(source / "late.parquet", index=False)
    second, report = shown(extract_interval, **of_interval(source, sink, DAYS[3], lookback=1))
    page = second["report"].data
    assert (second["report"].type, second["progress"].type) == ("markdown", "progress")
    row = f"| {DAYS[2]} | changed | rows of its window changed | 4 | 0 | 0 | 2 |"
    assert row in page
    assert "- ids altered: 2 (&lt;i>, a\\|b)" in page
    assert "| rows_drop | 0% | 10% | 50% | ok |" in page
    healed, newest = (summary["acceptance"] for summary in report["summaries"])
    assert healed["features"]["before"] == "2026-11-18"
    moved = {row["feature"]: row for row in newest["features"]["moved"]}
    assert moved["x__minimum"]["mean"] > 30.0 > moved["x__minimum"]["mean_before"]
    assert page.count("\n\nSince 2026") == 2
    assert "| `x__mean` | 0.9" in page
    assert "## Slowest calculators" in page
    reasons = {(one.interval, one.reason) for one in history(SinkLayout.of(sink))}
    assert ("20261119T000000Z", "rows of its window changed") in reasons
    assert ("20261120T000000Z", "it was not published yet") in reasons
    assert newest["changes"]["added"] == {"count": 4, "ids": sorted(IDS)}


def test_a_run_with_nothing_to_do_has_no_progress(shown, source, sink):
    shown(extract_interval, **of_interval(source, sink, DAYS[0]))
    again, report = shown(extract_interval, **of_interval(source, sink, DAYS[0]))
    assert set(again) == {"report", "output"}
    assert report["summaries"] == []


def test_holes_are_filled_by_the_command_that_the_report_names(
    shown, source, sink, server_environment
):
    """In another folder, with the options of the run, whatever they look like in a shell."""
    options = {
        "settings": {"mean": None, "quantile": [{"q": 0.5}]}, "timezone": "Europe/Berlin",
        "checks": {"rows_drop": {"fail": 0.9}}, "on_empty": "skip", "column_value": "x",
        "input_timezone": "UTC",
    }  # fmt: skip
    shown(extract_interval, **of_interval(source, sink, DAYS[0], **options))
    found, report = shown(extract_interval, **of_interval(source, sink, DAYS[3], **options))
    (command,) = report["holes"]["commands"]
    assert f"```bash\n{command}\n```" in found["report"].data
    program = [sys.executable, "-c", "from tidemill.cli.main import main; main()"]
    words = shlex.split(command)
    assert words[:2] == ["tidemill", "backfill"]
    subprocess.run([*program, *words[1:]], check=True, timeout=120, cwd=sink.parent)
    assert len(interval_names(SinkLayout.of(sink))) == 4
    assert len(tidemill.read_matrix(sink)) == 16


def test_a_backfill(shown, source, sink):
    span = {"start": DAYS[0], "end": DAYS[2], "cluster": "none", "source": str(source)}
    planned, _ = shown(backfill, sink=str(sink), **ROLES, **span, dry_run=True)
    assert set(planned) == {"report", "output"}
    made, _ = shown(backfill, sink=str(sink), **ROLES, **span)
    assert "2 published" in made["report"].data
    assert made["progress"].description.startswith("2 of 2 intervals, 2 of 2 parts")


def test_a_backfill_is_one_run_whose_task_runs_name_their_intervals(prefect_server, source, sink):
    """Hundreds of runs of their own would flood the dashboard."""
    span = {"start": DAYS[0], "end": DAYS[2], "cluster": "threads:1", "source": str(source)}
    runs, report = named_run(backfill, sink=str(sink), **ROLES, **span)
    assert [row["result"] for row in report["intervals"]] == ["published"] * 2
    with get_client(sync_client=True) as client:
        tasks = TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[runs.runs[0].id]))

        def all_told():
            found = {one.name for one in client.read_task_runs(task_run_filter=tasks)}
            steps = ("calculate_chunk_size", "partition", "chunk-from-part-0", "reduce")
            return {f"{step}-{day}" for step in steps for day in DAYS[:2]} <= found

        until(all_told, 60.0, "the task runs of two intervals")
    assert len(runs.runs) == 1


def test_a_run_that_fails_says_what_it_did_and_why(prefect_server, source, sink):
    """What an attempt made before it failed is in the report of the next one, too."""
    bad = {"checks": {"nan_rise": "off", "rows_drop": {"fail": 0.1, "warn": "off"}}, "lookback": 2}
    path = source / "2.parquet"
    day(2, 0.0).query("id in ['c', 'd']").to_parquet(path, index=False)
    with pytest.raises(IntervalsError, match="1 of 3 intervals failed"):
        extract_interval(**of_interval(source, sink, DAYS[2], **bad))
    with get_client(sync_client=True) as client:
        key = ArtifactFilterKey(any_=["tidemill-report-matrix"])
        found = client.read_artifacts(
            artifact_filter=ArtifactFilter(key=key), sort=ArtifactSort.CREATED_DESC, limit=1
        )
    page = found[0].data
    assert page.startswith("# Failed: IntervalsError: 1 of 3 intervals failed")
    assert "CheckError: interval 2026-11-19: the rows fell from 4 to 2" in page
    assert f"| {DAYS[1]} | missing | it was not published yet | 4 | 4 | 0 | 0 |" in page
    row = f"| {DAYS[2]} | failed | CheckError: interval 2026-11-19: the rows fell from 4 to 2"
    assert row in page


def test_the_report_knows_what_earlier_attempts_made(shown, source, sink, monkeypatch):
    real, seen = on_dask.carry_out, []

    def carry_out(request, *rest):
        seen.append(request.interval.name)
        if len(seen) == 2:
            raise ConnectionError("reset by peer")
        return real(request, *rest)

    monkeypatch.setattr(on_dask, "carry_out", carry_out)
    retried = {"lookback": 1, "retries": 1, "retry_delay_seconds": 0.0}
    found, report = shown(extract_interval, **of_interval(source, sink, DAYS[1], **retried))
    assert len(seen) == 3
    assert [finding["state"] for finding in report["findings"]] == ["missing", "missing"]
    assert len(report["summaries"]) == 2
    assert found["progress"].description.startswith("2 of 2 intervals, 2 of 2 parts")


def test_progress_is_shown_while_there_is_work(prefect_server, sink):
    @flow
    def work():
        with live_progress(str(sink)) as board:
            board.expect(["Monday", "Tuesday"])
            board.finish("Monday")
            return until(progress, 20.0, "a progress artifact")

    def progress():
        mine = ArtifactFilterFlowRunId(any_=[flow_run.id])
        with get_client(sync_client=True) as client:
            return client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=mine))

    (artifact,) = work()
    assert (artifact.type, artifact.data) == ("progress", 50.0)
    assert artifact.description == "1 of 2 intervals, 0 of 0 parts of those begun: starting"


def test_a_server_that_does_not_answer_keeps_nothing_waiting(monkeypatch):
    asked, answers = threading.Event(), threading.Event()

    def create(*arguments, **options):
        asked.set()
        answers.wait(60)

    monkeypatch.setattr(artifacts, "create_progress_artifact", create)
    monkeypatch.setattr(artifacts, "PATIENCE_SECONDS", 0.01)
    with live_progress("matrix") as board:
        board.expect([""])
        assert asked.wait(20)
        board.on_progress(Progress("calculate_features", 1, 2))
        board.finish("")
    assert not answers.is_set()
    answers.set()


def test_the_main_job_updates_its_progress_now_and_then(shown, source, sink, monkeypatch):
    """However many parts there are, and also from a flow inside the flow."""
    texts = []
    real = SyncPrefectClient.update_artifact

    def update_artifact(client, artifact_id, artifact):
        texts.append(artifact.description)
        return real(client, artifact_id, artifact)

    monkeypatch.setattr(SyncPrefectClient, "update_artifact", update_artifact)
    arguments = {"column_id": "id", "column_sort": "time", "settings": "minimal"}
    parts = {"part_bytes": 1, "cluster": "threads:2"}
    began = time.monotonic()
    found, summary = shown(extract, source=str(source), sink=str(sink), **arguments, **parts)
    assert len(texts) <= (time.monotonic() - began) / artifacts.UPDATE_SECONDS + 1
    assert texts[-1] == found["progress"].description == "4 of 4 parts: done"
    assert found["progress"].data == 100.0
    page = found["report"].data
    assert "- 4 rows of 10 columns\n- 4 parts: 4 calculated, 0 reused" in page
    assert "| calculate_features |" in page
    assert summary["digest"][:16] in page


def test_a_page_that_cannot_be_written_does_not_fail_the_run(
    shown, source, sink, monkeypatch, caplog
):
    def refuse(*arguments, **options):
        raise ConnectionError("the server is gone")

    for name in ("create_markdown_artifact", "create_link_artifact", "create_progress_artifact"):
        monkeypatch.setattr(artifacts, name, refuse)
    with caplog.at_level(logging.WARNING, "tidemill"):
        found, report = shown(extract_interval, **of_interval(source, sink, DAYS[0]))
    assert found == {}
    assert report["summaries"][0]["rows"] == 4
    assert "an artifact of the run's page could not be written" in caplog.text
    assert "ConnectionError: the server is gone" in caplog.text
