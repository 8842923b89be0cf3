"""Prefect's server is killed, stopped or restarted while chunks are calculated: runs outlast it.

What is done to three servers is done at the same time, since most of it is waiting.
"""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

from ..support import programs
from ..support.inputs import make_input
from ..support.probes import Probe
from ..support.sinks import assert_nothing_left, records, state
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PARTS = 6
#: A minute on a quiet machine; Prefect's client alone takes 220 s, or more than 420.
SECONDS_TO_END = 150.0
UNTOLD = r"published; the Prefect server at http://127\.0\.0\.1:\d+/api could not be told"


@dataclass
class Server:
    """A server with a database and a port of its own, which can be started again."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @contextmanager
    def running(self) -> Iterator[programs.Program]:
        command = [programs.BIN / "prefect", "server", "start", "--host=127.0.0.1", "--no-ui"]
        environment = {"PREFECT_HOME": str(self.home), "PREFECT_API_URL": ""}
        with programs.program([*command, f"--port={self.port}"], environment) as started:
            until(self._answers, 180, "the server to answer", started)
            yield started

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def runs(self) -> list[FlowRun]:
        with SyncPrefectClient(self.url) as client:
            return client.read_flow_runs(limit=50)


@dataclass
class Row:
    """What is done to one server, with the runs that use it."""

    server: Server
    folder: Path
    stack: ExitStack

    @classmethod
    @contextmanager
    def of(cls, folder: Path) -> Iterator[Row]:
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            server = Server(folder / "home", free.getsockname()[1])
        with ExitStack() as stack:
            yield cls(server, folder, stack)

    def start(self, cluster: str) -> tuple[programs.Program, Probe, Path]:
        """A run whose series wait for ``probe.release("go")``; the probe; the sink."""
        place = self.folder / cluster.partition(":")[0]
        probe = Probe(place / "probe")
        probe.folder.mkdir(parents=True)
        probe.tell("all", "wait go")
        command = self.stack.enter_context(self._extraction(cluster))
        return command, probe, place / "matrix"

    def again(self, cluster: str) -> None:
        """The same run once more; all of it is there."""
        with self._extraction(cluster) as command:
            command.finishes(SECONDS_TO_END)

    def _extraction(self, cluster: str) -> AbstractContextManager[programs.Program]:
        place = self.folder / cluster.partition(":")[0]
        series = make_input(self.folder, n_ids=PARTS)
        options = [*series.options, *Probe(place / "probe").options, f"--cluster={cluster}"]
        environment = {"PREFECT_API_URL": self.server.url}
        return programs.extraction(series.path, place / "matrix", *options, environment=environment)


def calls(n: int, probe: Probe, command: programs.Program) -> None:
    """Wait until the run calculates, however many processes start beside it."""
    until(lambda: len(probe.calls) >= n, 240, f"{n} calls of the probe", command)


def ends_well(command: programs.Program, probe: Probe, sink: Path) -> None:
    """The run goes on, publishes, and ends with status 0."""
    probe.release("go")
    command.finishes(SECONDS_TO_END)
    assert sorted(probe.counts.values()) == [1] * PARTS, "nothing was calculated twice"
    assert [one["state"] for one in records(sink)] == ["finished"]
    assert records(sink)[-1]["rows"] == PARTS
    assert "Traceback" not in command.output
    assert_nothing_left(sink)


def killed(folder: Path) -> None:
    with Row.of(folder) as row:
        with row.server.running() as server:
            runs = []
            for cluster in ("processes:2", "threads:2"):
                runs.append(row.start(cluster))
                calls(2, runs[-1][1], runs[-1][0])
            server.kill()
        for command, probe, sink in runs:
            ends_well(command, probe, sink)
            assert re.search(UNTOLD, command.output), command.output
            assert len([*(state(sink) / "untold").iterdir()]) == 2, "the run and the inner one"
        with row.server.running():
            assert {run.state_name for run in row.server.runs()} == {"Running"}
            row.again("threads:2")
            sink = runs[-1][2]
            named = {run.state_name for run in row.server.runs() if is_about(run, sink)}
            assert named == {"Completed"}, "the next run of the table tells of the earlier one"
            assert [*(state(sink) / "untold").iterdir()] == []


def is_about(run: FlowRun, sink: Path) -> bool:
    return str(sink) in {run.parameters.get("sink"), run.parameters.get("run", {}).get("sink")}


def stopped(folder: Path) -> None:
    with Row.of(folder) as row, row.server.running() as server:
        command, probe, sink = row.start("threads:2")
        calls(2, probe, command)
        for one in programs.session_members(server.pid):
            one.send_signal(signal.SIGSTOP)
        ends_well(command, probe, sink)
        assert re.search(UNTOLD, command.output), command.output


def restarted(folder: Path) -> None:
    with Row.of(folder) as row:
        with row.server.running() as server:
            command, probe, sink = row.start("threads:2")
            calls(2, probe, command)
            server.kill()
        with row.server.running():
            ends_well(command, probe, sink)
            assert "could not be told" not in command.output
            assert {run.state_name for run in row.server.runs()} == {"Completed"}


def test_a_server_that_is_killed_stopped_or_restarted_in_mid_run(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        rows = [pool.submit(row, tmp_path / row.__name__) for row in (killed, stopped, restarted)]
        for row in rows:
            row.result()
