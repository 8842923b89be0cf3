"""Keeping processes: small programs that die, hang and start others."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tidemill.errors import StackError
from tidemill.orchestration.stack import supervise
from tidemill.orchestration.stack.children import Child
from tidemill.orchestration.stack.supervise import DEATHS, Supervisor

from ...support import programs
from ...support.waiting import until

HEAD = """
import os, signal, subprocess, sys, time
from pathlib import Path
def note(text):
    with open("events", "a") as file:
        file.write(text + "\\n")
def stop(number, frame):
    note(f"{name} stops")
    raise SystemExit
name = sys.argv[1]
signal.signal(signal.SIGTERM, stop)
"""
RUN = 'note(f"{name} runs {os.getpid()}")\nwhile True: time.sleep(0.05)\n'


@pytest.fixture
def supervisor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervise, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(supervise, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(supervise, "LOOK_SECONDS", 0.02)
    told: list[tuple[str, str]] = []
    one = Supervisor(tmp_path / "logs", lambda name, what: told.append((name, what)))
    one.told = told
    yield one
    one.kill()


def events() -> list[str]:
    return Path("events").read_text().splitlines() if Path("events").exists() else []


def pid_of(name: str) -> int:
    return int(next(line for line in reversed(events()) if f"{name} runs" in line).split()[-1])


def runs(name: str) -> Callable[[float], bool]:
    """Ready when its process has said so; the one of a start before does not count."""
    before = [0]

    def is_ready(_since: float) -> bool:
        count = sum(f"{name} runs" in line for line in events())
        is_new = count > before[0]
        before[0] = count if is_new else before[0]
        return is_new

    return is_ready


def child(name: str, program: str = RUN, **fields) -> Child:
    text = HEAD + textwrap.dedent(program)
    fields = {"is_ready": runs(name), "address": "here", **fields}
    return Child(name, (sys.executable, "-c", text, name), dict(os.environ), **fields)


@pytest.mark.leaves_nothing
def test_they_are_started_one_after_the_other_and_stopped_in_reverse(supervisor):
    for name in ("server", "scheduler", "worker"):
        supervisor.start(child(name))
    supervisor.stop()
    names = [line.rpartition(" ")[0] if "runs" in line else line for line in events()]
    assert names == [
        "server runs", "scheduler runs", "worker runs",
        "worker stops", "scheduler stops", "server stops",
    ]  # fmt: skip
    *told, last = supervisor.told
    assert [name for name, _ in told[::2]] == ["server", "scheduler", "worker"]
    assert {what for _, what in told[::2]} == {"starts"}
    assert all(what.startswith("ready after ") for _, what in told[1::2])
    assert last == ("everything", "is being stopped")


@pytest.mark.leaves_nothing
def test_one_that_dies_is_started_again_until_the_limit(supervisor):
    supervisor.start(child("server"))
    supervisor.start(child("worker", 'print("my last words", flush=True)\n' + RUN))
    for count in range(1, DEATHS):
        first = pid_of("worker")
        os.kill(first, signal.SIGKILL)
        supervisor.watch(until=lambda first=first: pid_of("worker") != first)
        assert f"death {count} of {DEATHS}" in supervisor.told[-1][1]
        supervisor.watch(until=lambda: "ready" in supervisor.told[-1][1])
    os.kill(pid_of("worker"), signal.SIGKILL)
    with pytest.raises(StackError, match=f"worker was killed by SIGKILL: death {DEATHS}") as died:
        supervisor.watch()
    assert died.value.args[-1] == "my last words"
    assert "logs/worker.log" in str(died.value)
    supervisor.stop()
    assert events()[-1] == "server stops"


@pytest.mark.leaves_nothing
def test_deaths_of_long_ago_do_not_count(supervisor, monkeypatch):
    monkeypatch.setattr(supervise, "WITHIN_SECONDS", 0.0)
    supervisor.start(child("worker"))
    for _ in range(DEATHS + 1):
        first = pid_of("worker")
        os.kill(first, signal.SIGKILL)
        supervisor.watch(until=lambda first=first: pid_of("worker") != first)
    supervisor.stop()


@pytest.mark.leaves_nothing
def test_one_that_never_was_ready_is_not_started_again(supervisor):
    supervisor.start(child("server"))
    wrong = child("worker", 'print("no such pool"); sys.exit(3)', is_ready=lambda _since: False)
    with pytest.raises(StackError, match="worker ended with status 3 before it was ready") as died:
        supervisor.start(wrong)
    assert died.value.args[1:] == ("no such pool",)
    supervisor.stop()


@pytest.mark.leaves_nothing
def test_patience_has_an_end(supervisor):
    slow = child("server", is_ready=lambda _since: False, patience=0.2)
    with pytest.raises(StackError, match="was not ready within 0 s before it was ready"):
        supervisor.start(slow)
    supervisor.stop()


def answers(name: str) -> Callable[[float], bool]:
    """Answers while its process has a pulse: it touches a file."""
    return lambda since: (beat := Path(f"{name}.beat")).exists() and beat.stat().st_mtime > since


PULSE = """
note(f"{name} runs {os.getpid()}")
while True:
    Path(f"{name}.beat").touch()
    time.sleep(0.01)
"""


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(
        supervise, "QUESTION_SECONDS", 0.2
    )  # each process has longer to write its pulse


@pytest.mark.leaves_nothing
@pytest.mark.usefixtures("hasty")
def test_one_that_hangs_is_killed_and_started_again(supervisor):
    server = child("server", PULSE, is_ready=answers("server"))
    supervisor.start(server)
    supervisor.start(child("worker", PULSE, is_ready=answers("worker")))
    first = {name: pid_of(name) for name in ("server", "worker")}
    os.kill(first["server"], signal.SIGSTOP)
    supervisor.watch(until=lambda: pid_of("server") != first["server"])
    (how,) = [one for one in supervisor.told if "answer" in one[1]]
    limit = f"death 1 of {DEATHS} within 10 min"
    assert how == (
        "server",
        f"did not answer for 2 s and was killed; started again in 0 s ({limit})",
    )
    supervisor.watch(until=lambda: supervisor.told[-1][1].startswith("ready after"))
    assert pid_of("worker") == first["worker"]
    supervisor.stop()


@pytest.mark.leaves_nothing
@pytest.mark.usefixtures("hasty")
def test_who_is_asked_through_one_that_hangs_is_not_to_blame(supervisor, monkeypatch):
    """And is given all of its questions anew when that one answers again."""
    asked: list[float] = []

    def through_server(since: float) -> bool:
        asked.append(since)
        return answers("server")(since) and answers("worker")(since)

    supervisor.start(child("server", PULSE, is_ready=answers("server")))
    supervisor.start(child("worker", PULSE, is_ready=through_server))
    first = {name: pid_of(name) for name in ("server", "worker")}
    os.kill(first["server"], signal.SIGSTOP)
    count = len(asked)
    supervisor.watch(until=lambda: pid_of("server") != first["server"])
    assert len(asked) - count < supervise.UNANSWERED / 2
    os.kill(first["worker"], signal.SIGSTOP)
    supervisor.watch(until=lambda: pid_of("worker") != first["worker"])
    died = [name for name, what in supervisor.told if "did not answer" in what]
    assert died == ["server", "worker"]
    supervisor.stop()


@pytest.mark.leaves_nothing
@pytest.mark.usefixtures("hasty")
def test_a_pause_of_the_supervisor_or_of_a_child_does_no_harm(supervisor):
    supervisor.start(child("server", PULSE, is_ready=answers("server")))
    first, rounds = pid_of("server"), [0]

    def paused() -> bool:
        """Neither asks nor answers for longer than would do."""
        rounds[0] += 1
        if rounds[0] == 2:
            os.kill(first, signal.SIGSTOP)
            time.sleep(1.5 * supervise.UNANSWERED * supervise.QUESTION_SECONDS)
            os.kill(first, signal.SIGCONT)
        return rounds[0] > 30

    supervisor.watch(until=paused)
    assert pid_of("server") == first
    supervisor.stop()


@pytest.mark.leaves_nothing
@pytest.mark.usefixtures("hasty")
def test_one_that_need_not_be_asked_again_is_not(supervisor):
    asked: list[float] = []
    ready = runs("server")
    supervisor.start(
        child("server", is_ready=lambda since: asked.append(since) or ready(since),
              is_asked_again=False)
    )  # fmt: skip
    count, rounds = len(asked), iter(range(50))
    supervisor.watch(until=lambda: next(rounds, None) is None)
    assert len(asked) == count
    supervisor.stop()


WORKER = """
    flow = HEAD + "name = 'flow'\\n" + FLOW
    subprocess.Popen([sys.executable, "-c", flow, "flow"], start_new_session=True)
"""


def worker_with(flow: str) -> Child:
    program = f"HEAD = {HEAD!r}\nFLOW = {flow!r}\n" + textwrap.dedent(WORKER) + RUN
    both = runs("flow")
    return child("worker", program, is_ready=both, starts_flows=True)


@pytest.mark.leaves_nothing
def test_runs_in_progress_are_stopped_before_their_worker(supervisor):
    supervisor.start(child("server"))
    supervisor.start(worker_with(RUN))
    supervisor.stop()
    assert events()[-3:] == ["flow stops", "worker stops", "server stops"]
    assert ("worker", "stops 1 run in progress") in supervisor.told


@pytest.mark.leaves_nothing
def test_a_run_that_does_not_stop_is_killed(supervisor, monkeypatch):
    monkeypatch.setattr(supervise, "FLOW_SECONDS", 0.3)
    supervisor.start(worker_with("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + RUN))
    flow = psutil.Process(pid_of("flow"))
    supervisor.stop()
    assert not flow.is_running() or flow.status() == psutil.STATUS_ZOMBIE


@pytest.mark.leaves_nothing
def test_one_that_does_not_stop_is_killed_with_its_group(supervisor):
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    program = deaf + 'subprocess.Popen(["sleep", "600"])\n' + RUN
    supervisor.start(child("server", program, stop_seconds=0.2))
    assert psutil.Process(pid_of("server")).children()
    supervisor.stop()  # the mark looks for both


def test_others_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with programs.program(["sleep", "600"]) as other:
        one = Supervisor(tmp_path / "logs", lambda _name, _what: None)
        one.start(child("server", is_ready=runs("server")))
        one.stop()
        assert not other.done()
    until(lambda: "server stops" in events(), 10, "the server to stop")


STUBBORN = """
import os, sys
from pathlib import Path
from tidemill.cli.stopping import stoppable_for_long
from tidemill.orchestration.stack import supervise
from tidemill.orchestration.stack.children import Child
FLOW = "import signal, time; signal.signal(15, signal.SIG_IGN); open('flow', 'w'); time.sleep(600)"
WORKER = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {FLOW!r}])"
command = (sys.executable, "-c", WORKER + "; time.sleep(600)")
supervise.FLOW_SECONDS = 600.0
def is_ready(since):
    return os.path.exists("flow")
worker = Child("worker", command, dict(os.environ), is_ready, starts_flows=True)
with stoppable_for_long(600.0), supervise.supervised(Path("logs"), print) as one:
    one.start(worker)
    one.watch()
"""


@pytest.mark.leaves_nothing
def test_a_second_ctrl_c_kills_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with programs.program([sys.executable, "-u", "-c", STUBBORN]) as started:
        started.says("ready after")
        started.interrupt()
        started.says("stops 1 run in progress")
        started.interrupt()
        assert started.wait(60.0) in {130, -signal.SIGINT}
