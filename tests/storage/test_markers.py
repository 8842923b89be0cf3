"""Exactly one attempt on a part counts; the dead are told from the living."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from tidemill.model.series import Quarantined
from tidemill.storage.failures import Failures
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import (
    Marker,
    attempts,
    begin_attempt,
    clear_attempts,
    commit_part,
    committed,
    end_attempt,
)

KEY = "0123456789abcdef" * 4


@pytest.fixture
def key(layout):
    return layout.key(KEY)


def written(key, index: int = 0, data: bytes = b"rows") -> Marker:
    path = key.part(index)
    key.data.write(path, data)
    return Marker(
        index,
        path,
        rows=2,
        bytes=len(data),
        checksum="c",
        seconds=0.5,
        seconds_by_calculator={"mean": 0.1},
        quarantined=(Quarantined("7", "x", "dies"),),
        errors=(Failures("x", "mean", "no", 2, ("3", "4")),),
        lower="a",
        upper="b",
    )


def test_a_marker_comes_back_as_it_was(key):
    marker = written(key, 3)
    assert commit_part(key, marker) == marker
    assert committed(key) == {3: marker}
    assert committed(key, [2]) == {}


def test_the_second_attempt_loses_and_leaves_nothing(key):
    first, second = written(key), written(key)
    assert commit_part(key, first) == first
    assert commit_part(key, second) == first
    assert [entry.path for entry in key.data.folder()[0]] == [first.path]


def test_a_commit_whose_answer_was_lost_is_won(key):
    marker = written(key)
    commit_part(key, marker)
    assert commit_part(key, marker) == marker
    assert key.data.exists(marker.path)


@pytest.mark.parametrize("damage", ["gone", "short", "unreadable"])
def test_a_marker_that_no_longer_holds_is_outvoted(key, damage):
    first, second, third = (written(key) for _ in range(3))
    commit_part(key, first)
    if damage == "gone":
        key.data.delete(first.path)
    elif damage == "short":
        key.data.write(first.path, b"ro")
    else:
        key.state.write(key.marker(0, 0), b'{"index":')
    assert committed(key) == {}
    assert commit_part(key, second) == second
    assert committed(key) == {0: second}
    assert commit_part(key, third) == second
    assert committed(key) == {0: second}


def test_another_result_has_other_markers(layout, key):
    other = layout.key("f" * 64)
    commit_part(key, written(key))
    assert committed(other) == {}
    assert other.part(0).startswith(f"part-{'f' * 16}-000000-")


def test_threads_race_for_a_part(key):
    barrier = threading.Barrier(6)
    results: list[Marker] = []

    def attempt() -> None:
        marker = written(key, 1)
        barrier.wait()
        results.append(commit_part(key, marker))

    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = committed(key)[1]
    assert results == [winner] * 6
    assert [entry.path for entry in key.data.folder()[0]] == [winner.path]


RACE = """
import sys
from tidemill.model.series import Quarantined
from tidemill.storage.failures import Failures
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import Marker, commit_part
sink, options, result_key, me = sys.argv[1], eval(sys.argv[2]), sys.argv[3], sys.argv[4]
layout = SinkLayout.of(sink, options)
key = layout.key(result_key)
layout.state.write("ready-" + me, b"")
while len(layout.state.folder()[0]) < 2:
    pass
wins = 0
for index in range(20):
    path = key.part(index)
    key.data.write(path, b"rows")
    wins += commit_part(key, Marker(index, path, 1, 4, "", 0.0)).path == path
print(wins)
"""


def test_processes_race_for_parts(layout, key):
    options = repr(layout.home.storage_options)
    command = [sys.executable, "-c", RACE, layout.url, options, KEY]
    processes = [subprocess.Popen([*command, me], stdout=subprocess.PIPE, text=True) for me in "ab"]
    assert sum(int(process.communicate(timeout=120)[0]) for process in processes) == 20
    found = committed(key)
    assert sorted(found) == list(range(20))
    files = {entry.path for entry in key.data.folder()[0]}
    assert files == {marker.path for marker in found.values()}


def test_marks_of_several_attempts_on_a_part(key):
    one = begin_attempt(key, 4, generation=1, run_id="r")
    two = begin_attempt(key, 4, generation=1, run_id="r")
    assert one.path != two.path
    assert attempts(key) == sorted((one, two), key=lambda attempt: attempt.path)
    end_attempt(key, one)
    end_attempt(key, one)
    assert attempts(key) == [two]
    assert attempts(key, [5]) == []


def test_a_damaged_mark_is_nobody_s(key):
    key.state.write(key.attempt(2), b"")
    left = attempts(key)
    assert [(one.index, one.process.pid) for one in left] == [(2, 0)]
    clear_attempts(key, left)
    assert attempts(key) == []


BEGIN = """
import sys, time
from tidemill.model.series import Quarantined
from tidemill.storage.failures import Failures
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import begin_attempt
key = SinkLayout.of(sys.argv[1]).key(sys.argv[2])
begin_attempt(key, 6, generation=1, run_id="r")
print("begun", flush=True)
time.sleep(60)
"""


def test_the_mark_of_a_killed_process_stays(tmp_path):
    key = SinkLayout.of(tmp_path / "matrix").key(KEY)
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, str(tmp_path / "matrix"), KEY],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (left,) = attempts(key)
    assert left.process.pid == process.pid
    assert not left.process.is_alive
