"""What Prefect and Dask cost over the same work in one process, as the number of series grows.

    python benchmarks/overhead.py --series 250000 1000000 --length 100

Both sides use the same threads and all calculators that exist. Whole processes are timed.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from statistics import median

from common import extract, machine, prefect_home, table, workspace, write_clustered


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[250_000, 1_000_000])
    parser.add_argument("--length", type=int, default=100)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--settings", default="comprehensive")
    parser.add_argument("--folder", help="keep inputs here")
    arguments = parser.parse_args()
    print(machine())
    rows = []
    with workspace(arguments.folder) as folder:
        for n_series in arguments.series:
            source = write_clustered(folder / f"{n_series}.parquet", n_series, arguments.length)
            rows += compare(source, folder, n_series, arguments.runs, arguments.settings)
    head = ("series", "cluster", "process s", "steps s", "task runs", "start and overhead s")
    print(table(head, rows))


def compare(
    source: Path, folder: Path, n_series: int, runs: int, settings: str
) -> list[list[object]]:
    """Rows for ``none`` and ``threads``, alternating; medians."""
    found: dict[str, list[tuple[float, float, int]]] = {"none": [], "threads": []}
    for _ in range(runs):
        for cluster, measurements in found.items():
            sink = folder / "matrix"
            shutil.rmtree(sink, ignore_errors=True)
            options = ("--settings", settings, "--cluster", cluster)
            measured, summary = extract(source, sink, *options, **prefect_home(folder))
            steps = summary["seconds"]["calculate_features"] + summary["seconds"]["reduce"]
            measurements.append((measured.seconds, steps, summary["task_runs"]))
    rows: list[list[object]] = []
    engine = median(one[0] for one in found["none"])
    for cluster, measurements in found.items():
        process = median(one[0] for one in measurements)
        steps = median(one[1] for one in measurements)
        over = process - engine
        rows.append(
            [
                n_series,
                cluster,
                f"{process:.1f}",
                f"{steps:.1f}",
                measurements[-1][2],
                f"{over:.1f}",
            ]
        )
    return rows


if __name__ == "__main__":
    main()
