"""One chunk, part by part."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tidemill.calculators.custom import import_modules
from tidemill.errors import DataError, LeaseLostError, SourceError
from tidemill.execution import chunk
from tidemill.execution.chunk import run_chunk
from tidemill.storage.markers import attempts, begin_attempt, committed, suspect_next

from ..support.inputs import make_input, write_input
from ..support.jobs import leave_dead_attempt, opened


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=5)


@pytest.fixture
def job(series, tmp_path, probe):
    with opened(series, tmp_path / "matrix", **probe.arguments) as job:
        yield job


def test_only_parts_without_a_marker_are_calculated(job, probe):
    first = run_chunk(job.run, [0, 3])
    second = run_chunk(job.run, [0, 1, 3])
    assert (first.calculated, first.reused, first.rows) == (2, 0, 2)
    assert (second.calculated, second.reused, second.rows) == (1, 2, 3)
    assert probe.counts == {0: 1, 1: 1, 3: 1}


def test_a_part_whose_file_is_gone_is_calculated_again(job, probe):
    run_chunk(job.run, [0])
    job.run.key.data.delete(committed(job.run.key)[0].path)
    assert run_chunk(job.run, [0]).calculated == 1
    assert probe.counts == {0: 2}
    assert list(committed(job.run.key)) == [0]


def test_of_two_attempts_on_one_part_one_wins(job, probe):
    probe.tell(2, "wait go")
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(run_chunk, job.run, [2]) for _ in range(2)]
        probe.wait_for_calls(2)
        probe.release("go")
        results = [one.result(30) for one in both]
    assert [result.rows for result in results] == [1, 1]
    files = [entry.path for entry in job.run.key.data.folder()[0]]
    assert files == [committed(job.run.key)[2].path]


def test_a_mark_of_the_same_process_is_no_suspicion(job, probe):
    begin_attempt(job.run.key, 1, generation=job.run.generation, run_id="other")
    run_chunk(job.run, [1])
    assert probe.processes == {os.getpid()}


def test_a_part_that_cost_its_workers_before_they_left_a_mark_is_isolated(job, probe):
    run_chunk(job.run, [0])
    assert [suspect_next(job.run.key, [0, 1], "lost") for _ in range(2)] == [1, 1]
    assert len(attempts(job.run.key)) == 1
    run_chunk(job.run, [0, 1])
    assert dict(probe.counts) == {0: 1, 1: 1}
    assert len(probe.processes - {os.getpid()}) == 1
    assert attempts(job.run.key) == []
    assert suspect_next(job.run.key, [0, 1], "lost") is None


def test_a_lost_lease_stops_the_chunk_before_the_next_part(job, probe):
    job.lease.release("cancelled")
    with pytest.raises(LeaseLostError, match="cancelled"):
        run_chunk(job.run, [0, 1])
    assert not probe.calls
    assert committed(job.run.key) == {}
    assert attempts(job.run.key) == []


def test_a_missing_file_after_the_run_was_taken_over_is_a_lost_lease(job, series, probe):
    """Whoever takes over tidies up; the orphan says why it stops, not which file it misses."""
    probe.tell(0, "wait go")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_chunk, job.run, [0])
        probe.wait_for_calls(1)
        (hidden,) = job.run.key.data.local_path().glob(".part-*")
        hidden.unlink()
        job.lease.release("taken")
        probe.release("go")
        with pytest.raises(LeaseLostError, match="taken"):
            running.result(30)


def test_an_error_leaves_no_mark_and_keeps_earlier_parts(series, tmp_path, probe):
    frame = series.frame.copy()
    frame.loc[3 * series.length + 1, "value"] = np.nan
    bad = write_input(series.path, frame, 1, series.length)
    with opened(bad, tmp_path / "matrix", **probe.arguments) as job:
        with pytest.raises(DataError):
            run_chunk(job.run, [2, 3, 4])
        assert list(committed(job.run.key)) == [2]
        assert attempts(job.run.key) == []
        assert list(job.run.key.data.local_path().glob(".part-*")) == []
    assert probe.counts == {2: 1}


@pytest.mark.parametrize("isolated", [False, True])
def test_a_part_that_may_not_be_committed_leaves_no_file(isolated, job, monkeypatch):
    """Its input changed, say, or its lease is lost; the next run may be of another result."""

    def refuse(*_):
        raise DataError("changed")

    monkeypatch.setattr(chunk, "check_part_unchanged", refuse)
    if isolated:
        leave_dead_attempt(job.run, 1)
    with pytest.raises(DataError, match="changed"):
        run_chunk(job.run, [1])
    assert not job.run.key.data.folder()[0]


def test_a_missing_module_names_the_remedy():
    with pytest.raises(SourceError, match=r"modules: 'no_such_module' cannot .*install it"):
        import_modules(["no_such_module"])
