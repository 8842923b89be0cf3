"""Plans that do not fit into memory or onto the disk are refused before anything is written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from tidemill.errors import ResourceError
from tidemill.execution.chunk import run_chunk
from tidemill.execution.plans import load_plan
from tidemill.execution.resources import (
    check_memory,
    check_room,
    disk_free,
    memory_of_child,
    output_bytes,
    set_worker_memory,
)
from tidemill.planning.parts import part_memory_bytes
from tidemill.storage.layout import SinkLayout

from ..support.inputs import make_input
from ..support.jobs import opened


@pytest.fixture
def job(tmp_path):
    with opened(make_input(tmp_path, n_ids=4), tmp_path / "matrix") as job:
        yield job


@pytest.fixture
def plan(job):
    return load_plan(job.run)


@pytest.mark.parametrize(("limit", "bytes_"), [(None, 800), (0, 800), (500, 500), (900, 800)])
def test_an_isolated_process_gets_what_its_worker_may_take_or_most_of_what_is_free(
    limit, bytes_, monkeypatch
):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    set_worker_memory(limit)
    try:
        assert memory_of_child() == bytes_
    finally:
        set_worker_memory(None)


def test_threads_get_half_of_the_free_memory(plan, monkeypatch):
    largest = max(part_memory_bytes(plan.source, plan.layout, part) for part in plan.parts)
    free = SimpleNamespace(available=4 * largest)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    check_memory(plan, 2)
    with pytest.raises(ResourceError, match=rf"3 threads need {largest:,} bytes each .*fewer thr"):
        check_memory(plan, 3)


def test_output_takes_eight_bytes_a_cell(plan):
    columns = len(plan.columns)
    assert output_bytes(plan) == 8 * 4 * columns
    assert output_bytes(plan, [1, 3]) == 8 * 2 * columns
    assert output_bytes(plan, []) == 0


def free_bytes(monkeypatch, free):
    usage = SimpleNamespace(total=free, used=0, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def test_only_missing_parts_need_room(job, plan, monkeypatch):
    cell_bytes = 8 * len(plan.columns)
    free_bytes(monkeypatch, 4 * cell_bytes)
    check_room(job.run.layout, plan)
    free_bytes(monkeypatch, 4 * cell_bytes - 1)
    with pytest.raises(ResourceError, match=f"about {4 * cell_bytes:,} bytes .* larger disk"):
        check_room(job.run.layout, plan)
    run_chunk(job.run, [2])
    check_room(job.run.layout, plan)


def test_a_file_is_written_beside_its_parts(plan, tmp_path, monkeypatch):
    layout = SinkLayout.of(tmp_path / "matrix.parquet")
    needed = 2 * output_bytes(plan)
    free_bytes(monkeypatch, needed)
    check_room(layout, plan)
    free_bytes(monkeypatch, needed - 1)
    with pytest.raises(ResourceError, match=f"about {needed:,} bytes"):
        check_room(layout, plan)


def test_free_bytes_are_those_of_the_nearest_folder_that_exists(tmp_path, monkeypatch):
    asked = []
    usage = SimpleNamespace(free=7)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or usage)
    assert disk_free(SinkLayout.of(tmp_path / "not" / "there" / "matrix")) == 7
    assert asked == [tmp_path]
    options = {"aws_region": "AWS_REGION"}
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert disk_free(SinkLayout.of("s3://bucket/matrix", options)) is None


def test_a_plan_without_missing_parts_needs_no_room(job, plan, monkeypatch):
    run_chunk(job.run, [part.index for part in plan.parts])
    free_bytes(monkeypatch, 0)
    check_room(job.run.layout, replace(plan))
