"""The logs of the stack's processes."""

import subprocess
import sys

from tidemill.orchestration.stack import logs
from tidemill.orchestration.stack.logs import ChildLog


def log_of(folder, text=""):
    log = ChildLog(folder / "logs" / "server.log")
    with log.opened() as file:
        file.write(text.encode())
    return log


def test_each_start_goes_on_and_only_the_owner_reads_it(tmp_path):
    log_of(tmp_path, "first\n")
    log = log_of(tmp_path, "second\n")
    assert log.path.read_text() == "first\nsecond\n"
    assert log.path.stat().st_mode & 0o077 == 0
    assert log.path.parent.stat().st_mode & 0o077 == 0


def test_last_lines_are_those_of_the_last_start(tmp_path):
    log = log_of(tmp_path, "of before\n")
    start = log.size()
    log_of(tmp_path, "".join(f"line {i}\n\n" for i in range(20)))
    assert log.last_lines(start, 3) == ["line 17", "line 18", "line 19"]
    assert log.last_lines(start, 99)[0] == "line 0"
    assert ChildLog(tmp_path / "none").last_lines(0) == []


def test_a_large_log_is_emptied_while_its_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "MOST_BYTES", 1000)
    log = log_of(tmp_path)
    program = "print('x' * 2000, flush=True); input(); print('after', flush=True)"
    with log.opened() as file:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=file
        )
    while log.size() < 2001:
        assert process.poll() is None
    log.shorten()
    process.communicate(b"\n", timeout=60)
    assert log.path.read_text() == "after\n"
    assert log.path.with_name("server.log.1").read_text() == "x" * 2000 + "\n"
    log.shorten()
    assert log.path.read_text() == "after\n"
