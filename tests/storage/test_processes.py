"""A process is told apart from one that took its number, and from one on another host."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tidemill.storage import processes
from tidemill.storage.processes import Process


def test_a_reused_process_number_is_another_process():
    me = Process.current()
    assert me.is_alive
    assert not replace(me, started=me.started - 5).is_alive


ANNOUNCE = """
import json
from dataclasses import asdict
from tidemill.storage.processes import Process
print(json.dumps(asdict(Process.current())), flush=True)
input()
"""


def test_another_process_is_seen_from_here_until_it_ends():
    with subprocess.Popen(
        [sys.executable, "-c", ANNOUNCE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        other = Process(**json.loads(child.stdout.readline()))
        assert (other.is_here, other.is_alive, other.pid) == (True, True, child.pid)
        child.kill()
        child.wait()
        assert not other.is_alive


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    other = Process(Process.current().host, child.pid, processes._start_of(child.pid))
    assert child.stdout is not None
    child.stdout.read()  # until it ends; nobody has waited for it yet
    child.stdout.close()
    until = time.monotonic() + 10
    while other.is_alive and time.monotonic() < until:
        time.sleep(0.01)
    assert not other.is_alive
    child.wait()


@pytest.mark.parametrize("host", ["", "elsewhere", "elsewhere/1a2b3c4d/4026531836"])
def test_a_process_of_another_host_is_not_here(host):
    me = Process.current()
    other = replace(me, host=host)
    assert not other.is_here
    assert other.host_name == ("elsewhere" if host else "")


def test_a_number_that_nobody_has_is_dead():
    assert not Process(Process.current().host, 2**22 + 1, 1.0).is_alive
