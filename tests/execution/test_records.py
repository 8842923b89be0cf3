"""Records and summaries of runs and intervals."""

from __future__ import annotations

import pandas as pd
import pytest

from tidemill.reports.markdown import interval_page
from tidemill.storage.layout import SinkLayout
from tidemill.storage.record import history

from ..support.daily import (
    DAYS,
    known,
    rows,
    run,
)


@pytest.mark.parametrize(
    ("zone", "recorded"),
    [
        (None, "naive, taken as UTC"),
        ("UTC", "UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
    ],
)
def test_the_zone_of_the_times_is_recorded(zone, recorded, tmp_path, table):
    folder = tmp_path / "in"
    folder.mkdir()
    frame = pd.concat([rows(day) for day in DAYS])
    times = frame["time"].dt.tz_localize(zone).dt.as_unit("us")
    frame.assign(time=times).to_parquet(folder / "all.parquet", index=False)
    summary = run(folder, table, DAYS[1])
    (of_interval,) = known(table).values()
    (of_run,) = history(SinkLayout.of(table))
    found = {one.time_zone_of_input for one in (summary, of_interval, of_run)}
    assert found == {recorded}
    report = {
        "sink": "t",
        "findings": [],
        "holes": {"count": 0},
        "outdated": {"count": 0},
        "summaries": [summary.to_json()],
    }
    text = interval_page({"interval": summary.interval, **report})
    assert f"- times of the input: {recorded}" in text.splitlines()
