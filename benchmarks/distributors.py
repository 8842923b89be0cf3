"""tsfresh's calculators through tsfresh's distributors and through ours: CPU of all processes.

python benchmarks/distributors.py                           one run, a few minutes
python benchmarks/distributors.py --series 20 --settings minimal

Everything is warm: each distributor has made one call before, on the same cluster. CPU seconds are
those of the process that calls, of workers and scheduler, and of Prefect's server. The last rows
are the same calls on tidemill.extract_features, with the largest difference to tsfresh's values.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: As tsfresh recommends, and before anything reads them.
os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
)

import numpy as np
import pandas as pd
import psutil
from common import machine, prefect_home, table

#: Goals for the CPU seconds of ours, as multiples of those of theirs.
GOALS = {"ClusterDaskDistributor": 1.1, "MultiprocessingDistributor": 1.5}
ROLES = {"column_id": "id", "column_sort": "time", "disable_progressbar": True}


def frame_of(series: int, length: int) -> pd.DataFrame:
    """Random walks."""
    values = np.random.default_rng(20261120).standard_normal((series, length)).cumsum(axis=1)
    return pd.DataFrame(
        {
            "id": np.repeat(np.arange(series), length),
            "time": np.tile(np.arange(length), series),
            "value": values.reshape(-1),
        }
    )


def cpu_seconds() -> float:
    """CPU seconds of this process, of its children that ended, and of those that run."""
    mine = os.times()
    total = mine.user + mine.system + mine.children_user + mine.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            used = child.cpu_times()
        except psutil.Error:
            continue
        total += used.user + used.system + used.children_user + used.children_system
    return total


def measured(call: Callable[[], pd.DataFrame]) -> tuple[float, float, pd.DataFrame]:
    """Wall and CPU seconds of a call, and what it gave."""
    began, used = time.perf_counter(), cpu_seconds()
    found = call()
    seconds = time.perf_counter() - began
    time.sleep(1.0)  # what a call leaves to others, such as the server's last states
    return seconds, cpu_seconds() - used, found


def difference(found: pd.DataFrame, expected: pd.DataFrame) -> str:
    """The largest difference, relative to values above 1."""
    expected = expected[found.columns]
    gap = (found - expected).abs() / expected.abs().clip(lower=1)
    return f"{np.nanmax(gap.to_numpy()):.1e}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--settings", default="efficient")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="tidemill-benchmark-") as folder:
        os.environ.update(prefect_home(Path(folder)), PREFECT_LOGGING_LEVEL="ERROR")
        rows = compare(frame_of(options.series, options.length), options.settings)
    print(machine())
    print(table(["distributor", "wall s", "CPU s", "ours by theirs", "difference"], rows))


def compare(frame: pd.DataFrame, preset: str) -> list[list[Any]]:
    """The rows of the table."""
    logging.disable(logging.WARNING)
    import tsfresh
    from distributed import LocalCluster
    from tsfresh.feature_extraction import settings
    from tsfresh.utilities.distribution import (
        ClusterDaskDistributor,
        MapDistributor,
        MultiprocessingDistributor,
    )

    import tidemill
    from tidemill.bridges.tsfresh import PrefectDistributor

    parameters = getattr(settings, f"{preset.capitalize()}FCParameters")()
    theirs = {**ROLES, "default_fc_parameters": parameters}
    few = frame[frame["id"] < 10]

    def by_tsfresh(data: pd.DataFrame, distributor: Any) -> pd.DataFrame:
        return tsfresh.extract_features(data, distributor=distributor, **theirs)

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        PrefectDistributor("processes:2", disable_progressbar=True) as ours,
    ):
        makers: dict[str, Callable[[], Any]] = {
            "MapDistributor": lambda: MapDistributor(disable_progressbar=True),
            "MultiprocessingDistributor": lambda: MultiprocessingDistributor(
                2, disable_progressbar=True
            ),
            "ClusterDaskDistributor": lambda: ClusterDaskDistributor(cluster.scheduler_address),
            "PrefectDistributor": lambda: ours,
        }
        found = {}
        for name, make in makers.items():
            by_tsfresh(few, make())
            found[name] = measured(lambda m=make: by_tsfresh(frame, m()))
        tidemill.extract_features(few, preset, **ROLES)
        found["tidemill.extract_features"] = measured(
            lambda: tidemill.extract_features(frame, preset, **ROLES)
        )
        tidemill.extract_features(few, preset, **ROLES, distributor=ours)
        found["tidemill.extract_features, PrefectDistributor"] = measured(
            lambda: tidemill.extract_features(frame, preset, **ROLES, distributor=ours)
        )
    expected = found["MapDistributor"][2]
    own = found["PrefectDistributor"][1]
    return [
        [
            name,
            f"{seconds:.2f}",
            f"{cpu:.2f}",
            ratio(own / cpu, GOALS.get(name)) if cpu else "",
            difference(matrix, expected),
        ]
        for name, (seconds, cpu, matrix) in found.items()
    ]


def ratio(value: float, goal: float | None) -> str:
    """The ratio, and whether a goal is reached."""
    mark = "" if goal is None else f" ({'reached' if value <= goal else 'MISSED'} {goal:g})"
    return f"{value:.2f}{mark}"


if __name__ == "__main__":
    main()
