"""Small inputs whose parts are known: one row group is one part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

#: Columns of the inputs: id, time, value.
ROW_BYTES = 24


@dataclass(frozen=True)
class Input:
    """A Parquet file, and the arguments that cut it into one part per row group."""

    path: Path
    frame: pd.DataFrame
    ids_per_part: int
    length: int

    @property
    def ids(self) -> list[int]:
        return sorted(set(self.frame["id"]))

    @property
    def arguments(self) -> dict[str, object]:
        """Arguments of the flow: source, columns and part size."""
        return {
            "source": str(self.path),
            "column_id": "id",
            "column_sort": "time",
            "part_bytes": self.part_bytes,
        }

    @property
    def part_bytes(self) -> int:
        return int(1.5 * self.ids_per_part * self.length * ROW_BYTES)

    @property
    def options(self) -> list[str]:
        """The same for the command line, without the source."""
        return ["--column-id=id", "--column-sort=time", f"--part-bytes={self.part_bytes}"]


def make_input(folder: Path, *, n_ids: int, ids_per_part: int = 1, length: int = 32) -> Input:
    """Series of noise that ascend by id; the first value of a series is its id."""
    rng = np.random.default_rng(20_261)
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n_ids), length),
            "time": np.tile(np.arange(length), n_ids),
            "value": rng.normal(size=n_ids * length),
        }
    )
    frame.loc[::length, "value"] = np.arange(n_ids, dtype=float)
    return write_input(folder / "input.parquet", frame, ids_per_part, length)


def write_input(path: Path, frame: pd.DataFrame, ids_per_part: int, length: int) -> Input:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, path, row_group_size=ids_per_part * length)
    return Input(path, frame, ids_per_part, length)


def make_days(folder: Path, days: list[str], *, n_ids: int, length: int = 32) -> Input:
    """Series of some days; the first value of a series on a day is 100 times the day, plus id."""
    rng = np.random.default_rng(20_261)
    frames = []
    for number, day in enumerate(days):
        times = pd.date_range(day, periods=length, freq="30min")
        frame = pd.DataFrame({"id": np.repeat(np.arange(n_ids), length), "time": [*times] * n_ids})
        frame["value"] = rng.normal(size=n_ids * length)
        frame.loc[::length, "value"] = 100.0 * number + np.arange(n_ids)
        frames.append(frame)
    return write_input(folder / "days.parquet", pd.concat(frames, ignore_index=True), 1, length)
