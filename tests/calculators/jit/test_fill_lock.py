"""A lock whose owner stands still is not waited for without end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tidemill.calculators.jit import fill_lock
from tidemill.calculators.jit.cache import LOCK
from tidemill.calculators.jit.fill_lock import filling

OWNER = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("owned", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def owner(tmp_path):
    """A process that holds the lock, and is stopped."""
    command = [sys.executable, "-c", OWNER, str(tmp_path / LOCK)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "owned\n"
    os.kill(process.pid, signal.SIGSTOP)
    yield process
    process.kill()
    process.communicate()


def test_a_stopped_owner_is_waited_for_once(owner, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(fill_lock, "PATIENCE", 2.0)
    began = time.monotonic()
    with filling(tmp_path):
        first = time.monotonic() - began
    assert 2 <= first < 30
    monkeypatch.setattr(fill_lock, "PATIENCE", 600.0)
    with filling(tmp_path):
        pass
    assert [record.message for record in caplog.records] == [
        (
            f"another process has been compiling kernels into {tmp_path} without a result for 2 s; "
            "it may be stopped, so this process compiles them for itself"
        )
    ]
    owner.kill()
    owner.wait()
    with filling(tmp_path):
        assert tmp_path not in fill_lock._overtaken


def test_an_owner_that_stores_kernels_is_waited_for(owner, tmp_path, monkeypatch):
    monkeypatch.setattr(fill_lock, "PATIENCE", 2.0)
    began = time.monotonic()

    def store():
        while time.monotonic() - began < 3.5:
            (tmp_path / f"{time.monotonic_ns()}.nbc").touch()
            time.sleep(0.2)

    producer = threading.Thread(target=store)
    producer.start()
    with filling(tmp_path):
        waited = time.monotonic() - began
    producer.join()
    assert waited >= 5.2


def test_without_a_folder_there_is_no_lock():
    with filling(None):
        pass
