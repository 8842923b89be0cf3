"""Whole runs about a database, in this process."""

import contextlib
from dataclasses import replace

import pandas as pd
import pytest

import tidemill
from tidemill.execution.chunk import run_chunk
from tidemill.execution.in_process import extract_here
from tidemill.execution.job import Job
from tidemill.execution.plans import load_plan, missing_parts
from tidemill.execution.steps import partition
from tidemill.planning.request import make_request
from tidemill.sources.sql import duck, snapshot

from ..support.databases import MAKERS, make_duckdb, rows

MANY = rows(14_000)


def request_of(url, sink, **more):
    made = make_request(
        url, sink, settings="minimal", column_id="id", column_sort="t",
        column_value="x", part_bytes=2000, table="m",
    )  # fmt: skip
    return replace(made, **more)


def expected(made):
    frame = pd.DataFrame(made, columns=["id", "t", "x"])
    return tidemill.extract_features(
        frame, default_fc_parameters="minimal", column_id="id", column_sort="t"
    )


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_the_matrix_is_that_of_the_rows_and_no_snapshot_stays(kind, name, tmp_path):
    url = MAKERS[kind](tmp_path / "plant.db", rows(700))
    summary = extract_here(request_of(url, tmp_path / name))
    assert summary.rows == 7
    found = tidemill.read_matrix(tmp_path / name)
    pd.testing.assert_frame_equal(found, expected(rows(700)), check_names=False)
    assert not list(tmp_path.glob("**/snapshots*"))


def stop_after(request, parts):
    """Calculate some parts, and stop as Ctrl-C does; the plan."""
    with contextlib.suppress(KeyboardInterrupt), Job.open(request) as job:
        partition(job.run, lambda function, items: [function(item) for item in items])
        run_chunk(job.run, parts)
        plan = load_plan(job.run)
        raise KeyboardInterrupt
    return plan


@pytest.mark.parametrize("again", [sorted(MANY), MANY[::-1]], ids=["same", "other"])
def test_another_attempt_goes_on_with_parts_though_rows_come_in_another_order(
    again, tmp_path, monkeypatch
):
    monkeypatch.setattr(duck, "BATCH_ROWS", 2048)
    monkeypatch.setattr(snapshot, "GROUP_ROWS", 1)
    sink = tmp_path / "out"
    url = make_duckdb(tmp_path / "plant.db", sorted(MANY))
    request = replace(request_of(url, sink), part_bytes=48_000)
    plan = stop_after(request, [0, 1])
    assert plan.layout == "clustered"
    assert len(plan.parts) > 3
    (tmp_path / "plant.db").unlink()
    make_duckdb(tmp_path / "plant.db", again)
    with Job.open(request) as job:
        assert missing_parts(job.run) == list(range(2, len(plan.parts)))
    extract_here(request)
    found = tidemill.read_matrix(sink)
    pd.testing.assert_frame_equal(found, expected(MANY), check_names=False)


def test_other_rows_are_another_result(tmp_path):
    url, sink = make_duckdb(tmp_path / "plant.db", rows(700)), tmp_path / "out"
    stop_after(request_of(url, sink), [0])
    (tmp_path / "plant.db").unlink()
    other = [*rows(699), (0, 699, 0.25)]
    extract_here(request_of(make_duckdb(tmp_path / "plant.db", other), sink))
    pd.testing.assert_frame_equal(tidemill.read_matrix(sink), expected(other), check_names=False)
