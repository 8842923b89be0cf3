"""A series that never ends is left to its thread; an innocent that is slow is not left out."""

from __future__ import annotations

import contextvars
import json
import signal
import sys
import threading
import time
from dataclasses import asdict

import pytest

from tidemill.execution import part_watch
from tidemill.execution.chunk import run_chunk
from tidemill.execution.kernels import load_kernels
from tidemill.execution.part_watch import Hang, TilesInWork, watched
from tidemill.storage.markers import attempts, committed

from ..support import programs
from ..support.inputs import make_input
from ..support.jobs import leave_dead_attempt, opened
from ..support.waiting import until

SECONDS = 4.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(part_watch, "LOOK_SECONDS", 0.1)


def watch(work, *, seconds=0.5, storage_seconds=60.0, discard=lambda: None, look=lambda _: None):
    limits = {"seconds": seconds, "storage_seconds": storage_seconds}
    return watched(work, name="part 1", **limits, discard=discard, look=look)


class Stubborn:
    """A calculation of ids 3 to 5 that makes no progress until it is let go."""

    def __init__(self, predicted=0.0):
        self.predicted = predicted
        self.go = threading.Event()
        self.ended = threading.Event()

    def __call__(self, tiles):
        try:
            tiles.begin(3, 6, lambda: self.predicted)
            self.go.wait(60)
            return "late"
        finally:
            self.ended.set()


def test_a_result_and_an_error_arrive_as_if_there_were_no_watch():
    variable = contextvars.ContextVar("variable")
    variable.set("seen in the thread too")
    assert watch(lambda _: variable.get()) == "seen in the thread too"
    with pytest.raises(ZeroDivisionError):
        watch(lambda _: 1 / 0)
    with pytest.raises(SystemExit):
        watch(lambda _: sys.exit(3))


def test_a_hang_is_reported_and_what_comes_late_is_thrown_away():
    work, thrown = Stubborn(), threading.Event()
    hang = watch(work, discard=thrown.set)
    assert (hang.first, hang.last) == (3, 6)
    assert hang.seconds > 0.5
    assert not work.ended.is_set()
    work.go.set()
    assert thrown.wait(30)


def test_an_abandoned_calculation_stops_at_its_next_series():
    work, stopped = Stubborn(), []

    def one_more(tiles):
        work(tiles)
        try:
            tiles.progress()
        except part_watch._AbandonedError:
            stopped.append(True)
            raise

    assert isinstance(watch(one_more, discard=lambda: stopped.append(False)), Hang)
    work.go.set()
    until(lambda: stopped, 30, "the thread to stop")
    assert stopped == [True]


def test_progress_and_time_between_ranges_do_not_count():
    def slow(tiles):
        for _ in range(4):
            tiles.begin(0, 4, float)
            time.sleep(0.5)
            tiles.progress()
            time.sleep(0.5)
        tiles.end()
        time.sleep(2.0)
        return "done"

    assert watch(slow, seconds=1.5) == "done"


def test_the_prediction_gives_more_time():
    work = Stubborn(predicted=100.0)
    threading.Timer(1.5, work.go.set).start()
    assert watch(work, seconds=0.2) == "late"


def test_a_stop_does_not_wait_for_a_hang(monkeypatch):
    monkeypatch.setattr(part_watch, "STOP_SECONDS", 0.2)
    work = Stubborn()

    def stop(_):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        watch(work, seconds=60.0, look=stop)
    assert not work.ended.is_set()
    work.go.set()


def test_what_is_finished_while_the_work_is_stopped_is_thrown_away():
    work, thrown = Stubborn(), threading.Event()

    def stop(_):
        work.go.set()
        raise InterruptedError

    with pytest.raises(InterruptedError):
        watch(work, seconds=60.0, discard=thrown.set, look=stop)
    assert thrown.is_set()


def test_half_of_the_limit_is_slow():
    tiles = TilesInWork(0.4)
    assert not tiles.is_slow
    tiles.begin(0, 1, lambda: 0.0)
    until(lambda: tiles.is_slow, 30, "it is slow")
    assert tiles.silence > 0.2
    until(lambda: tiles.is_overdue, 30, "it is overdue")
    tiles.end()
    assert not tiles.is_slow
    assert not tiles.is_overdue


def test_reading_that_takes_far_too_long_is_said_and_stuck(caplog):
    stuck, go = [], threading.Event()

    def read(tiles):
        go.wait(60)
        assert not tiles.is_stuck or tiles.since is None
        tiles.begin(0, 1, float)
        assert not tiles.is_stuck
        return "read"

    def look(tiles):
        stuck.append(tiles.is_stuck)
        if "no progress for 0 s of reading or writing" in caplog.text:
            go.set()

    assert watch(read, storage_seconds=0.3, look=look) == "read"
    assert stuck[0] is False
    assert stuck[-1] is True


@pytest.fixture
def job(tmp_path, probe):
    series = make_input(tmp_path, n_ids=6, ids_per_part=3)
    with opened(series, tmp_path / "matrix", **probe.arguments, series_seconds=SECONDS) as job:
        load_kernels(job.run)
        yield job


def test_a_series_that_hangs_is_isolated_found_and_left_out(job, probe):
    """Its thread goes on sleeping; what it writes in the end is not published."""
    probe.tell(1, "wait go")
    result = run_chunk(job.run, [0, 1])
    assert (result.calculated, result.rows, result.quarantined) == (2, 5, 1)
    first, second = committed(job.run.key).values()
    assert [one.id for one in first.quarantined] == ["1"]
    assert first.quarantined[0].reason == f"its process took more than {SECONDS:.0f} s"
    assert second.quarantined == ()
    assert probe.counts[1] == 2  # in its tile, and alone at once
    assert attempts(job.run.key) == []
    probe.release("go")
    until(lambda: "tidemill-part" not in {one.name for one in threading.enumerate()}, 30, "its end")
    paths = {entry.path for entry in job.run.key.data.folder()[0]}
    files = set(filter(job.run.key.is_part, paths))
    assert files == {first.path, second.path}


def test_a_slow_series_after_a_dead_attempt_is_calculated(job, probe):
    """Together its part takes longer than the limit, and no series does alone."""
    for one in (0, 1, 2):
        probe.tell(one, f"sleep {0.5 * SECONDS}")
    leave_dead_attempt(job.run, 0)
    result = run_chunk(job.run, [0])
    assert (result.rows, result.quarantined) == (3, 0)
    assert set(probe.counts.values()) == {1}


WORKER = """\
import json, sys
from tidemill.execution.chunk import run_chunk
from tidemill.storage.run_address import Run
run_chunk(Run(**json.loads(sys.argv[1])), [0])
"""


@pytest.mark.slow
def test_a_series_that_keeps_the_interpreters_lock_ends_its_process_and_is_found(job, probe):
    """No thread of its process can watch it, but the guard does; the next attempt is isolated."""
    probe.tell(0, "lock")
    command = [sys.executable, "-c", WORKER, json.dumps(asdict(job.run))]
    with programs.program(command) as worker:
        assert worker.wait() == -signal.SIGKILL
        assert "a series (part 1) keeps the interpreter for more than 14 s" in worker.output
    result = run_chunk(job.run, [0])
    assert (result.rows, result.quarantined) == (2, 1)
    (poison,) = committed(job.run.key)[0].quarantined
    assert (poison.id, probe.counts[0]) == ("0", 1 + 2)
