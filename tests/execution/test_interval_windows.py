"""Only the rows of an interval's window count, in whatever shape they are stored."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tidemill
from tidemill.recurring.calendars import Calendar

from ..support.daily import (
    DAYS,
    expected,
    rows,
    run,
)


def in_time_order(frame, folder):
    frame = frame.sort_values("time", kind="stable")
    pq.write_table(pa.Table.from_pandas(frame), folder / "all.parquet", row_group_size=17)


def by_id(frame, folder):
    frame = frame.sort_values(["id", "time"])
    pq.write_table(pa.Table.from_pandas(frame), folder / "all.parquet", row_group_size=50)


def without_statistics(frame, folder):
    pq.write_table(pa.Table.from_pandas(frame), folder / "all.parquet", write_statistics=False)


def as_csv(frame, folder):
    frame.to_csv(folder / "all.csv", index=False)


def with_text_ids(frame, folder):
    frame.assign(id="s" + frame["id"].astype(str)).to_parquet(folder / "all.parquet", index=False)


def in_unit(unit, zone=None):
    def write(frame, folder):
        times = (
            frame["time"]
            .dt.tz_localize(zone)
            .astype(f"datetime64[{unit}{(zone and f', {zone}') or ''}]")
        )
        frame.assign(time=times).to_parquet(folder / "all.parquet", index=False)

    write.__name__ = f"in_{unit}_{zone}"
    return write


SHAPES = [
    in_time_order, by_id, without_statistics, as_csv, with_text_ids, in_unit("s"), in_unit("ms"),
    in_unit("us"), in_unit("ns"), in_unit("us", "UTC"), in_unit("ns", "UTC"),
]  # fmt: skip


@pytest.mark.parametrize("write", SHAPES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("window", [None, "30h"])
def test_rows_of_the_window_alone_count(write, window, tmp_path, table):
    frame = pd.concat([rows(day) for day in DAYS])
    folder = tmp_path / "in"
    folder.mkdir()
    write(frame, folder)
    calendar = Calendar("1d", window=window)
    summary = run(folder, table, DAYS[1], calendar)
    start = "2026-11-18" if window is None else "2026-11-17 18:00"
    wanted = expected(frame, start, "2026-11-19")
    matrix = tidemill.read_matrix(table, "20261118T000000Z")
    assert matrix.to_numpy().tobytes() == wanted.to_numpy().tobytes()
    assert summary.interval == "20261118T000000Z"
