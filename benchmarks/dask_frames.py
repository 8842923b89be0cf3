"""A Dask DataFrame beyond the memory of its workers, beside tsfresh-rs on the same partitions.

python benchmarks/dask_frames.py
python benchmarks/dask_frames.py --rows 100000000

Partitions are made where they are used, from a seed, and hold whole ids, so that neither needs a
shuffle; ``--shuffled`` deals each id's rows among all partitions instead, and only ours is run. The
rows of the matrix are counted, not fetched. All run on such workers, one after the other, each
after a small run that reaches both. Making the rows is timed by itself too: the last column is the
ratio without it.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from common import SEED, machine, table
from distributed import Client, LocalCluster

#: How many times faster than tsfresh-rs is aimed at.
GOAL = 3
ROLES = {"column_id": "id"}


def partition(place: int, ids: int, length: int, *, is_share: bool) -> pd.DataFrame:
    """Series of some ids of their own, or a share of the rows of all ids."""
    first = 0 if is_share else place * ids
    values = np.random.default_rng((SEED, place)).random(ids * length)
    return pd.DataFrame({"id": np.repeat(np.arange(first, first + ids), length), "value": values})


def frame(rows: int, options: Any) -> dd.DataFrame:
    """The lazy input."""
    n = max(rows // options.partition, 1)
    ids = max(options.partition // options.length, 1)
    sizes = {"ids": ids, "length": options.length}
    if options.shuffled:
        sizes = {"ids": ids * n, "length": max(options.length // n, 1)}
    meta = partition(0, 1, 1, is_share=False).iloc[:0]
    return dd.from_map(partition, range(n), meta=meta, is_share=options.shuffled, **sizes)


def rows_alone(given: dd.DataFrame, options: Any) -> dd.DataFrame:  # noqa: ARG001
    """The input, of which nothing is calculated."""
    return given


def by_tidemill(given: dd.DataFrame, options: Any) -> dd.DataFrame:
    """The lazy matrix of ``tidemill.extract_features``."""
    import tidemill

    return tidemill.extract_features(given, options.settings, **ROLES, aligned=not options.shuffled)


def by_tsfresh_rs(given: dd.DataFrame, options: Any) -> dd.DataFrame:
    """What a user of tsfresh-rs would write."""
    meta = _tsfresh_rs(partition(0, 1, 20, is_share=False), options.settings).iloc[:0]
    return given.map_partitions(
        _tsfresh_rs, options.settings, meta=meta, enforce_metadata=False, clear_divisions=True
    )


def _tsfresh_rs(part: pd.DataFrame, settings: str) -> pd.DataFrame:
    import tsfresh_rs

    chosen = getattr(tsfresh_rs, f"{settings.capitalize()}FCParameters")()
    return tsfresh_rs.extract_features(part, chosen, **ROLES, n_jobs=1, disable_progressbar=True)


def counted(features: dd.DataFrame, client: Client) -> tuple[int, float]:
    """The rows of the matrix, and the seconds until all are there."""
    began = time.perf_counter()
    rows = client.compute(features.map_partitions(len, meta=(None, "int64")).sum()).result()
    return int(rows), time.perf_counter() - began


def peak(client: Client) -> float:
    """The most memory that any worker has taken so far, MiB."""
    return max(client.run(_peak).values())


def _peak() -> float:
    from pathlib import Path

    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--length", type=int, default=1_000, help="values of a series")
    parser.add_argument("--partition", type=int, default=500_000, help="rows of a partition")
    parser.add_argument("--settings", default="minimal")
    parser.add_argument("--memory", default="1GiB", help="limit of each of the two workers")
    parser.add_argument("--shuffled", action="store_true", help="ids lie in all partitions")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    engines: dict[str, Callable[..., dd.DataFrame]] = {
        "the rows alone": rows_alone,
        "tidemill": by_tidemill,
    }
    if not options.shuffled:
        engines["tsfresh-rs"] = by_tsfresh_rs
    print(machine())
    runs = {engine: run(make, options) for engine, make in engines.items()}
    alone, ours = runs["the rows alone"][1], runs["tidemill"][1]
    lines = []
    for engine, (found, seconds, highest) in runs.items():
        ratios = ["", ""]
        if engine == "tsfresh-rs":
            lead = seconds / ours
            ratios = [f"{lead:.3g}x ({_mark(lead)})", f"{(seconds - alone) / (ours - alone):.3g}x"]
        figures = [f"{seconds:.1f}", f"{options.rows / seconds:,.0f}", f"{highest:.0f}"]
        lines.append([engine, f"{found:,}", *figures, *ratios])
    head = ["engine", "rows counted", "seconds", "input rows per second", "peak of a worker, MiB"]
    print(table([*head, "ratio", "without the rows"], lines))
    print(f"\n{options.rows:,} rows, {options.settings}, two workers of {options.memory}")


def run(make: Callable[..., dd.DataFrame], options: Any) -> tuple[int, float, float]:
    """On two new workers: rows, seconds, and the peak of a worker in MiB."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=options.memory,
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        counted(make(frame(8 * options.partition, options), options), client)
        found, seconds = counted(make(frame(options.rows, options), options), client)
        return found, seconds, peak(client)


def _mark(lead: float) -> str:
    return f"{'reached' if lead >= GOAL else 'MISSED'} {GOAL}"


if __name__ == "__main__":
    main()
