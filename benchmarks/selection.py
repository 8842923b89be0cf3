"""The relevance table of a matrix beside tsfresh's: seconds, and the largest difference.

python benchmarks/selection.py
python benchmarks/selection.py --rows 1000 --tasks binary

tidemill runs with two threads; of tsfresh's default and ``n_jobs=0`` the faster one counts. A third
of the columns follow the target.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from common import SEED, machine, table

from tidemill.selection import calculate_relevance_table

#: The least ratios that are aimed at.
GOALS = {"binary": 30, "ten classes": 50, "regression": 30}
#: Runs of tidemill, of which the fastest counts.
RUNS = 5


def matrix(rows: int, columns: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Of ten columns six are continuous, two have ties, one is binary; few are constant."""
    rng = np.random.default_rng(SEED)
    hidden = rng.normal(size=rows)
    made = {}
    for i in range(columns):
        x = rng.normal(size=rows) + (0.05 * hidden if i % 3 == 0 else 0)
        kind = i % 10
        if kind in {6, 7}:
            x = np.floor(3 * x)
        elif kind == 8:
            x = (x > 0.5).astype(np.float64)
        elif i % 50 == 49:
            x = np.ones(rows)
        made[f"value__feature_{i}"] = x
    return pd.DataFrame(made), hidden


def targets(hidden: np.ndarray) -> dict[str, pd.Series]:
    """A target for each task."""
    return {
        "binary": pd.Series(hidden > 0),
        "ten classes": pd.Series(pd.qcut(hidden, 10, labels=False)),
        "regression": pd.Series(hidden),
    }


def seconds(work: Callable[[], pd.DataFrame], runs: int) -> tuple[float, pd.DataFrame]:
    """The shortest time, and the table."""
    best = np.inf
    for _ in range(runs):
        began = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - began)
    return best, result


def by_tsfresh(x: pd.DataFrame, y: pd.Series) -> tuple[float, pd.DataFrame]:
    """The faster of its default and no processes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tsfresh.feature_selection.relevance import calculate_relevance_table as theirs

        return min(
            (
                seconds(lambda: theirs(x, y), 1),
                seconds(lambda: theirs(x, y, n_jobs=0), 1),
            ),
            key=lambda pair: pair[0],
        )


def main() -> None:
    """Print a table with a row per task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--columns", type=int, default=783)
    parser.add_argument("--tasks", nargs="+", default=list(GOALS), choices=GOALS)
    options = parser.parse_args()
    x, hidden = matrix(options.rows, options.columns)
    lines = []
    for task in options.tasks:
        y = targets(hidden)[task]
        calculate_relevance_table(x.iloc[:, :20], y, n_jobs=2)  # loads kernels
        own, ours = seconds(lambda y=y: calculate_relevance_table(x, y, n_jobs=2), RUNS)
        other, theirs = by_tsfresh(x, y)
        p = theirs["p_value"].astype(float).to_numpy()
        gap = np.nanmax(np.abs(ours["p_value"].loc[theirs.index] - p) / np.maximum(p, 1e-300))
        same = set(ours.index[ours["relevant"]]) == set(theirs.index[theirs["relevant"]])
        assert same, "other features are relevant"
        lines.append([
            task, f"{own:.3f}", f"{other:.2f}", f"{other / own:.0f}", GOALS[task], f"{gap:.0e}"
        ])  # fmt: skip
    print(machine())
    print(f"{options.rows:,} rows, {options.columns} columns; seconds\n")
    print(table(["target", "tidemill", "tsfresh", "ratio", "goal", "largest difference"], lines))


if __name__ == "__main__":
    main()
