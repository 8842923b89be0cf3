"""Two recurring runs and a backfill write one table, again and again, and are killed at random.

A program: it loads everything once and forks a process for each writer, because Python takes
seconds to start. Nothing here reads or writes tables or Arrow files before a fork: their libraries
have threads. It prints what happened to the writers, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tidemill.calculators.warming import warm
from tidemill.errors import TidemillError
from tidemill.execution.in_process import extract_here
from tidemill.model.progress import Board
from tidemill.planning.doors import BACKFILL, EXTRACT_INTERVAL
from tidemill.planning.request import make_request
from tidemill.recurring.backfill import BackfillRun
from tidemill.recurring.calendars import calendar_of
from tidemill.recurring.intervals import between, find_interval
from tidemill.recurring.latest import LatestRun

HOURS = pd.date_range("2026-11-18", periods=6, freq="1h")
SPAN = {"start": "2026-11-18T00:00", "end": "2026-11-18T06:00"}
LAST = "2026-11-18T05:00"
#: What each of the writers that are alive at one time does.
ROLES = ("latest", "lookback", "backfill")
SECONDS_TO_END = 120.0
FAILED = 1  # exit codes of writers: an error of ours, and one that should not have been
BROKEN = 2


def arguments(source: Path, table: Path) -> dict[str, object]:
    """What all writers are given."""
    return {
        "source": str(source), "sink": str(table), "column_id": "id", "column_time": "time",
        "settings": "minimal", "every": "1h", "window": "2h", "retries": 0, "cluster": "none",
        "part_bytes": 2_000, "wait_for_sink": 60.0,
    }  # fmt: skip


def write(role: str, source: Path, table: Path) -> None:
    """Do what one writer does."""
    door = BACKFILL if role == "backfill" else EXTRACT_INTERVAL
    own = {
        "latest": {"interval_start": LAST, "lookback": 1, "recalculate": True},
        "lookback": {"interval_start": LAST, "lookback": 5},
        "backfill": {**SPAN, "concurrency": 2},
    }
    given = door.complete({**arguments(source, table), **own[role]})
    request, calendar = make_request(**given, door=door), calendar_of(given)

    @contextmanager
    def opened():
        yield lambda about, turn: extract_here(
            about, wait_for_sink=given["wait_for_sink"], threads=2, turn=turn
        ).to_json()

    if role == "backfill":
        chosen = list(between(calendar, given["start"], given["end"]))
        report = BackfillRun(request, calendar, chosen, opened, Board(), given).carry_out()
        if report.failed:
            raise TidemillError(report.failed[0].reason)
    else:
        last = find_interval(calendar, LAST)
        LatestRun(request, calendar, last, opened, Board(), given).carry_out()


def let_rows_come(source: Path, hour: int, n: int) -> None:
    """A file with late rows of an hour."""
    rng = np.random.default_rng([hour, n])
    seconds = rng.permutation(3_600)[:24]
    times = HOURS[hour] + pd.to_timedelta(seconds * 1_000_000 + n, "us")  # in no other file
    frame = pd.DataFrame({"id": np.tile(np.arange(4), 6), "time": times, "x": rng.normal(size=24)})
    path = source / f"{hour}-{n:03d}.parquet"
    frame.to_parquet(path.with_suffix(".tmp"), index=False)
    path.with_suffix(".tmp").rename(path)


@dataclass
class Writer:
    """A process that was forked."""

    pid: int
    role: str
    began: float
    life: float | None  # seconds until it is killed; None: it may end

    def outcome(self) -> str | None:
        """How it ended; None if it has not. Kills it if its time has come."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return {0: "done", FAILED: "failed", -signal.SIGKILL: "killed"}.get(code, "broken")
        age = time.monotonic() - self.began
        if self.life is not None and age > self.life:
            os.kill(self.pid, signal.SIGKILL)  # it is our child, and was not waited for yet
        elif age > SECONDS_TO_END:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            return "hung"
        return None


def fork(role: str, source: Path, table: Path, life: float | None, log: Path) -> Writer:
    began = time.monotonic()
    pid = os.fork()
    if pid:
        return Writer(pid, role, began, life)
    code = BROKEN
    try:
        write(role, source, table)
        code = 0
    except TidemillError as error:
        code = FAILED
        with log.open("a") as file:
            file.write(f"{role}: {type(error).__name__}: {error}\n")
    except BaseException:  # noqa: BLE001  whatever it is, it is reported and fails the test
        with log.open("a") as file:
            file.write(f"{role}: {traceback.format_exc()}\n")
    finally:
        os._exit(code)


def fork_and_wait(task, *given) -> None:
    """Call a function in a process of its own, so that this one starts no threads."""
    pid = os.fork()
    if not pid:
        try:
            task(*given)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(BROKEN)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        raise AssertionError(task)


def main(folder: Path, rounds: int, seed: int) -> dict[str, object]:
    chance = random.Random(seed)  # noqa: S311  not a secret
    source, table, log = folder / "in", folder / "table", folder / "errors"
    source.mkdir()
    warm("minimal")
    for hour in range(len(HOURS)):
        fork_and_wait(let_rows_come, source, hour, 0)
    before = time.monotonic()
    fork_and_wait(write, "backfill", source, folder / "first")
    longest = time.monotonic() - before  # that a writer takes if it is alone
    outcomes: Counter[str] = Counter()
    writers: list[Writer] = []
    pids: list[int] = []
    began = 0
    while began < rounds or writers:
        for one in [*writers]:
            if outcome := one.outcome():
                outcomes[outcome] += 1
                writers.remove(one)
        busy = {one.role for one in writers}
        for role in ROLES:
            if began < rounds and role not in busy:
                if chance.random() < 0.3:
                    fork_and_wait(let_rows_come, source, chance.randrange(len(HOURS)), 1 + began)
                life = chance.uniform(0.0, longest) if chance.random() < 0.75 else None
                writers.append(fork(role, source, table, life, log))
                pids.append(writers[-1].pid)
                began += 1
        time.sleep(0.01)
    errors = log.read_text() if log.exists() else ""
    return {"outcomes": outcomes, "pids": pids, "errors": errors}


if __name__ == "__main__":
    told = main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(told))
