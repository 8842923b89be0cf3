"""Two days of hourly runs with late rows and deaths make what a clean backfill makes."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.deployments import run_deployment

from tidemill.flows.backfill import backfill
from tidemill.storage.intervals import interval_names, read_intervals
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support import deployed as support
from ..support.probes import Probe
from ..support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FIRST = datetime(2026, 11, 18, tzinfo=UTC)
HOURS = range(48)
#: Every sixth hour half of its rows come an hour late; in every tenth run something is killed.
LATE = HOURS[3::6]
KILLED = {9: "worker", 19: "flow", 29: "worker", 39: "flow"}
IDS = 3


@dataclass(frozen=True)
class Feed:
    """A folder into which the rows of each hour come as a file or two."""

    folder: Path

    def come(self, hour: int, halves: Sequence[str]) -> None:
        """Let the rows of an hour come, those of some ten minutes or all of them."""
        rng = np.random.default_rng(hour)
        times = pd.date_range(FIRST + timedelta(hours=hour), periods=12, freq="5min")
        frame = pd.DataFrame({"id": np.repeat(range(IDS), 12), "time": np.tile(times, IDS)})
        frame["x"] = frame["id"] + rng.uniform(0.0, 0.9, len(frame))  # probes tell series by it
        is_late = (frame["time"].dt.minute % 10 == 5).to_numpy()
        for half in halves:
            rows = frame[is_late if half == "late" else ~is_late]
            rows.to_parquet(self.folder / f"{hour:02d}-{half}.parquet", index=False)


def kill(victim: str, probe: Probe) -> None:
    """Wait until the run calls the probe, and kill the process that did."""
    before = len(probe.calls)
    probe.tell(1, "wait go")
    until(lambda: any(one == 1 for _, one in probe.calls[before:]), 120, f"a {victim} to kill")
    probe.forget(1)
    os.kill(next(pid for pid, one in probe.calls[before:] if one == 1), signal.SIGKILL)


def digests(sink: Path) -> dict[str, str]:
    layout = SinkLayout.of(sink)
    return {
        name: one.digest for name, one in read_intervals(layout, interval_names(layout)).items()
    }


def test_runs_of_two_days_equal_a_backfill(flows, services_server, tmp_path, sink, probe):
    feed = Feed(tmp_path / "in")
    feed.folder.mkdir()
    given = {
        **probe.arguments, "source": str(feed.folder), "column_id": "id", "column_time": "time",
        "every": "1h", "window": "2h", "retries": 0, "checks": {"rows_drop": "off"},
    }  # fmt: skip
    runs = []
    with support.process_worker(flows.pool, services_server):
        for hour in HOURS:
            feed.come(hour, ["timely"] if hour in LATE else ["timely", "late"])
            if hour - 1 in LATE:
                feed.come(hour - 1, ["late"])
            victim = KILLED.get(hour)
            cluster = "processes:1" if victim == "worker" else "threads:1"
            started = run_deployment(
                f"extract-interval/{flows.pool}",
                parameters={**given, "sink": str(sink), "cluster": cluster},
                scheduled_time=FIRST + timedelta(hours=hour + 1),
                timeout=0,
            )
            run = support.Run(started.id, flows.client)
            runs.append(run)
            if victim:
                kill(victim, probe)
            run.completes()
    assert [run.attempts() for run in runs] == [
        2 if KILLED.get(hour) == "flow" else 1 for hour in HOURS
    ]
    running = FlowRunFilterStateType(any_=[StateType.RUNNING])
    left = FlowRunFilter(state=FlowRunFilterState(type=running))
    assert flows.client.read_flow_runs(flow_run_filter=left) == []

    clean = tmp_path / "clean"
    start, end = FIRST, FIRST + timedelta(hours=len(HOURS))
    report = backfill(
        sink=str(clean), start=start.isoformat(), end=end.isoformat(), cluster="none", **given
    )
    assert [row["result"] for row in report["intervals"]] == ["published"] * len(HOURS)
    assert digests(sink) == digests(clean)
    assert len(digests(sink)) == len(HOURS)
    reopened = [one.interval for one in history(SinkLayout.of(sink)) if one.acceptance["replaced"]]
    names = sorted(digests(sink))
    assert sorted(reopened) == [names[hour] for hour in LATE]
