"""A table of several weeks, made once: with quarantined and missing ids, a hole, a bad file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import RunRecord, history

from ...support import daily

#: Pump 3 is quarantined in the second half, pump 4 is missing for a week; one day has no rows.
FIRST = pd.Timestamp("2026-10-01")
COUNT = 24
HOLE = 9
PUMPS = [f"pump-{number}" for number in range(8)]


def rows(day: int) -> pd.DataFrame:
    rng = np.random.default_rng(day)
    pumps = [one for one in PUMPS if not (one == "pump-4" and 12 <= day < 19)]
    times = pd.date_range(FIRST + pd.Timedelta(days=day), periods=24, freq="1h")
    frame = pd.DataFrame({"id": np.repeat(pumps, 24), "time": np.tile(times, len(pumps))})
    frame["x"] = rng.normal(5.0 * (day == COUNT - 1), size=len(frame)).round(4)
    if day >= COUNT // 2:
        frame.loc[(frame["id"] == "pump-3") & (frame["time"] == times[4]), "x"] = np.nan
    return frame


def day_name(day: int) -> str:
    return f"{FIRST + pd.Timedelta(days=day):%Y-%m-%d}"


@pytest.fixture(scope="session")
def weeks(tmp_path_factory) -> Path:
    """The table; its input lies beside it."""
    folder = tmp_path_factory.mktemp("weeks")
    source = folder / "in"
    source.mkdir()
    for day in range(COUNT):
        rows(day).to_parquet(source / f"{day_name(day)}.parquet", index=False)
        if day == COUNT - 1:
            (source / "broken.parquet").write_bytes(b"no parquet")
        if day != HOLE:
            policies = {"on_nan": "quarantine", "on_bad_file": "quarantine"}
            daily.run(source, folder / "table", day_name(day), **policies)
    return folder / "table"


@pytest.fixture(scope="session")
def weeks_layout(weeks) -> SinkLayout:
    return SinkLayout.of(weeks)


@pytest.fixture(scope="session")
def newest(weeks_layout) -> RunRecord:
    """The record of the last run."""
    return history(weeks_layout, 1)[0]
