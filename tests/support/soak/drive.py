"""The soak: rounds on the same machines, until its time is up, and what must be true after each."""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, StateType

from tidemill.flows.backfill import backfill
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history
from tidemill.storage.table_faults import COMPARED, look_at_table
from tidemill.storage.verify_table import verify_table

from ..sinks import assert_nothing_left, is_given_back
from ..waiting import until
from .machines import ENDING_SECONDS, Machines, Weight
from .plan import BAD, HOURS, LATE, LONG_LIVED, VICTIMS, plan_round
from .round import FIRST, OLD_DAYS, Round, Table, new_round
from .scripts import play

#: A process may hold a tenth more, or that many MiB, in the last third of its life than in the
#: middle third. Noise is below a half of it; what a run takes of the server for good, were it 1.5
#: MiB, would be above it in the shortest soak, which has some twenty runs in those two thirds, and
#: a hundredth of that in one of a day.
GROWTH = 1.1
LEAST_MIB = 16.0
LEAST_SAMPLES = 12
LIVE = [one for one in StateType if one not in TERMINAL_STATES]


@dataclass
class Soak:
    """Rounds with seeds that follow each other."""

    machines: Machines
    folder: Path
    seed: int
    length: float  # seconds after which no round begins
    weights: dict[Weight, list[float]] = field(default_factory=lambda: defaultdict(list))

    def run(self) -> None:
        """At least one round."""
        begun = time.monotonic()
        number = 1
        self.round(number)
        while time.monotonic() - begun < self.length:
            number += 1
            self.round(number)

    def round(self, number: int) -> None:
        """One round, whose folder is removed.

        Server and worker are killed in rounds 1, 2, 4, 8 and so on, so that their last life is half
        of the soak, and what grows slowly is seen.
        """
        begun = time.monotonic()
        seed = self.seed + number - 1
        kills_long_lived = number & (number - 1) == 0
        plan = plan_round(seed, with_long_lived=kills_long_lived)
        with new_round(self.machines, self.folder / f"round-{number}", plan, seed) as one:
            play(*one.scripts(self.weigh))
            self.check_hits(one, with_long_lived=kills_long_lived)
            for table in (one.hourly, one.daily):
                self.check_table(one, table)
            self.check_machines()
            self.check_memory()
        shutil.rmtree(one.folder)
        seconds = time.monotonic() - begun
        self.say(f"round {number} (seed {seed}): {seconds:.0f} s; {one.told}; {self.weighed()}")

    @staticmethod
    def say(text: str) -> None:
        """A line that is seen with `pytest -s`."""
        sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        sys.stdout.flush()

    # Memory

    def weigh(self) -> None:
        for who, mib in self.machines.memory().items():
            self.weights[who].append(mib)

    def weighed(self) -> str:
        latest = {who.name: mib for who, mib in self.machines.memory().items()}
        return ", ".join(f"{name} {mib:.0f} MiB" for name, mib in latest.items())

    def check_memory(self) -> None:
        """No process of those that live now has grown; of a young one that cannot be said."""
        lives = {who: self.weights[who] for who in self.machines.memory()}
        old = {who: mib for who, mib in lives.items() if len(mib) >= LEAST_SAMPLES}
        assert {who.name for who in old} >= {*LONG_LIVED}
        for who, mib in old.items():
            middle, last = thirds(mib)
            assert last < max(GROWTH * middle, middle + LEAST_MIB), (who, mib)

    # What a round must leave

    @staticmethod
    def check_hits(one: Round, *, with_long_lived: bool) -> None:
        """All that was planned has happened."""
        planned = [*VICTIMS, *(LONG_LIVED if with_long_lived else ()), "dask worker", "scheduler"]
        planned += ["late"] * LATE + ["short"] * BAD + ["hourly settings", "daily settings"]
        planned += ["disk"] if one.has_disk else []
        assert sorted(one.hits.elements()) == sorted(planned)
        records = history(SinkLayout.of(one.hourly.sink))
        again = {rec.interval for rec in records if rec.reason == "rows of its window changed"}
        assert {*map(one.hour_name, one.incomplete)} <= again

    @staticmethod
    def check_table(one: Round, table: Table) -> None:
        """It equals a table that a backfill makes at once, and nothing else is in its folder."""
        layout = SinkLayout.of(table.sink)
        names = interval_names(layout)
        hours = HOURS if table is one.hourly else (OLD_DAYS + HOURS // 24)
        assert len(names) == hours
        known = read_intervals(layout, names)
        features = one.given(table)["settings"]["*"]
        assert all(len(rec.settings["*"]) == len(features) for rec in known.values())
        assert all(rec.every for rec in known.values())  # none is of version 0.1.0 any more
        clean = one.folder / "clean" / table.name
        backfill(
            sink=str(clean), start=table.start.isoformat(), cluster="none",
            end=(FIRST + timedelta(hours=HOURS)).isoformat(), **one.given(table),
        )  # fmt: skip
        assert table.digests() == table.digests(clean)
        assert look_at_table(layout, COMPARED).faults == {}
        assert verify_table(layout, deep=True).faults == []
        assert_nothing_left(table.sink)
        assert all(is_given_back(table.sink, name) for name in names)

    def check_machines(self) -> None:
        """No run is under way on the server, and no process of one is left."""
        try:
            until(lambda: not self.live(), ENDING_SECONDS, "all runs to have ended")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.live()}") from None
        until(lambda: not self.machines.strangers(), ENDING_SECONDS, "all processes to end")

    def live(self) -> list[str]:
        """Flow runs and task runs that have not ended."""
        client = self.machines.flows.client
        flows = FlowRunFilterState(type=FlowRunFilterStateType(any_=LIVE))
        tasks = TaskRunFilterState(type=TaskRunFilterStateType(any_=LIVE))
        found = [
            *client.read_flow_runs(flow_run_filter=FlowRunFilter(state=flows)),
            *client.read_task_runs(task_run_filter=TaskRunFilter(state=tasks)),
        ]
        return [f"{run.name} is {run.state_name}" for run in found]


def thirds(values: Sequence[float]) -> tuple[float, float]:
    """The medians of the middle third and of the last one."""
    third = len(values) // 3
    return statistics.median(values[third:-third]), statistics.median(values[-third:])
