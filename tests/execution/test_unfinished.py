"""Results that are not published yet: who works on them, and how far they are."""

from __future__ import annotations

import json
import time

import pytest

from tidemill.execution.chunk import run_chunk
from tidemill.execution.job import Job
from tidemill.execution.unfinished import unfinished_results
from tidemill.storage.layout import SinkLayout
from tidemill.storage.lease import acquire

from ..support.daily import DAYS, NAMES, request, run
from ..support.inputs import make_input
from ..support.jobs import opened


def states(table):
    return [(one.state, one.label) for one in unfinished_results(SinkLayout.of(table))]


def test_a_run_on_an_interval_is_seen_with_its_parts(source, table):
    run(source, table, DAYS[0])
    with Job.open(request(source, table, DAYS[1], part_bytes=300)) as job:
        run_chunk(job.run, [0, 1])
        (found,) = unfinished_results(SinkLayout.of(table))
    assert (found.state, found.interval, found.label) == ("running", NAMES[1], DAYS[1])
    assert found.run_id == job.run.run_id
    assert (found.parts_done, found.parts > 2) == (2, True)
    assert "cluster=none" in found.owner
    assert time.time() - found.written < 600


def test_what_an_ended_run_left_is_no_run(source, table):
    with Job.open(request(source, table, DAYS[1])):
        pass
    assert states(table) == [("ended", DAYS[1])]
    run(source, table, DAYS[1])
    assert states(table) == []


def test_a_lease_that_nobody_renews_is_silent(source, table):
    with Job.open(request(source, table, DAYS[1])) as job:
        path = max((table / "_tidemill" / "lease" / NAMES[1]).glob("*.json"))
        raw = json.loads(path.read_text())
        path.write_text(json.dumps({**raw, "written": raw["written"] - 300}))
        assert states(table) == [("silent", DAYS[1])]
        raw["process"]["started"] = 0.0  # of this host, and dead
        path.write_text(json.dumps(raw))
        assert states(table) == [("ended", DAYS[1])]
        job.lease.release("test")


@pytest.mark.parametrize("name", ["matrix", "matrix.parquet"])
def test_the_markers_of_a_published_matrix_are_no_unfinished_result(name, tmp_path):
    series = make_input(tmp_path, n_ids=6)
    sink = tmp_path / name
    with opened(series, sink) as job:
        assert states(sink) == [("running", "")]
    assert states(sink) == [("ended", "")]
    from tidemill.execution.in_process import extract_here

    extract_here(job.request)
    assert states(sink) == []


def test_a_holder_without_a_plan_is_seen(tmp_path):
    layout = SinkLayout.of(tmp_path / "matrix")
    with acquire(layout.lease, owner="ann", run_id="r"):
        (found,) = unfinished_results(layout)
    assert (found.state, found.run_id, found.parts, found.result_key) == ("running", "r", 0, "")


def test_a_damaged_plan_is_nobodys(source, table):
    with Job.open(request(source, table, DAYS[1])) as job:
        pass
    job.run.key.state.write("plan.json", b"{")
    (found,) = unfinished_results(SinkLayout.of(table))
    assert (found.state, found.interval, found.parts) == ("ended", "", 0)
