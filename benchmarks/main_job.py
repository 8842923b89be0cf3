"""The main job against pandas: minimal preset, whole processes, time and peak memory.

    python benchmarks/main_job.py --ids 100000 --length 1000

Three inputs with the same number of rows: rows of an id together, the same in a single row group,
and 100 files in time order. pandas runs in a process of its own, as tidemill does; its seconds
are those of reading and aggregating, without the start of the process. tidemill's are those of
its steps; the fixed start of Prefect and Dask is printed apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from common import (
    extract,
    machine,
    measure,
    prefect_home,
    table,
    workspace,
    write_by_time,
    write_clustered,
    write_single_group,
)

#: What a pandas user writes: derived columns, then one aggregation of built-in names.
PANDAS = """
import json, sys, time
import pandas as pd

started = time.perf_counter()
frame = pd.read_parquet(sys.argv[1], columns=["id", "value"])
frame["square"] = frame["value"] ** 2
frame["absolute"] = frame["value"].abs()
matrix = frame.groupby("id").agg(
    sum_values=("value", "sum"),
    median=("value", "median"),
    mean=("value", "mean"),
    length=("value", "size"),
    standard_deviation=("value", "std"),
    variance=("value", "var"),
    mean_square=("square", "mean"),
    maximum=("value", "max"),
    absolute_maximum=("absolute", "max"),
    minimum=("value", "min"),
)
print(json.dumps({"seconds": time.perf_counter() - started, "rows": len(matrix)}))
"""
STEPS = ("calculate_chunk_size", "partition", "calculate_features", "reduce")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=1_000)
    parser.add_argument("--cluster", default="threads")
    parser.add_argument("--folder", help="keep inputs here")
    arguments = parser.parse_args()
    print(machine())
    with workspace(arguments.folder) as folder:
        rows = [
            compare(name, path, folder, arguments.cluster)
            for name, path in inputs(folder, arguments.ids, arguments.length)
        ]
    head = (
        "input", "pandas s", "tidemill s", "ratio", "pandas peak MiB", "tidemill peak MiB",
        "partition s", "calculate s", "reduce s", "fixed start s",
    )  # fmt: skip
    print(table(head, rows))


def inputs(folder: Path, n_ids: int, length: int) -> list[tuple[str, Path]]:
    """The three inputs, made where they are not there yet."""
    stem = folder / f"{n_ids}x{length}"
    return [
        ("rows of an id together", write_clustered(stem / "clustered.parquet", n_ids, length)),
        ("a single row group", write_single_group(stem / "single.parquet", n_ids, length)),
        ("in time order", write_by_time(stem / "by_time", n_ids, length)),
    ]


def compare(name: str, source: Path, folder: Path, cluster: str) -> list[object]:
    """One row of the table."""
    pandas = measure([sys.executable, "-c", PANDAS, str(source)])
    pandas_seconds = json.loads(pandas.output)["seconds"]
    sink = folder / "matrix"
    shutil.rmtree(sink, ignore_errors=True)
    options = ["--column-value", "value", "--settings", "minimal", "--cluster", cluster]
    measured, summary = extract(source, sink, *options, **prefect_home(folder))
    seconds: dict[str, Any] = summary["seconds"]
    steps = sum(seconds.get(step, 0.0) for step in STEPS)
    mebibytes = (f"{peak / 2**20:.0f}" for peak in (pandas.peak_bytes, measured.peak_bytes))
    return [
        name, f"{pandas_seconds:.2f}", f"{steps:.2f}", f"{pandas_seconds / steps:.2f}", *mebibytes,
        *(f"{seconds.get(step, 0.0):.2f}" for step in STEPS[1:]), f"{measured.seconds - steps:.1f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
