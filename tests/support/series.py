"""Small inputs, and a watch over what a sink shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import tidemill
from tidemill.execution.in_process import extract_here
from tidemill.execution.records import RunSummary
from tidemill.planning.request import make_request

ROLES = {"column_id": "id", "column_sort": "time"}
LONG_ROLES = {**ROLES, "column_kind": "kind", "column_value": "value"}


def wide(n_ids: int = 6, length: int = 5, kinds: str = "xy", seed: int = 7) -> pd.DataFrame:
    """Random walks, rounded to three digits; one column per kind, ascending by id and time."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(n_ids), length), "time": np.tile(np.arange(length), n_ids)}
    )
    for kind in kinds:
        steps = rng.normal(size=(n_ids, length))
        frame[kind] = steps.cumsum(axis=1).round(3).ravel()
    return frame


def melted(frame: pd.DataFrame) -> pd.DataFrame:
    """The long format of a wide frame."""
    return frame.melt(["id", "time"], var_name="kind", value_name="value")


def write(frame: pd.DataFrame, path: Path, rows: int | None = None) -> Path:
    """Write a frame as Parquet, with ``rows`` rows in each row group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=rows)
    return path


def extract(source: Any, sink: Any, settings: Any = "minimal", **arguments: Any) -> RunSummary:
    """The whole job in this process."""
    roles = arguments if "column_id" in arguments else {**ROLES, **arguments}
    return extract_here(make_request(source, sink, settings=settings, **roles), threads=2)


@dataclass(frozen=True)
class Watch:
    """What a sink and its folder showed before something went wrong."""

    sink: Path
    files: dict[str, bytes]
    matrix: pd.DataFrame | None  # None: nothing was published

    @classmethod
    def on(cls, sink: Path, *, published: bool = True) -> Watch:
        return cls(sink, visible(sink.parent), tidemill.read_matrix(sink) if published else None)

    def assert_unharmed(self) -> None:
        """Every file is as it was, byte for byte, there is none more, and the matrix reads."""
        assert visible(self.sink.parent) == self.files
        if self.matrix is not None:
            pd.testing.assert_frame_equal(tidemill.read_matrix(self.sink), self.matrix)


def visible(folder: Path) -> dict[str, bytes]:
    """Content of all files below a folder, but tidemill's own state."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not any(is_state(step) for step in path.parts)
    }


def is_state(name: str) -> bool:
    return name == "_tidemill" or (name.startswith("_") and name.endswith(".tidemill"))
