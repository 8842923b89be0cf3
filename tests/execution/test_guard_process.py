"""What the guard concludes from what it hears; its deeds are tested in test_guard.py."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from tidemill.execution import guard_process
from tidemill.execution.guard_process import (
    Watched,
    descendants,
    is_overdue,
    process_table,
    receive,
    take,
)


@pytest.fixture
def run():
    mine, its = socket.socketpair()
    with mine, its:
        watched = Watched(os.getpid(), mine)
        tell(watched, signals=[signal.SIGINT, signal.SIGTERM], run="begins", ticks=0)
        yield watched


def tell(run: Watched, now: float = 0.0, /, **message: object) -> None:
    take(run, json.dumps(message).encode(), now)


def send(run: Watched, number: int, now: float) -> None:
    take(run, bytes([number]), now)


def seconds_to_end(run: Watched, since: float) -> float:
    """Until the process is killed, looking four times a second."""
    for step in range(400):
        if is_overdue(run, since + step / 4):
            return step / 4
    return float("inf")


def test_a_request_to_stop_is_bounded_and_the_second_ctrl_c_more_so(run):
    send(run, signal.SIGINT, 100.0)
    send(run, signal.SIGINT, 100.1)  # the same, by another way
    assert 9.0 < seconds_to_end(run, 100.0) < 14.0
    tell(run, run="begins", ticks=0)
    send(run, signal.SIGINT, 200.0)
    send(run, signal.SIGINT, 203.0)
    assert seconds_to_end(run, 203.0) < 2.0


def test_a_command_may_ask_for_more_time_than_runs_get(run):
    tell(run, run="begins", ticks=0, soft=60.0)
    send(run, signal.SIGTERM, 100.0)
    assert 58.0 < seconds_to_end(run, 100.0) < 64.0
    tell(run, run="begins", ticks=0, soft=60.0)
    send(run, signal.SIGINT, 200.0)
    send(run, signal.SIGINT, 203.0)
    assert seconds_to_end(run, 203.0) < 2.0
    tell(run, run="begins", ticks=0)  # the next one has not asked
    send(run, signal.SIGINT, 300.0)
    assert 9.0 < seconds_to_end(run, 300.0) < 14.0


def test_sigterm_twice_is_one_request(run):
    """Prefect sends it to itself again when its part is done."""
    send(run, signal.SIGTERM, 100.0)
    send(run, signal.SIGTERM, 103.0)
    assert 6.0 < seconds_to_end(run, 103.0) < 11.0


def test_other_signals_and_runs_that_have_ended_do_not_count(run):
    send(run, signal.SIGCHLD, 100.0)
    assert seconds_to_end(run, 100.0) == float("inf")
    send(run, signal.SIGINT, 100.0)
    tell(run, run="ended")
    assert seconds_to_end(run, 100.0) == float("inf")


def test_after_a_stopped_run_only_the_end_of_the_interpreter_is_bounded(run):
    send(run, signal.SIGINT, 100.0)
    tell(run, 101.0, run="stopped")
    assert seconds_to_end(run, 101.0) == float("inf")
    tell(run, 102.0, run="exit")
    assert seconds_to_end(run, 102.0) < 12.0


def test_a_program_that_went_on_after_a_stopped_run_has_time_to_end(run):
    send(run, signal.SIGINT, 100.0)
    tell(run, 101.0, run="stopped")
    tell(run, 130.0, run="exit")
    assert 4.0 < seconds_to_end(run, 130.0) < 12.0


def test_descendants_are_found_at_any_depth():
    code = "import subprocess, sys; subprocess.run(['sleep', '600'])"
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        try:
            give_up = time.monotonic() + 60
            while len(found := descendants(process_table(), {child.pid}, 0)) < 1:
                assert time.monotonic() < give_up
                time.sleep(0.05)
            assert child.pid in descendants(process_table(), {os.getpid()}, 0)
        finally:
            for pid in found:
                os.kill(pid, signal.SIGKILL)


def test_the_script_needs_the_standard_library_alone():
    command = [sys.executable, "-I", "-S", "-X", "importtime", guard_process.__file__]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "IndexError" in shown.stderr  # it has no arguments
    imported = {line.rpartition("|")[2].strip() for line in shown.stderr.splitlines()}
    assert not {one for one in imported if one.startswith(("tidemill", "numpy", "psutil"))}


def test_long_silence_is_told_once_before_the_process_is_ended(run, capfd):
    tell(run, limit=310.0, reason="a series (part 3) keeps the interpreter")
    ended = []
    for _ in range(320):
        run.silence += 1.0
        ended.append(is_overdue(run, 0.0))
    assert ended.index(True) == 310
    told = capfd.readouterr().err.splitlines()
    assert told[0].endswith("keeps the interpreter for 61 s; after 310 s its process is ended")
    assert told[1].endswith("for more than 310 s; the process is ended, run again and it goes on")
    tell(run, limit=310.0, reason="another")
    run.silence = 61.0
    assert not is_overdue(run, 0.0)
    assert "another for 61 s" in capfd.readouterr().err


def test_a_connection_that_breaks_is_an_end():
    """As when the process of the run is killed before it has read what the guard sent."""
    kind = socket.SOCK_SEQPACKET if sys.platform == "linux" else socket.SOCK_DGRAM
    mine, its = socket.socketpair(socket.AF_UNIX, kind)
    with mine:
        mine.send(b"2")
        its.close()
        assert receive(mine) == b""
        assert receive(mine) == b""
