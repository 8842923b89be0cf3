"""The guard of a run, on programs that hang, are killed, or go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from tidemill.execution.guard import at_forced_end, guarded, register_folder, register_process

from ..support import programs
from ..support.waiting import until

#: After SIGINT or SIGTERM; the guard needs 12 s where nothing else ends the run.
SECONDS_TO_STOP = 30.0
HEAD = """
import os, signal, subprocess, sys, threading, time
from tidemill.execution.guard import guarded, register_folder, register_process, sign_of_life
def ready(*words):
    print("ready", *words, flush=True)
"""
#: Nothing else runs in the interpreter meanwhile.
HOLD_THE_LOCK = "sum(range(10**14))"
CHILD = 'subprocess.Popen(["sleep", "600"], start_new_session=True).pid'


@contextmanager
def script(text: str, folder: Path) -> Iterator[programs.Program]:
    path = folder / "script.py"
    path.write_text(HEAD + textwrap.dedent(text))
    with programs.program([sys.executable, str(path)]) as started:
        yield started


def guard_of(pid: int) -> psutil.Process:
    found = [
        one
        for one in psutil.Process(pid).children()
        if any("guard_process" in word for word in one.cmdline())
    ]
    assert len(found) == 1
    return found[0]


def let_it_look(guard: psutil.Process) -> None:
    """Wait until the guard has surely listed the processes; it sleeps in between."""
    before = guard.num_ctx_switches().voluntary
    until(lambda: guard.num_ctx_switches().voluntary > before + 12, 60, "the guard to look")


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(
    ("hang", "number", "status"),
    [
        ("while True: time.sleep(0.1) if not hasattr(time, 'x') else None", "SIGTERM", None),
        ("join()", "SIGINT", 130),
        (HOLD_THE_LOCK, "SIGINT", -9),
    ],
    ids=["no handler", "threads that hang", "the interpreter's lock"],
)
def test_a_signal_ends_what_hangs_and_its_children(hang, number, status, tmp_path):
    text = f"""
    def join():
        threading.Thread(target=time.sleep, args=(600,)).start()
        raise KeyboardInterrupt if time.sleep(600) else SystemExit
    with guarded():
        time.sleep(0.1)  # the system counts in hundredths
        ready({CHILD})
        {hang}
    """
    with script(text, tmp_path) as running:
        child = int(running.says(r"ready (\d+)")[1])
        guard = guard_of(running.pid)
        let_it_look(guard)  # and the process is in the call that hangs
        os.kill(running.pid, getattr(signal, number))
        ended = running.wait(SECONDS_TO_STOP)
        assert ended == (-signal.SIGTERM if status is None else status), running.output
        until(lambda: is_gone(child) and is_gone(guard.pid), 20, "its child and its guard to end")


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    text = f"""
    with guarded():
        ready()
        {HOLD_THE_LOCK}
    """
    with script(text, tmp_path) as running:
        running.says("ready")
        time.sleep(0.5)
        running.interrupt()
        time.sleep(1.0)
        began = time.monotonic()
        running.interrupt()
        assert running.wait(SECONDS_TO_STOP) == -signal.SIGKILL
        assert time.monotonic() - began < 6.0  # 2 s on a quiet machine
        assert "stopped by force" in running.output


def test_what_a_killed_run_has_started_ends_with_it_and_nothing_else(tmp_path):
    text = f"""
    before = {CHILD}
    time.sleep(0.1)  # the system counts in hundredths
    with guarded():
        time.sleep(0.1)
        ready(before, {CHILD})
        time.sleep(600)
    """
    with script(text, tmp_path) as running:
        pids = running.says(r"ready (\d+) (\d+)")
        before, child = int(pids[1]), int(pids[2])
        try:
            guard = guard_of(running.pid)
            let_it_look(guard)
            running.kill()
            until(lambda: is_gone(child) and is_gone(guard.pid), 30, "child and guard to end")
            assert not is_gone(before)
        finally:
            os.kill(before, signal.SIGKILL)


def test_a_registered_process_and_folders_end_with_a_killed_one_also_between_runs(tmp_path):
    text = f"""
    with guarded():
        pass
    register_folder({str(tmp_path)!r})
    from tidemill.calculators.jit.own_folders import own_folder
    other, server = {CHILD}, {CHILD}
    register_process(server)
    with own_folder("tidemill-dask-", {str(tmp_path)!r}) as folder:
        open(folder + "/file", "w").close()
        ready(other, server)
        time.sleep(600)
    """
    with script(text, tmp_path) as running:
        pids = running.says(r"ready (\d+) (\d+)")
        other, server = int(pids[1]), int(pids[2])
        try:
            running.kill()
            until(lambda: is_gone(server), 30, "the server to end")
            until(lambda: not list(tmp_path.glob("tidemill-dask-*")), 30, "the folder to go")
            assert not is_gone(other)
        finally:
            os.kill(other, signal.SIGKILL)


def test_no_sign_of_life_within_the_limit_ends_the_process_with_a_sentence(tmp_path):
    text = f"""
    with guarded():
        sign_of_life(5.0, "series 7 keeps the interpreter")
        ready()
        {HOLD_THE_LOCK}
    """
    with script(text, tmp_path) as running:
        running.says("ready")
        os.kill(running.pid, signal.SIGSTOP)
        time.sleep(7.0)
        os.kill(running.pid, signal.SIGCONT)
        time.sleep(0.2)
        assert not running.done(), "a stopped process is not silent"
        assert running.wait(SECONDS_TO_STOP) == -signal.SIGKILL
        assert "series 7 keeps the interpreter for more than 5 s" in running.output


OWN_HANDLER = """
signal.signal(signal.SIGTERM, lambda *_: ready("own"))
with guarded():
    ready("run")
    ends = time.monotonic() + 14
    while time.monotonic() < ends:
        time.sleep(0.1)
print("done", flush=True)
"""
GOES_ON = """
try:
    with guarded():
        ready("run")
        time.sleep(600)
except KeyboardInterrupt:
    time.sleep(14)
    print("done", flush=True)
"""
FORKS = """
with guarded():
    child = os.fork()
    if child == 0:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(600)
    ready("run")
    os.waitpid(child, 0)
    time.sleep(14)
print("done", flush=True)
"""


@pytest.mark.slow
def test_programs_that_were_not_asked_to_end_go_on(tmp_path):
    """One handles SIGTERM itself, one goes on after Ctrl-C, the child of the third gets Ctrl-C."""
    with ExitStack() as stack:
        running = []
        for text in (OWN_HANDLER, GOES_ON, FORKS):
            folder = tmp_path / str(len(running))
            folder.mkdir()
            running.append(stack.enter_context(script(text, folder)))
        for one in running:
            one.says("ready run")
        os.kill(running[0].pid, signal.SIGTERM)
        running[1].interrupt()
        running[0].says("ready own")
        for one in running:
            one.finishes(60)
            assert "done" in one.output


def test_an_interactive_interpreter_has_no_guard():
    code = "import tidemill.execution.guard as g\nwith g.guarded(): print(g._guard)\n\n"
    shown = subprocess.run(
        [sys.executable, "-i", "-q"], input=code, capture_output=True, text=True, check=True
    )
    assert "None" in shown.stdout


def test_runs_may_overlap_in_one_process():
    with guarded(), guarded():
        register_process(os.getpid() + 10_000_000)  # no such process: nothing happens
        register_folder("/nowhere")
        at_forced_end(lambda: None)
