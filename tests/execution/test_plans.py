"""The recorded plan: written once, read by every process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidemill.execution.chunk import run_chunk
from tidemill.execution.plans import (
    already_published,
    load_plan,
    missing_of_plan,
    missing_parts,
)
from tidemill.planning.prepare import prepare
from tidemill.planning.request import make_request
from tidemill.storage.layout import SinkLayout
from tidemill.storage.publish import last_published

from ..support.inputs import make_input
from ..support.jobs import opened
from ..support.series import ROLES, extract


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6)


@pytest.fixture
def sink(tmp_path):
    return tmp_path / "matrix"


def test_parts_of_a_started_run_stay_as_they_were_cut(series, sink):
    """Another part size, as another version may have, finishes the parts that were started."""
    with opened(series, sink) as job:
        run_chunk(job.run, [0])
    with opened(series, sink, part_bytes=10**9) as job:
        assert len(load_plan(job.run).parts) == 6
        assert missing_parts(job.run) == [1, 2, 3, 4, 5]


def test_a_plan_is_read_once_per_process(series, sink):
    with opened(series, sink) as job:
        first = load_plan(job.run)
        job.run.key.state.delete(job.run.key.plan)
        assert load_plan(job.run) is first
        with pytest.raises(FileNotFoundError):
            load_plan(replace(job.run, generation=job.run.generation + 1))


def test_a_recorded_plan_without_parts_is_replaced(series, sink):
    with opened(series, sink, part_bytes=10**9) as job:
        assert len(load_plan(job.run).parts) == 1
    with opened(series, sink) as job:
        assert len(load_plan(job.run).parts) == 6


@pytest.mark.parametrize("damage", [b"", b"{}", b"not a plan"])
def test_markers_of_a_damaged_plan_are_dropped(damage, series, sink, caplog):
    with opened(series, sink) as job:
        run_chunk(job.run, [0, 1])
        job.run.key.state.write(job.run.key.plan, damage)
    with opened(series, sink) as job:
        assert missing_parts(job.run) == list(range(6))
        assert "is damaged" in caplog.text


@pytest.mark.parametrize(("name", "is_file"), [("matrix.parquet", True), ("matrix", False)])
def test_a_file_that_shows_the_result_misses_nothing(name, is_file, tmp_path):
    """Its parts are gone; a table keeps them, as its files."""
    series, sink = make_input(tmp_path, n_ids=3), tmp_path / name
    summary = extract(series.path, sink, part_bytes=series.part_bytes)
    layout = SinkLayout.of(sink)
    shown = last_published(layout)
    assert already_published(layout, shown.result_key, shown) is is_file
    assert not already_published(layout, "another", shown)
    request = make_request(series.path, sink, settings="minimal", **ROLES)
    plan, _ = prepare(replace(request, part_bytes=series.part_bytes))
    assert plan.result_key == shown.result_key
    assert missing_of_plan(layout, plan) == []
    other = replace(plan, result_key="0" * 64)
    assert missing_of_plan(layout, other) == [0, 1, 2]
    assert summary.parts["total"] == 3
