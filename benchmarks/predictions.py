"""Predicted against measured seconds, on shapes the cost table was not calibrated on.

    python benchmarks/predictions.py

Many short series, few long ones, and log-normal lengths with one series of ten million values.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import SEED, STEP_ROWS, extract, machine, measure, table, workspace, write_clustered


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of values")
    parser.add_argument("--settings", nargs="+", default=["minimal", "comprehensive"])
    parser.add_argument("--folder", help="keep inputs here")
    arguments = parser.parse_args()
    print(machine())
    with workspace(arguments.folder) as folder:
        shapes = inputs(folder, arguments.scale)
        rows = [
            compare(name, source, folder, settings)
            for name, source in shapes
            for settings in arguments.settings
        ]
    print(table(("series", "settings", "predicted s", "measured s", "ratio"), rows))


def inputs(folder: Path, scale: float) -> list[tuple[str, Path]]:
    """The three shapes."""
    many, few = max(int(300_000 * scale), 10), max(int(20 * scale), 2)
    long = max(int(500_000 * scale), 1_000)
    largest = max(int(10_000_000 * scale), 10_000)
    return [
        (f"{many} of 50", write_clustered(folder / "many.parquet", many, 50)),
        (f"{few} of {long}", write_clustered(folder / "few.parquet", few, long)),
        (f"log-normal and one of {largest}", write_lognormal(folder / "mixed.parquet", largest)),
    ]


def write_lognormal(path: Path, largest: int) -> Path:
    """Series of log-normal lengths, about as many values again as the one of ``largest``."""
    if path.exists():
        return path
    rng = np.random.default_rng(SEED)
    lengths = np.maximum(rng.lognormal(5.0, 1.5, largest // 600).astype(int), 1)
    lengths[len(lengths) // 2] = largest
    ids = np.repeat(np.arange(len(lengths)), lengths)
    values = rng.standard_normal(len(ids)).cumsum()
    pq.write_table(pa.table({"id": ids, "value": values}), path, row_group_size=STEP_ROWS)
    return path


def compare(name: str, source: Path, folder: Path, settings: str) -> list[object]:
    """One row: what ``tidemill plan`` says, and what the run took, on the same cluster."""
    tidemill = str(Path(sys.executable).with_name("tidemill"))
    sink = folder / "matrix"
    shutil.rmtree(sink, ignore_errors=True)
    options = ["--settings", settings, "--cluster", "none"]
    plan = measure(
        [tidemill, "plan", str(source), str(sink), "--column-id", "id", "--json", *options]
    )
    predicted = json.loads(plan.output)["seconds"]
    _, summary = extract(source, sink, *options)
    seconds = sum(value for step, value in summary["seconds"].items() if step != "load_kernels")
    return [name, settings, f"{predicted:.1f}", f"{seconds:.1f}", f"{predicted / seconds:.2f}"]


if __name__ == "__main__":
    main()
