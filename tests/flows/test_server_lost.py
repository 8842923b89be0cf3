"""Prefect's server is killed, stopped or restarted while chunks are calculated: runs outlast it.

What is done to five servers is done at the same time, since most of it is waiting.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from prefect.client.schemas.objects import FlowRun

from tidemill.orchestration.services import SAID

from ..support import programs
from ..support.inputs import make_days, make_input
from ..support.probes import Probe
from ..support.servers import Server
from ..support.sinks import assert_nothing_left, records, state
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PARTS = 6
DAYS = ["2026-11-17", "2026-11-18", "2026-11-19"]
#: A minute on a quiet machine; Prefect's client alone takes 220 s, or more than 420.
SECONDS_TO_END = 150.0
UNTOLD = r"published; the Prefect server at http://127\.0\.0\.1:\d+/api could not be told"


@dataclass
class Row:
    """What is done to one server, with the runs that use it."""

    server: Server
    folder: Path
    stack: ExitStack
    embedded: bool = False  # the runs have a server of their own

    @classmethod
    @contextmanager
    def of(cls, folder: Path, *, embedded: bool = False) -> Iterator[Row]:
        (folder / "home").mkdir(parents=True)
        with ExitStack() as stack:
            yield cls(Server.in_folder(folder / "home"), folder, stack, embedded)

    @property
    def environment(self) -> dict[str, str]:
        if self.embedded:
            home = str(self.server.home)
            return {"PREFECT_HOME": home, "TMPDIR": home, "PREFECT_API_URL": ""}
        return {"PREFECT_API_URL": self.server.url}

    def start(self, cluster: str) -> tuple[programs.Program, Probe, Path]:
        """A run whose series wait for ``probe.release("go")``; the probe; the sink."""
        probe = self._waiting(self._place(cluster))
        command = self.stack.enter_context(self._extraction(cluster))
        return command, probe, self._place(cluster) / "matrix"

    def start_intervals(self, cluster: str) -> tuple[programs.Program, Probe, Path]:
        """The same with three intervals that are due."""
        place = self._place(f"intervals-{cluster}")
        probe = self._waiting(place)
        series = make_days(place, DAYS, n_ids=PARTS // len(DAYS))
        command = [
            programs.BIN / "tidemill", "extract-interval", series.path, place / "table",
            "--column-id=id", "--column-time=time", f"--interval-start={DAYS[-1]}",
            f"--part-bytes={series.part_bytes}", f"--lookback={len(DAYS) - 1}",
            f"--cluster={cluster}", "--retries=0", *probe.options,
        ]  # fmt: skip
        started = self.stack.enter_context(programs.program(command, self.environment))
        return started, probe, place / "table"

    def again(self, cluster: str) -> None:
        """The same run once more; all of it is there."""
        with self._extraction(cluster) as command:
            command.finishes(SECONDS_TO_END)

    def _place(self, cluster: str) -> Path:
        return self.folder / cluster.partition(":")[0]

    @staticmethod
    def _waiting(place: Path) -> Probe:
        probe = Probe(place / "probe")
        probe.folder.mkdir(parents=True)
        probe.tell("all", "wait go")
        return probe

    def _extraction(self, cluster: str) -> AbstractContextManager[programs.Program]:
        place = self._place(cluster)
        series = make_input(self.folder, n_ids=PARTS)
        options = [*series.options, *Probe(place / "probe").options, f"--cluster={cluster}"]
        return programs.extraction(
            series.path, place / "matrix", *options, environment=self.environment
        )


def calls(n: int, probe: Probe, command: programs.Program) -> None:
    """Wait until the run calculates, however many processes start beside it."""
    until(lambda: len(probe.calls) >= n, 240, f"{n} calls of the probe", command)


def ends_well(command: programs.Program, probe: Probe, sink: Path) -> None:
    """The run goes on, publishes, and ends with status 0."""
    probe.release("go")
    command.finishes(SECONDS_TO_END)
    assert sorted(probe.counts.values()) == [1] * PARTS, "nothing was calculated twice"
    assert {one["state"] for one in records(sink)} == {"finished"}
    assert sum(one["rows"] for one in records(sink)) == PARTS
    assert "Traceback" not in command.output
    assert_nothing_left(sink, ended=records(sink)[-1]["interval"] is None)


def killed(folder: Path) -> None:
    with Row.of(folder) as row, programs.scheduler() as address, programs.worker(address) as worker:
        with row.server.running() as server:
            runs = []
            for cluster in (address, "threads:2"):
                runs.append(row.start(cluster))
                calls(2, runs[-1][1], runs[-1][0])
            runs.append(row.start_intervals("processes:1"))
            calls(1, runs[-1][1], runs[-1][0])
            server.kill()
        for _, probe, _ in runs:
            probe.release("go")
        for command, probe, sink in runs:
            ends_well(command, probe, sink)
            assert len(re.findall(UNTOLD, command.output)) == 1, command.output
            assert len([*(state(sink) / "untold").iterdir()]) == 2, "the run and the inner one"
        assert "Error logging to API" not in worker.output
        assert worker.output.count(SAID) <= 1
        with row.server.running():
            assert {run.state_name for run in row.server.runs()} == {"Running"}
            row.again("threads:2")
            sink = runs[1][2]
            named = {run.state_name for run in row.server.runs() if is_about(run, sink)}
            assert named == {"Completed", "Skipped"}, "the next run tells of the earlier one"
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


def embedded(folder: Path) -> None:
    with Row.of(folder, embedded=True) as row:
        command, probe, sink = row.start("threads:2")
        calls(2, probe, command)
        (server,) = [
            one for one in programs.session_members(command.pid) if "uvicorn" in one.cmdline()
        ]
        server.kill()
        ends_well(command, probe, sink)
        assert len(re.findall(UNTOLD, command.output)) == 1, command.output
        row.again("threads:2")
        assert [*(state(sink) / "untold").iterdir()] == []


def full(folder: Path) -> None:
    """The disk of the embedded server's database and of temporary files, not that of the sink."""
    with Row.of(folder, embedded=True) as row:
        disk = row.server.home
        mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
        if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
            return  # only root can, and not everywhere
        row.stack.callback(subprocess.run, ["umount", "--lazy", str(disk)], check=True)
        command, probe, sink = row.start("threads:2")
        calls(2, probe, command)
        with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        ends_well(command, probe, sink)


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
    rows = (killed, stopped, restarted, embedded, full)
    with ThreadPoolExecutor(len(rows)) as pool:
        for row in [pool.submit(row, tmp_path / row.__name__) for row in rows]:
            row.result()
