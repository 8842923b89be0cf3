"""Two threads against one on the calculate step, and memory against the size of the input.

python benchmarks/threads.py --ids 100000 --length 1000
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from statistics import median

from common import extract, machine, prefect_home, table, workspace, write_clustered


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--length", type=int, default=1_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--settings", default="minimal")
    parser.add_argument("--folder", help="keep inputs here")
    arguments = parser.parse_args()
    print(machine())
    rows = []
    with workspace(arguments.folder) as folder:
        for n_ids in arguments.ids:
            source = write_clustered(
                folder / f"{n_ids}x{arguments.length}" / "clustered.parquet",
                n_ids,
                arguments.length,
            )
            rows.append(compare(source, folder, n_ids, arguments.pairs, arguments.settings))
    head = ("ids", "1 thread s", "2 threads s", "speed-up", "peak MiB with 2")
    print(table(head, rows))


def compare(source: Path, folder: Path, n_ids: int, pairs: int, settings: str) -> list[object]:
    """One row: medians of alternating pairs."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    peak = 0
    for _ in range(pairs):
        for threads, measurements in seconds.items():
            sink = folder / "matrix"
            shutil.rmtree(sink, ignore_errors=True)
            options = ("--settings", settings, "--cluster", f"threads:{threads}")
            measured, summary = extract(source, sink, *options, **prefect_home(folder))
            measurements.append(summary["seconds"]["calculate_features"])
            peak = max(peak, measured.peak_bytes)
    one, two = median(seconds[1]), median(seconds[2])
    return [n_ids, f"{one:.2f}", f"{two:.2f}", f"{one / two:.2f}", f"{peak / 2**20:.0f}"]


if __name__ == "__main__":
    main()
