"""`tidemill up` as people use it: a new project, real servers and workers, and kills."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient

import tidemill
from tidemill.orchestration.stack.ports import free_port, is_taken
from tidemill.orchestration.stack.supervise import DEATHS

from ...support import postgres, programs
from ...support.deployed import Run
from ...support.inputs import make_input
from ...support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

START_SECONDS = 300.0  # a server with a new database, on a loaded machine
STOP_SECONDS = 120.0
DEPLOYMENT = "extract/on-demand"
#: `tidemill`, which takes a process for hanging after 12 s instead of three minutes.
HASTY = """
from tidemill.cli.main import main
from tidemill.orchestration.stack import children, supervise
children.ASK_SECONDS, children.HEARTBEAT_SECONDS = 2.0, 2
supervise.QUESTION_SECONDS, supervise.UNANSWERED = 2.0, 6
main()
"""


@dataclass
class Stack:
    """A `tidemill up` that runs."""

    program: programs.Program
    port: int
    environment: dict[str, str]
    seen: set[psutil.Process] = field(default_factory=set)
    listening: set[tuple[str, int]] = field(default_factory=set)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def process(self, words: str) -> psutil.Process:
        """The child whose command has these words."""
        up = psutil.Process(self.program.pid)
        return next(one for one in up.children() if words in " ".join(one.cmdline()))

    def look(self) -> None:
        """Remember all processes, and the ports that they listen on."""
        for one in psutil.Process(self.program.pid).children(recursive=True):
            self.seen.add(one)
            for port in one.net_connections(kind="tcp"):
                if port.status == psutil.CONN_LISTEN:
                    self.listening.add((port.laddr.ip, port.laddr.port))

    def left(self) -> list[object]:
        """What is still there of all that was seen."""
        alive: list[object] = [one for one in self.seen if is_alive(one)]
        return alive + [where for where in self.listening if is_taken(*where)]

    def leaves_nothing(self) -> None:
        until(lambda: not self.left(), STOP_SECONDS, "everything to end")

    def lose_and_wait(self, name: str, words: str, number: int = signal.SIGKILL) -> None:
        """Kill or stop a child and wait for its successor."""
        ready = rf"{name} +ready after"
        count = len(re.findall(ready, self.program.output))
        self.process(words).send_signal(number)
        self.program.says(rf"(?s)(?:{ready}.*){{{count + 1}}}", START_SECONDS)

    @contextmanager
    def client(self) -> Iterator[SyncPrefectClient]:
        with SyncPrefectClient(self.api) as client:
            yield client


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True)
class Place:
    """A project made by `tidemill init`, and a home that is only its own."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        return {
            "HOME": home,
            "PREFECT_HOME": f"{home}/.prefect",
            "PREFECT_API_URL": "",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "COLUMNS": "200",
        }

    def command(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs.BIN / "tidemill", *map(str, words)],
            cwd=self.folder,
            env=programs.child_environment(self.environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @contextmanager
    def up(self, *options: object, is_hasty: bool = False, **environment: str) -> Iterator[Stack]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        values = {**self.environment, **environment}
        program = [sys.executable, "-c", HASTY] if is_hasty else [programs.BIN / "tidemill"]
        words = ["up", self.folder / "features", "--port", port, *options]
        with programs.program([*program, *map(str, words)], values) as one:
            one.says("Ctrl-C stops all of it", START_SECONDS)
            stack = Stack(one, port, values)
            stack.look()
            yield stack


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    place = Place(tmp_path_factory.mktemp("place"))
    (place.folder / "home").mkdir()
    made = place.command("init", "features")
    assert made.returncode == 0, made.stderr
    return place


@pytest.fixture(scope="module")
def stack(place) -> Iterator[Stack]:
    with place.up("--dask", 1, is_hasty=True) as stack:
        yield stack


#: Names, and words of their commands.
CHILDREN = {"worker": "worker start", "scheduler": "dask_scheduler", "server": "server start"}


def run_of(client: SyncPrefectClient, **parameters: Any) -> Run:
    deployment = client.read_deployment_by_name(DEPLOYMENT)
    return Run(
        client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id, client
    )


def test_it_says_where_everything_is_and_what_runs_next(stack):
    said = stack.program.output
    assert f"http://127.0.0.1:{stack.port}" in said
    assert f"export PREFECT_API_URL={stack.api}" in said
    assert re.search(r"extract-interval/hourly +\w{3} \d{4}-\d\d-\d\d \d\d:05 UTC, in ", said)
    assert re.search(rf"{DEPLOYMENT} +by hand", said)
    assert {address for address, _ in stack.listening} == {"127.0.0.1"}


def test_a_second_one_is_refused(place, stack):
    refused = place.command("up", "features", "--port", free_port(4200))
    assert refused.returncode == 1
    assert f"process {stack.program.pid}, {stack.api}" in refused.stderr
    checked = place.command("up", "features", "--port", free_port(4200), "--check")
    assert checked.returncode == 1
    assert f"kill {stack.program.pid}" in checked.stdout


def test_whatever_is_killed_comes_back_and_works(stack, tmp_path):
    for name, words in CHILDREN.items():
        stack.lose_and_wait(name, words)
    works(stack, tmp_path / "matrix")


def test_what_hangs_is_killed_comes_back_and_works(stack, tmp_path):
    for name, words in CHILDREN.items():
        stack.lose_and_wait(name, words, signal.SIGSTOP)
        assert f"{name} did not answer for 12 s and was killed" in " ".join(
            stack.program.output.split()
        )
    works(stack, tmp_path / "matrix")


def works(stack: Stack, sink: Path) -> None:
    """A run of a deployment completes, on the stack's cluster."""
    address = re.search(r"tcp://[\d.:]+", stack.program.output)[0]
    with stack.client() as client:
        run = run_of(client, sink=str(sink), settings="minimal", cluster=address)
        run.completes()
    assert tidemill.read_matrix(sink).shape == (398, 10)
    stack.look()


def test_what_dies_again_and_again_ends_all_of_it(stack):
    while not stack.program.done():
        try:
            stack.process("dask_scheduler").kill()
        except (StopIteration, psutil.NoSuchProcess):
            continue
    assert stack.program.wait() == 1
    assert f"scheduler was killed by SIGKILL: death {DEATHS} of {DEATHS}" in stack.program.output
    stack.leaves_nothing()


def test_a_run_goes_on_where_ctrl_c_stopped_it(place, probe, tmp_path):
    given = make_input(tmp_path, n_ids=2)
    sink = tmp_path / "matrix"
    probe.tell(1, "wait go")
    with postgres.server() as database:
        url = f"postgresql+asyncpg://{postgres.USER}@127.0.0.1:{database.port}/postgres"
        options = ("--database", url)
        with place.up(*options, PGPASSWORD=postgres.PASSWORD) as stack, stack.client() as client:
            values = {**given.arguments, **probe.arguments, "column_value": "value"}
            run = run_of(client, sink=str(sink), cluster="none", **values)
            probe.wait_for_calls(2, stack.program, START_SECONDS)
            stack.look()
            stack.program.interrupt()
            assert stack.program.wait(STOP_SECONDS) == 130
            stack.leaves_nothing()
        probe.release("go")
        with place.up(*options, PGPASSWORD=postgres.PASSWORD) as stack, stack.client() as client:
            again = Run(run.id, client)
            again.completes()
            assert again.attempts() == 2
            assert list(tidemill.read_matrix(sink).index) == [0, 1]
            stack.look()
            os.kill(stack.program.pid, signal.SIGKILL)
            stack.leaves_nothing()
