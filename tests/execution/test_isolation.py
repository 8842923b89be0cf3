"""Parts in a process of their own: what kills or hangs it is found and left out."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import psutil
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.errors import CalculationError, DataError, LeaseLostError
from tidemill.execution import isolation
from tidemill.execution.chunk import run_chunk
from tidemill.execution.isolation import Selection
from tidemill.execution.kernels import load_kernels
from tidemill.storage.markers import attempts, committed

from ..support import programs
from ..support.inputs import make_input, write_input
from ..support.jobs import leave_dead_attempt, opened
from ..support.waiting import until

POSITIONS = st.integers(0, 40)


@given(
    first=POSITIONS,
    length=POSITIONS,
    skip=st.sets(POSITIONS),
    solo=st.lists(st.tuples(POSITIONS, POSITIONS), max_size=3),
    most=st.integers(1, 9),
)
def test_ranges_cover_all_but_the_skipped(first, length, skip, solo, most):
    last = first + length
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "RANGE_IDS", most)
        ranges = list(Selection(dict.fromkeys(skip, "died"), solo).ranges(first, last))
    covered = [position for start, stop in ranges for position in range(start, stop)]
    assert covered == [position for position in range(first, last) if position not in skip]
    assert all(0 < stop - start <= most for start, stop in ranges)
    alone = {position for bounds in solo for position in range(*bounds)}
    assert all(stop - start == 1 for start, stop in ranges if {start, stop - 1} & alone)


def test_several_ranges_that_died_are_all_looked_at_one_by_one():
    selection = Selection()
    for first, last in ((0, 256), (512, 768)):
        selection.narrow(first, last, reason="died", hung=False)
    lengths = [last - first for first, last in selection.ranges(0, 1000)]
    assert lengths == [1] * 256 + [256] + [1] * 256 + [232]


def test_a_part_that_is_slow_as_a_whole_is_taken_one_by_one_from_then_on():
    selection = Selection()
    selection.narrow(0, 256, reason="did not finish", hung=True)
    assert {last - first for first, last in selection.ranges(0, 1000)} == {1}
    selection.narrow(7, 8, reason="did not finish", hung=True)
    assert list(selection.skip) == [7]


def test_a_child_that_dies_narrows_the_search():
    selection = Selection()
    selection.narrow(0, 4, reason="died", hung=False)
    assert list(selection.ranges(0, 6)) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 6)]
    selection.narrow(2, 3, reason="died", hung=False)
    assert list(selection.ranges(0, 6)) == [(0, 1), (1, 2), (3, 4), (4, 6)]
    assert selection.skip == {2: "its process died"}


def test_a_range_that_takes_too_long_is_no_poison_by_itself():
    """A part may just be slow: then all its ids are taken alone, at the cost of one child."""
    selection = Selection()
    selection.narrow(0, 4, reason="did not finish", hung=True)
    assert list(selection.ranges(0, 6)) == [(at, at + 1) for at in range(6)]
    assert selection.skip == {}


@pytest.fixture
def series(tmp_path):
    return make_input(tmp_path, n_ids=6, ids_per_part=6)


@pytest.fixture
def suspect(series, tmp_path, probe):
    """A job whose only part killed an earlier process."""
    with opened(series, tmp_path / "matrix", **probe.arguments, series_seconds=8.0) as job:
        load_kernels(job.run)
        leave_dead_attempt(job.run, 0)
        yield job


def test_an_innocent_part_takes_one_child(suspect, probe):
    result = run_chunk(suspect.run, [0])
    assert (result.calculated, result.rows, result.quarantined) == (1, 6, 0)
    assert set(probe.counts.values()) == {1}
    assert attempts(suspect.run.key) == []


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ("kill", "died of signal 9 (SIGKILL), 3 times in turn"),
        ("crash", "died of signal 11 (SIGSEGV)"),
        pytest.param("wait forever", "took more than 8 s", marks=pytest.mark.slow),
    ],
)
def test_the_poison_is_alone_in_quarantine(commands, reason, suspect, probe):
    probe.tell(3, commands)
    result = run_chunk(suspect.run, [0])
    assert (result.rows, result.quarantined) == (5, 1)
    marker = committed(suspect.run.key)[0]
    ((quarantined),) = marker.quarantined
    assert quarantined.id == "3"
    assert reason in quarantined.reason
    with suspect.run.key.data.open_input(marker.path) as file:
        assert pq.read_table(file)["id"].to_pylist() == [0, 1, 2, 4, 5]
    # In its range and alone; a signal that others may have sent, more than once.
    assert probe.counts[3] == 1 + (3 if commands == "kill" else 1)
    assert len(probe.processes) == probe.counts[3] + 1
    assert not any(map(psutil.pid_exists, probe.processes))


def test_two_poisons_are_both_found(suspect, probe):
    probe.tell(0, "crash")
    probe.tell(5, "crash")
    assert run_chunk(suspect.run, [0]).rows == 4
    (marker,) = committed(suspect.run.key).values()
    assert sorted(one.id for one in marker.quarantined) == ["0", "5"]


def test_an_innocent_whose_child_is_killed_from_outside_keeps_its_row(suspect, probe):
    """Killed in its range and twice alone: by whoever kills what is large, not by the series."""
    probe.tell(3, "wait go")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(run_chunk, suspect.run, [0])
        for n in range(3):
            until(lambda n=n: probe.counts[3] > n, 60, "the series begins", run)
            os.kill(probe.calls[-1][0], signal.SIGTERM if n else signal.SIGKILL)
        probe.release("go")
        result = run.result(60)
    assert (result.rows, result.quarantined) == (6, 0)


@pytest.mark.slow
def test_a_series_that_takes_too_much_memory_is_told_from_others(suspect, probe, monkeypatch):
    monkeypatch.setattr(isolation, "memory_of_child", lambda: 900 * 2**20)
    probe.tell(2, "take 1500; wait forever")
    result = run_chunk(replace(suspect.run, series_seconds=300.0), [0])  # memory is reached first
    assert (result.rows, result.quarantined) == (5, 1)
    (quarantined,) = committed(suspect.run.key)[0].quarantined
    assert quarantined.id == "2"
    said = r"its process took [\d,]+ MiB of memory, more than the 900 MiB that it may have"
    assert re.fullmatch(said, quarantined.reason)
    assert probe.counts[2] == 3  # in its range, after others, and as the only one of a child


@pytest.mark.slow
def test_a_leak_is_blamed_on_no_series(suspect, probe, monkeypatch):
    """Whichever series the limit is reached in, it takes no more than the others."""
    monkeypatch.setattr(isolation, "memory_of_child", lambda: 900 * 2**20)
    probe.tell("all", "take 300; sleep 0.3")
    with pytest.raises(CalculationError, match=r"part 1: .* but no series does so alone"):
        run_chunk(suspect.run, [0])
    assert committed(suspect.run.key) == {}


def test_too_much_poison_is_an_error(suspect, probe, monkeypatch):
    monkeypatch.setattr(isolation, "POISON_LIMIT", 1)
    probe.tell("all", "crash")
    with pytest.raises(
        CalculationError, match="part 1 still kills its process with 2 series left out"
    ):
        run_chunk(suspect.run, [0])
    assert committed(suspect.run.key) == {}


def test_a_childs_error_is_the_parents(suspect, probe):
    probe.tell(2, "wrong")
    with pytest.raises(CalculationError, match="a fault that stays"):
        run_chunk(suspect.run, [0])


def test_bad_data_keep_their_class(series, tmp_path):
    frame = series.frame.copy()
    frame.loc[40, "value"] = float("inf")
    bad = write_input(series.path, frame, 6, series.length)
    with opened(bad, tmp_path / "matrix") as job:
        leave_dead_attempt(job.run, 0)
        with pytest.raises(DataError, match=r"[Ii]nf"):
            run_chunk(job.run, [0])


def test_a_lost_lease_ends_the_child(suspect, probe):
    probe.tell(1, "wait forever")
    stop = threading.Timer(
        0.0, lambda: (probe.wait_for_calls(2), suspect.lease.release("cancelled"))
    )
    stop.start()
    with pytest.raises(LeaseLostError, match="cancelled"):
        run_chunk(suspect.run, [0])
    stop.join()
    assert not any(map(psutil.pid_exists, probe.processes))


PARENT = """\
import json, sys
from tidemill.execution.chunk import run_chunk
from tidemill.storage.run_address import Run
run_chunk(Run(**json.loads(sys.argv[1])), [0])
"""


@pytest.mark.parametrize("commands", ["wait forever", "lock"])
def test_a_child_ends_with_its_parent(commands, suspect, probe):
    """Also one that no thread of can run any more, as a series has the interpreter's lock."""
    probe.tell(1, commands)
    command = [sys.executable, "-c", PARENT, json.dumps(asdict(suspect.run))]
    with programs.program(command) as parent:
        probe.wait_for_calls(2)
        (child,) = probe.processes
        assert child != parent.pid
        parent.kill()
        until(lambda: not psutil.pid_exists(child), 15, "the child to end")
