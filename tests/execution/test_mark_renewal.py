"""Marks of a process in which nobody can renew them: by another one, while it runs."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict

import psutil
import pytest

from tidemill.execution.mark_renewal import renew_all
from tidemill.storage.markers import Attempt, attempts, begin_attempt, end_attempt

from ..support import programs
from ..support.inputs import make_input
from ..support.jobs import opened
from ..support.waiting import until


@pytest.fixture
def job(tmp_path, probe):
    with opened(make_input(tmp_path, n_ids=2), tmp_path / "matrix", **probe.arguments) as job:
        yield job


def test_only_marks_that_are_there_are_renewed(job):
    mark, gone = (begin_attempt(job.run.key, n, generation=1, run_id="r") for n in (0, 1))
    end_attempt(job.run.key, gone)
    assert Attempt.from_values(json.loads(json.dumps(asdict(mark)))) == mark
    renew_all([(job.run, mark), (job.run, gone)])
    (renewed,) = attempts(job.run.key)
    assert renewed.path == mark.path
    assert renewed.hangs
    assert renewed.renewed > mark.renewed


WORKER = """\
import json, sys
from tidemill.execution.chunk import run_chunk
from tidemill.storage.run_address import Run
run_chunk(Run(**json.loads(sys.argv[1])), [0])
"""


def renewals(worker: programs.Program) -> list[psutil.Process]:
    below = psutil.Process(worker.pid).children(recursive=True)
    return [one for one in below if any("mark_renewal" in word for word in one.cmdline())]


@pytest.mark.slow
def test_the_mark_of_a_series_that_keeps_the_interpreters_lock_is_renewed(job, probe):
    """Whatever becomes of the process that does so; but not while its own process is stopped."""

    def renewed() -> float:
        return max((one.renewed for one in attempts(job.run.key) if one.hangs), default=0.0)

    probe.tell(0, "lock")
    command = [sys.executable, "-c", WORKER, json.dumps(asdict(job.run))]
    with programs.program(command) as worker:
        first = until(renewed, 120, "the mark to be renewed", worker)
        (renewal,) = renewals(worker)
        renewal.kill()
        until(lambda: renewed() > first, 120, "the mark to be renewed by another", worker)
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(3.0)  # what is under way may still be written
        last = renewed()
        time.sleep(7.0)
        assert renewed() == last
        os.kill(worker.pid, signal.SIGCONT)
        until(lambda: renewed() > last, 60, "the mark to be renewed once it goes on", worker)
