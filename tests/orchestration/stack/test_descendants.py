"""Processes below one that adopts orphans: found, asked to stop, killed."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from tidemill.orchestration.stack.descendants import below, end, kill_all, kill_trees

from ...support import programs

#: Starts a process in a session of its own, and dies: its child is an orphan.
PARENT = """
import subprocess
quiet = {"stdout": subprocess.DEVNULL, "start_new_session": True}
print(subprocess.Popen(["sleep", "600"], **quiet).pid, flush=True)
"""
ADOPTING = f"""
import os, subprocess, sys, time
from tidemill.orchestration.stack.descendants import *
adopt_orphans()
others = below()
def parent():
    command = [sys.executable, "-c", {PARENT!r}]
    return int(subprocess.run(command, stdout=subprocess.PIPE).stdout)
orphan = parent()
assert flows_of(set(), set(), others) == {{orphan}}
assert flows_of(set(), {{orphan}}, others) == set()
os.kill(orphan, 9)
while os.path.exists(f"/proc/{{orphan}}"):  # until it is let go of
    reap(())
orphans = {{parent(), parent()}}
kill_all(others)
assert not below() - others
print("done", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
@pytest.mark.leaves_nothing
def test_orphans_are_found_let_go_of_and_killed():
    with programs.program([sys.executable, "-c", ADOPTING]) as started:
        started.finishes()
        assert started.output == "done\n"


@pytest.mark.leaves_nothing
def test_processes_and_all_below_them_are_killed():
    others = below()
    code = "import subprocess; subprocess.run(['sleep', '600'])"
    process = subprocess.Popen([sys.executable, "-c", code])
    while not psutil.Process(process.pid).children():
        time.sleep(0.02)
    kill_trees([process.pid, 2**22 + 1])  # the second is nobody's
    assert process.wait(60) == -9
    kill_all(others)
    assert below() <= others


@pytest.mark.leaves_nothing
def test_a_process_that_ends_by_itself_is_not_killed():
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    end(process, 60.0)
    assert process.returncode == -15
