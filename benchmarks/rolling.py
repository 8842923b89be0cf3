"""Rolling windows beside tsfresh-rs, which gets them rolled out: seconds and memory, one thread.

python benchmarks/rolling.py
python benchmarks/rolling.py --rows 20000 --settings minimal

tidemill gets the series and its time includes the rolling; tsfresh-rs gets a frame of all windows,
and making that is not counted. Each runs in a process of its own, after a small run. Its memory is
what it takes above that idle process, its input included, at the peak.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from common import SEED, machine, table

#: The least ratios that are aimed at.
SECONDS_GOAL, MEMORY_GOAL = 20, 10
#: Rows of the small run.
WARM_ROWS = 3_000
#: One thread; the libraries read these when they are loaded.
SINGLE = dict.fromkeys(("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

Work = Callable[[], pd.DataFrame | None]


def series(rows: int) -> np.ndarray:
    """A random walk."""
    return np.random.default_rng(SEED).standard_normal(rows).cumsum()


def by_tidemill(rows: int, options: Any) -> Work:
    """Frame in, frame out."""
    return _tidemill(rows, options, None)


def by_tidemill_to_file(rows: int, options: Any) -> Work:
    """Frame in, Parquet file out."""
    return _tidemill(rows, options, Path(options.folder) / "streamed.parquet")


def _tidemill(rows: int, options: Any, sink: Path | None) -> Work:
    import tidemill

    frame = pd.DataFrame({"id": 0, "time": np.arange(rows), "value": series(rows)})
    roles = {"column_id": "id", "column_sort": "time"}
    return lambda: tidemill.extract_rolling(
        frame, options.settings, window=options.window, step=options.step, include_cutoff=True,
        sink=sink, n_jobs=1, disable_progressbar=True, **roles,
    )  # fmt: skip


def by_tsfresh_rs(rows: int, options: Any) -> Work:
    """A frame of windows in, frame out."""
    import tsfresh_rs

    settings = getattr(tsfresh_rs, f"{options.settings.capitalize()}FCParameters")()
    windows = np.lib.stride_tricks.sliding_window_view(series(rows), options.window)
    windows = windows[:: options.step]
    count, length = windows.shape
    frame = pd.DataFrame({
        "id": np.repeat(np.arange(count), length),
        "time": np.tile(np.arange(length), count),
        "value": windows.reshape(-1),
    })  # fmt: skip
    return lambda: tsfresh_rs.extract_features(
        frame, settings, column_id="id", column_sort="time", n_jobs=1, disable_progressbar=True
    )


ENGINES = {
    "tidemill": by_tidemill,
    "tidemill, to a file": by_tidemill_to_file,
    "tsfresh-rs": by_tsfresh_rs,
}


def memory(field: str) -> int:
    """Bytes of a field of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def run_one(options: Any) -> None:
    """In a process of its own: print figures, and leave the matrix in the folder."""
    warnings.simplefilter("ignore")
    engine = ENGINES[options.engine]
    engine(WARM_ROWS, options)()
    idle = memory("VmRSS")
    work = engine(options.rows, options)
    before = time.perf_counter()
    matrix = work()
    seconds = time.perf_counter() - before
    peak = memory("VmHWM") - idle
    if matrix is not None:
        matrix.reset_index(drop=True).to_parquet(Path(options.folder) / f"{options.engine}.parquet")
    print(json.dumps({"seconds": seconds, "peak": peak, "idle": idle}))


def measured(engine: str, folder: str) -> dict[str, float]:
    """Figures of an engine."""
    command = [sys.executable, __file__, *sys.argv[1:], "--engine", engine, "--folder", folder]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **SINGLE}
    )
    return json.loads(done.stdout.splitlines()[-1])


def agreement(folder: str) -> float:
    """The share of cells that agree, of the columns that both have."""
    ours, theirs = (
        pd.read_parquet(Path(folder) / f"{name}.parquet") for name in ("tidemill", "tsfresh-rs")
    )
    both = [column for column in ours if column in theirs]
    close = np.isclose(ours[both], theirs[both], rtol=1e-6, atol=1e-9, equal_nan=True)
    return float(close.mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--window", type=int, default=1_000)
    parser.add_argument("--step", type=int, default=100)
    parser.add_argument("--settings", default="efficient")
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        run_one(options)
        return
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        found = {engine: measured(engine, folder) for engine in ENGINES}
        same = agreement(folder)
        windows = pq.read_metadata(Path(folder) / "streamed.parquet").num_rows
    theirs = found["tsfresh-rs"]
    rows = []
    for engine, own in found.items():
        faster, smaller = theirs["seconds"] / own["seconds"], theirs["peak"] / own["peak"]
        rows.append(
            [
                engine,
                f"{own['seconds']:.2f}",
                f"{own['seconds'] / windows * 1e3:.3g}",
                "" if own is theirs else f"{faster:.3g}x ({_mark(faster, SECONDS_GOAL)})",
                f"{own['idle'] / 2**20:.0f}",
                f"{own['peak'] / 2**20:.0f}",
                "" if own is theirs else f"1/{smaller:.3g} ({_mark(smaller, MEMORY_GOAL)})",
            ]
        )
    head = ["engine", "seconds", "ms per window", "ratio", "idle MiB", "peak above MiB", "ratio"]
    print(table(head, rows))
    print(f"\n{windows:,} windows; {same:.2%} of the cells in the columns of both agree")


def _mark(found: float, goal: float) -> str:
    return f"{'reached' if found >= goal else 'MISSED'} {goal}"


if __name__ == "__main__":
    main()
