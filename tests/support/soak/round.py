"""One round of the soak: two days of two tables on one input, with all that goes wrong.

The daily table was begun by version 0.1.0, three days before. What is done is counted when it has
been seen to hit, so that a round proves something.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import psutil
from prefect.states import Scheduled

from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout

from ..deployed import Run
from ..disks import filled, small_disk
from ..made_by_0_1_0 import TABLE, copied
from ..probes import MODULE, Probe
from .machines import Machines
from .plan import HOURS, LONG_LIVED, Step, turn
from .scripts import Script, Wait

FIRST = datetime(2025, 11, 19, tzinfo=UTC)  # the day after those that version 0.1.0 made
OLD_DAYS = 3
SERIES = [("n", 1), ("n", 2), ("s", 1), ("s", 2)]
HELD = 1  # the first value of a series tells which it is
ROLES = {"column_id": ["plant", "sensor"], "column_time": "time"}
COMMON = {
    **ROLES, "on_bad_file": "quarantine", "on_nan": "quarantine", "on_settings_change": "append",
    "retries": 0, "modules": [MODULE], "part_bytes": 1_000,
    "checks": {
        # Of an hour's files, more than a half may be cut short.
        "rows_drop": "off", "input_rows_drop": "off", "coverage_drop": "off", "bad_files": "off",
    },
}  # fmt: skip
LOOKBACK = 6  # hours: those of a step, and of the step before, whose rows may have come late
LONG = 1500.0  # seconds, for what comes at the end of a round


@dataclass(frozen=True)
class Feed:
    """A folder into which the rows of each hour come, as two files."""

    folder: Path
    seed: int

    def come(self, hour: int, half: str, *, short: bool = False) -> None:
        """Let one half of the rows of an hour come; a file cut short cannot be read."""
        rng = np.random.default_rng([self.seed, hour])
        times = pd.date_range(FIRST + timedelta(hours=hour), periods=12, freq="5min")
        plants, sensors = zip(*SERIES, strict=True)
        frame = pd.DataFrame(
            {
                "plant": np.repeat(plants, 12),
                "sensor": np.repeat(sensors, 12),
                "time": np.tile(times.tz_localize(None).as_unit("us"), len(SERIES)),
            }
        )
        number = np.repeat(np.arange(len(SERIES)), 12)
        frame["flow"] = number + rng.uniform(0.0, 0.9, len(frame))  # probes tell series by it
        frame["heat"] = rng.normal(size=len(frame))
        is_second = (frame["time"].dt.minute % 10 == 5).to_numpy()
        path = self.folder / f"{hour:02d}-{half}.parquet"
        unfinished = path.with_suffix(".tmp")
        frame[is_second if half == "second" else ~is_second].to_parquet(unfinished, index=False)
        if short:
            os.truncate(unfinished, unfinished.stat().st_size // 2)
        unfinished.rename(path)


@dataclass(frozen=True)
class Table:
    """A table, and what its runs are given."""

    name: str
    sink: Path
    probe: Probe
    given: Mapping[str, Any]
    start: datetime

    def digests(self, sink: Path | None = None) -> dict[str, str]:
        """Of its intervals, or of those of another table."""
        layout = SinkLayout.of(sink or self.sink)
        found = read_intervals(layout, interval_names(layout))
        return {name: one.digest for name, one in found.items()}


@dataclass
class Round:
    """What happens in one round."""

    machines: Machines
    folder: Path
    plan: Sequence[Step]
    feed: Feed
    hourly: Table
    daily: Table
    has_disk: bool
    now: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    calls_before: dict[UUID, int] = field(default_factory=dict)  # of a probe, by run
    killed: list[Run] = field(default_factory=list)
    incomplete: list[int] = field(default_factory=list)  # hours that were calculated again
    _more: bool = False  # whether the settings have changed

    def scripts(self, weigh: Callable[[], None]) -> list[Script]:
        """What is done side by side; the machines are weighed after each hourly run."""
        return [self.run_hours(weigh), self.run_days(), self.fill()]

    @property
    def told(self) -> str:
        return f"{len(self.calls_before)} runs, " + ", ".join(
            f"{count} {name}" for name, count in sorted(self.hits.items())
        )

    def start(self, table: Table, cluster: str, flow: str = "extract-interval") -> Run:
        """Have a run of a table made, as its schedule does."""
        deployment = "backfill" if flow == "backfill" else table.name
        end = FIRST + timedelta(hours=self.now)
        own: dict[str, Any] = {
            "lookback": min(LOOKBACK, self.now - 1) if table is self.hourly else 1
        }
        if flow == "backfill":
            last = FIRST + timedelta(hours=min(self.now, HOURS))
            own = {"start": table.start.isoformat(), "end": last.isoformat()}
        run = self.machines.flows.start(
            f"{flow}/{deployment}",
            Scheduled(scheduled_time=end),
            **self.given(table),
            **own,
            sink=str(table.sink),
            cluster=cluster,
        )
        self.calls_before[run.id] = len(table.probe.calls)
        return run

    def given(self, table: Table) -> dict[str, Any]:
        """What a run and a clean backfill are both given."""
        settings = dict(table.given["settings"])
        if self._more:
            settings["*"] = [*settings["*"], ["minimum", {}]]
        return {**table.given, "settings": settings, "source": str(self.feed.folder)}

    # The hourly table

    def run_hours(self, weigh: Callable[[], None]) -> Script:
        """A run for each step, one after the other."""
        owed: list[int] = []  # hours whose second half is yet to come
        for number, step in enumerate(self.plan):
            if number == turn(self.plan):
                yield from self.end_killed()  # with the settings that they began with
                self._more = True
            for hour in owed:
                self.feed.come(hour, "second")
            for hour in step.hours:
                self.feed.come(hour, "first")
                if step.second_half != "late":
                    self.feed.come(hour, "second", short=step.second_half == "short")
            owed = [*step.hours] if step.second_half else []
            self.now = step.now
            run = self.start(self.hourly, step.cluster)
            if step.victim:
                yield from self.kill(self.hourly, run, step.victim)
            if step.victim == "flow":
                self.killed.append(run)  # it is started again, beside the next
            else:
                yield Wait(run.is_over, f"the run at {step}")
                assert run.state.is_completed(), run.state
                assert run.attempts() == 1 or step.victim == "server"
            if step.second_half:
                self.see_incomplete(step)
            weigh()
        yield from self.end_killed()
        self.now = HOURS + 2

    def end_killed(self) -> Script:
        """Flows that were killed have been started again, and completed."""
        for run in self.killed:
            yield Wait(lambda run=run: run.is_over() and not run.state.is_crashed(), "a second end")
            assert run.state.is_completed(), run.state
            assert run.attempts() == 2
        self.killed.clear()

    def see_incomplete(self, step: Step) -> None:
        """The hours were published without their second half."""
        names = [self.hour_name(hour) for hour in step.hours]
        found = read_intervals(SinkLayout.of(self.hourly.sink), names)
        assert sorted(found) == names
        assert all(bool(one.bad_files) == (step.second_half == "short") for one in found.values())
        self.incomplete += step.hours
        self.hits[step.second_half] += 1

    @staticmethod
    def hour_name(hour: int) -> str:
        return f"{FIRST + timedelta(hours=hour):%Y%m%dT%H%M%SZ}"

    # What is killed

    def hold(self, table: Table, run: Run) -> Script:
        """Let one series of a run wait, and wait until it does."""
        table.probe.tell(HELD, f"wait {run.id}")
        yield Wait(lambda: self.callers(table, run) or run.is_over(), "a run to calculate")
        assert self.callers(table, run), run.state

    def let_go(self, table: Table, run: Run) -> None:
        table.probe.forget(HELD)
        table.probe.release(str(run.id))

    def callers(self, table: Table, run: Run) -> set[int]:
        """The live processes that have calculated the series that is held, for a run.

        A flow and its local workers know which run they are of; workers of a scheduler serve one
        run at a time here.
        """
        begun = self.calls_before[run.id]
        pids = {pid for pid, series in table.probe.calls[begun:] if series == HELD}
        return {pid for pid in pids if run_of(pid) in {str(run.id), ""}}

    def kill(self, table: Table, run: Run, victim: str) -> Script:
        """Kill something in mid-run. It is a hit if the run goes on in another process."""
        yield from self.hold(table, run)
        if victim in LONG_LIVED:
            assert run.state.is_running()
            self.machines.restart(victim)
            self.let_go(table, run)
            self.hits[victim] += 1
            return
        (pid,) = self.callers(table, run)
        table.probe.forget(HELD)
        os.kill(pid, signal.SIGKILL)
        table.probe.release(str(run.id))
        if victim == "flow":
            self.hits[victim] += 1
        else:
            yield Wait(lambda: self.callers(table, run) - {pid}, f"another {victim} to go on")
            self.hits[victim] += 1

    # The daily table

    def run_days(self) -> Script:
        """A run at the end of each day, on a cluster; it fails once and is repeated."""
        yield Wait(lambda: self.now > 24, "the end of the first day", LONG)
        if self.has_disk:
            yield from self.fail_by_full_disk()
        run = self.start(self.daily, self.address)
        yield from self.kill(self.daily, run, "dask worker")
        yield from self.completes(run)
        yield Wait(lambda: self.now > HOURS, "the end of the second day", LONG)
        run = self.start(self.daily, self.address)
        yield from self.hold(self.daily, run)
        cluster = self.machines.cluster
        assert cluster.running is not None
        gone = cluster.running.address
        cluster.running.scheduler.kill()
        yield from self.fails(run, gone)
        self.hits["scheduler"] += 1
        self.let_go(self.daily, run)
        cluster.stop()
        cluster.start()
        yield from self.completes(self.start(self.daily, self.address))
        shutil.copy(self.folder / "old" / "changed" / "2025-11-17.parquet", self.feed.folder)
        self.now += 1

    @property
    def address(self) -> str:
        assert self.machines.cluster.running is not None
        return self.machines.cluster.running.address

    def fail_by_full_disk(self) -> Script:
        run = self.start(self.daily, self.address)
        yield from self.hold(self.daily, run)
        with filled(self.daily.sink.parent):
            self.let_go(self.daily, run)
            yield from self.fails(run, "no space left")
        self.hits["disk"] += 1

    def fails(self, run: Run, says: str) -> Script:
        yield Wait(run.is_over, f"a run to fail because of {says}")
        assert run.state.is_failed(), run.state
        assert says in str(run.state.message), run.state

    @staticmethod
    def completes(run: Run) -> Script:
        yield Wait(run.is_over, "a run to complete")
        assert run.state.is_completed(), run.state

    # After the change of the settings

    def fill(self) -> Script:
        """Backfills add the new features to the intervals that no run has looked back to."""
        yield Wait(lambda: self._more, "the settings to change", LONG)
        yield from self.completes(self.start(self.hourly, "none", "backfill"))
        self.hits["hourly settings"] += 1
        yield Wait(lambda: self.now > HOURS + 2, "the end of the round", LONG)
        yield from self.completes(self.start(self.daily, "none", "backfill"))
        self.hits["daily settings"] += 1


def run_of(pid: int) -> str | None:
    """The run of which a process is; "": of none that it knows; None: it has ended."""
    try:
        return psutil.Process(pid).environ().get("PREFECT__FLOW_RUN_ID", "")
    except psutil.Error:
        return None


@contextmanager
def new_round(machines: Machines, folder: Path, plan: Sequence[Step], seed: int) -> Iterator[Round]:
    """A round in a folder of its own."""
    folder.mkdir()
    old = copied("table", folder)
    old.rename(folder / "old")
    source = folder / "old" / "input"
    (source / "2025-11-19.parquet").unlink()  # that day's rows are the soak's
    probes = [Probe(folder / f"probe-{name}") for name in ("hourly", "daily")]
    for probe in probes:
        probe.folder.mkdir()
    called = [["probe", {"folder": str(probe.folder)}] for probe in probes]
    with small_disk(folder / "disk", "16m") as has_disk:
        sink = folder / "disk" / "daily"
        shutil.copytree(folder / "old" / "matrix", sink)
        before = TABLE["arguments"]["settings"]
        hourly = {"*": [["mean", {}], called[0]], "heat": [["maximum", {}]]}
        daily = before | {"*": [*before["*"], called[1]]}
        yield Round(
            machines, folder, plan, Feed(source, seed),
            Table("hourly", folder / "hourly", probes[0],
                  COMMON | {"settings": hourly, "every": "1h", "window": "2h"}, FIRST),
            Table("daily", sink, probes[1], COMMON | {"settings": daily},
                  FIRST - timedelta(days=OLD_DAYS)),
            has_disk,
        )  # fmt: skip
