"""Three days of hourly rows, and the engine's steps for one of their intervals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tidemill
from tidemill.execution.in_process import extract_here
from tidemill.execution.records import RunSummary
from tidemill.planning.check_limits import parse_checks
from tidemill.planning.request import Request, make_request
from tidemill.recurring.calendars import Calendar
from tidemill.recurring.examine import Finding, examine_all, update_file_list
from tidemill.recurring.intervals import find_interval
from tidemill.storage.intervals import IntervalRecord, interval_names, read_intervals
from tidemill.storage.layout import SinkLayout

DAILY = Calendar("1d")
DAYS = ("2026-11-17", "2026-11-18", "2026-11-19")
NAMES = tuple(f"{day.replace('-', '')}T000000Z" for day in DAYS)
MINIMAL = tidemill.Settings.from_any("minimal").canonical()["*"]
MORE = {"*": [*MINIMAL, ["skewness", {}]]}
FEWER = {"*": MINIMAL[1:]}


def rows(day: str, ids: int = 5, steps: int = 24) -> pd.DataFrame:
    """One row per hour and id, in time order."""
    times = pd.date_range(day, periods=steps, freq="1h")
    rng = np.random.default_rng(int(day[-2:]))
    frame = pd.DataFrame({"id": np.tile(np.arange(ids), steps), "time": times.repeat(ids)})
    return frame.assign(x=rng.normal(size=len(frame)).round(3))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with one file per day."""
    folder = tmp_path / "in"
    folder.mkdir()
    for day in DAYS:
        rows(day).to_parquet(folder / f"{day}.parquet", index=False)
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Where the table of intervals goes."""
    return tmp_path / "table"


def request(
    source: Path,
    table: Path,
    day: str,
    calendar: Calendar = DAILY,
    checks: Any = None,
    on_settings_change: Any = "refuse",
    **options: Any,
) -> Request:
    """A request for the interval of a day."""
    made = make_request(
        source, table, column_id="id", column_sort="time", **{"settings": "minimal"} | options
    )
    interval = find_interval(calendar, day)
    return replace(
        made, interval=interval, checks=parse_checks(checks), on_settings_change=on_settings_change
    )


def known(table: Path) -> dict[str, IntervalRecord]:
    """The records of all published intervals."""
    layout = SinkLayout.of(table)
    return read_intervals(layout, interval_names(layout))


def look(
    source: Path, table: Path, day: str, *, recalculate: bool = False, **options: Any
) -> Finding:
    """Examine a day, and update its file list as a run does."""
    about = request(source, table, day, **options)
    (found,) = examine_all(about, [about.interval], [about.interval] if recalculate else ())
    update_file_list(about, found)
    return found


def run(
    source: Path,
    table: Path,
    day: str,
    calendar: Calendar = DAILY,
    recalculates: str = "",
    **options: Any,
) -> RunSummary:
    """Calculate a day and publish it."""
    about = request(source, table, day, calendar, **options)
    return extract_here(replace(about, recalculates=recalculates), threads=2)


def expected(frame: pd.DataFrame, start: str, stop: str) -> pd.DataFrame:
    """The matrix of the rows in ``[start, stop)``, calculated in memory."""
    inside = frame[(frame["time"] >= start) & (frame["time"] < stop)]
    return tidemill.extract_features(inside, "minimal", column_id="id", column_sort="time")
