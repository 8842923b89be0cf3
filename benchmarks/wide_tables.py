"""Matrices of many columns: from a file to a table, back from the table, and from a frame.

    python benchmarks/wide_tables.py --kinds 26 128 --ids 20 --length 50

Each kind has the columns of the settings, so 26 kinds make 20,000 columns. Everything runs in this
process, without Prefect, on warm kernels.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import SEED, extract, machine, prefect_home, table, workspace

import tidemill


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", type=int, nargs="+", default=[26, 128])
    parser.add_argument("--ids", type=int, default=20)
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--settings", default="comprehensive")
    arguments = parser.parse_args()
    print(machine())
    with workspace() as folder:
        rows = [
            measure_width(
                folder, make_frame(arguments.ids, n_kinds, arguments.length), arguments.settings
            )
            for n_kinds in arguments.kinds
        ]
    print(
        table(
            ("columns", "rows", "extract s", "MiB", "log MiB", "read s", "frame s", "peak MiB"),
            rows,
        )
    )


def make_frame(n_ids: int, n_kinds: int, length: int) -> pd.DataFrame:
    """Random walks, one column per kind."""
    rng = np.random.default_rng(SEED)
    walks = rng.standard_normal((n_ids, length, n_kinds)).cumsum(axis=1).reshape(-1, n_kinds)
    frame = pd.DataFrame(walks, columns=[f"k{kind:05d}" for kind in range(n_kinds)])
    return frame.assign(id=np.repeat(np.arange(n_ids), length))


def measure_width(folder: Path, frame: pd.DataFrame, settings: str) -> list[object]:
    """One row of the table."""
    source, sink = folder / f"{frame.shape[1]}.parquet", folder / f"table-{frame.shape[1]}"
    frame.to_parquet(source, index=False)
    options = ("--settings", settings, "--cluster", "none")
    extract(source, sink, *options, **prefect_home(folder))  # compiles kernels
    log = size(sink / "_delta_log")
    measured, _ = extract(source, folder / f"{sink.name}-warm", *options, **prefect_home(folder))
    read, matrix = timed(lambda: tidemill.read_matrix(sink))
    direct, _ = timed(
        lambda: tidemill.extract_features(frame, column_id="id", default_fc_parameters=settings)
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        matrix.shape[1],
        matrix.shape[0],
        f"{measured.seconds:.1f}",
        f"{size(sink):.1f}",
        f"{log:.1f}",
        f"{read:.2f}",
        f"{direct:.1f}",
        f"{max(peak, measured.peak_bytes / 2**20):.0f}",
    ]


def size(folder: Path) -> float:
    """MiB of the files that lie right in a folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 2**20


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a call, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
