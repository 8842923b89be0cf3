"""Marks of attempts: renewed while their process lives, and left behind where a series hangs."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest

from tidemill.errors import LeaseLostError
from tidemill.execution import attempt as attempt_module
from tidemill.execution import part_watch
from tidemill.execution.attempt import clear_attempts_of_stopped, suspects
from tidemill.execution.chunk import run_chunk
from tidemill.execution.kernels import load_kernels
from tidemill.storage.markers import SILENT_SECONDS, Attempt, attempts, begin_attempt, renew_attempt
from tidemill.storage.processes import Process

from ..support.inputs import make_input
from ..support.jobs import leave_dead_attempt, opened
from ..support.programs import program
from ..support.waiting import until


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=3, ids_per_part=3)


@pytest.fixture
def job(series, tmp_path, probe):
    with opened(series, tmp_path / "matrix", **probe.arguments, series_seconds=6.0) as job:
        load_kernels(job.run)
        yield job


def begin(run):
    return begin_attempt(run.key, 0, generation=run.generation, run_id=run.run_id)


def test_a_mark_is_renewed_while_a_series_is_calculated(job, probe, monkeypatch):
    monkeypatch.setattr(attempt_module, "RENEW_SECONDS", 0.2)
    probe.tell(1, "wait go")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(run_chunk, job.run, [0])
        probe.wait_for_calls(2, run)
        (first,) = attempts(job.run.key)
        until(lambda: attempts(job.run.key)[0].renewed > first.renewed, 30, "a renewal", run)
        assert suspects(job.run, 0) == []
        probe.release("go")
        assert run.result(60).rows == 3
    assert attempts(job.run.key) == []


def test_the_mark_says_what_holds_the_part_up_as_long_as_it_does(job, probe, monkeypatch):
    monkeypatch.setattr(part_watch, "TOLD_SECONDS", 0.2)
    probe.tell(1, "wait go")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(run_chunk, job.run, [0])
        until(lambda: any(one.note for one in attempts(job.run.key)), 60, "a note", run)
        (mark,) = attempts(job.run.key)
        assert mark.note == (
            "part 1: no progress for 0 s among 3 series; after 6 s they are isolated"
        )
        until(lambda: "isolating" in attempts(job.run.key)[0].note, 60, "isolation", run)
        probe.release("go")
        assert run.result(60).rows == 3
    assert attempts(job.run.key) == []


def test_a_run_that_is_stopped_while_a_series_hangs_leaves_its_mark(
    job, series, tmp_path, probe, monkeypatch
):
    """So that the next one isolates the part at once."""
    monkeypatch.setattr(part_watch, "STOP_SECONDS", 0.2)
    probe.tell(1, "wait go")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(run_chunk, job.run, [0])
        until(lambda: any(one.hangs for one in attempts(job.run.key)), 60, "it hangs", run)
        job.lease.release("cancelled")
        with pytest.raises(LeaseLostError):
            run.result(60)
    (mark,) = attempts(job.run.key)
    assert suspects(job.run, 0) == [mark]
    clear_attempts_of_stopped(job.run)
    assert attempts(job.run.key) == [mark]
    probe.release("go")
    arguments = {**probe.arguments, "series_seconds": 6.0}
    with opened(series, tmp_path / "matrix", **arguments) as again:
        assert run_chunk(again.run, [0]).rows == 3
        assert len(probe.processes) == 2  # the second time in a child
        assert attempts(again.run.key) == []


def test_a_run_that_is_stopped_meanwhile_leaves_no_mark(job, probe):
    probe.tell(1, "wait go")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(run_chunk, job.run, [0])
        probe.wait_for_calls(2, run)
        job.lease.release("cancelled")
        until(lambda: not attempts(job.run.key), 60, "the mark to go")
        probe.release("go")
        with pytest.raises(LeaseLostError):
            run.result(60)


def test_marks_of_dead_processes_are_removed_after_a_stop_unless_a_series_hung(job):
    """That of a process that was killed with the run says nothing of its series."""
    mine = begin(job.run)
    leave_dead_attempt(job.run, 0)
    dead = next(one for one in attempts(job.run.key) if one.path != mine.path)
    hung = renew_attempt(job.run.key, replace(dead, path=job.run.key.attempt(0)), hangs=True)
    silent = replace(dead, path=job.run.key.attempt(0), renewed=time.time() - SILENT_SECONDS - 9)
    job.run.key.state.write(silent.path, json.dumps(asdict(silent)).encode())
    assert {one.path for one in suspects(job.run, 0)} == {dead.path, hung.path, silent.path}
    clear_attempts_of_stopped(job.run)
    left = {one.path for one in attempts(job.run.key)}
    assert left == {mine.path, hung.path, silent.path}


def test_a_stopped_process_does_not_go_on(job):
    """It lives, and does not renew its mark."""
    with program([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        os.kill(other.pid, signal.SIGSTOP)
        me = Process.current()
        there = until(lambda: started(other.pid), 30, "the process")
        now = time.time()
        path = job.run.key.attempt(0)
        mark = Attempt(path, 0, Process(me.host, other.pid, there), 1, "r", now, renewed=now)
        job.run.key.state.write(path, json.dumps(asdict(mark)).encode())
        assert suspects(job.run, 0) == []
        mark = replace(mark, renewed=now - SILENT_SECONDS - 1)
        job.run.key.state.write(path, json.dumps(asdict(mark)).encode())
        assert suspects(job.run, 0) == [mark]


def started(pid):
    from tidemill.storage.processes import _start_of

    return _start_of(pid)
