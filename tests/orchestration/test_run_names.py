"""Runs are found by their names: no chance words."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from prefect.client.orchestration import get_client

from tidemill.flows.backfill import backfill
from tidemill.flows.extract import extract
from tidemill.flows.recurring import extract_interval
from tidemill.orchestration.run_names import table_name

DAY = {"start": "2026-11-17", "end": "2026-11-18"}


@pytest.mark.parametrize(
    ("flow", "given", "name"),
    [
        (extract, {"column_sort": "time"}, r"matrix-20\d\d-\d\d-\d\dT\d{4}"),
        (extract_interval, {"column_time": "time", "interval_start": DAY["start"], "lookback": 0},
         "matrix-2026-11-17"),
        (backfill, {"column_time": "time", **DAY}, "matrix-backfill-2026-11-17-2026-11-18"),
    ],
)  # fmt: skip
def test_a_run_is_named_after_its_table_and_what_it_is_about(
    flow, given, name, prefect_server, tmp_path, sink
):
    times = pd.date_range(DAY["start"], periods=24, freq="1h")
    frame = pd.DataFrame({"id": 1, "time": times, "x": np.arange(24.0)})
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    about = {"column_id": "id", "settings": "minimal", "cluster": "none", **given}
    state = flow(source=str(tmp_path / "in.parquet"), sink=str(sink), return_state=True, **about)
    assert state.is_completed()
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    assert re.fullmatch(name, run.name)


def test_a_name_is_printable_and_short():
    assert table_name({"sink": "/data/a\nb"}) == "a b"
    assert len(table_name({"sink": "x" * 500})) < 100
