"""P-values of random columns of many kinds beside scipy's: the largest relative difference.

python benchmarks/p_values.py
python benchmarks/p_values.py --columns 1000000 --seconds 900
python benchmarks/p_values.py --first 417 --columns 64

Columns come in blocks. A block has a seed, one length and one target, so that what a table names
can be looked at alone. Columns that have nothing to do with the target, and such that follow it so
closely that p-values fall to 1e-300 and to zero.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from common import SEED, machine, table
from scipy import stats

from tidemill.selection.columns import ColumnBatch
from tidemill.selection.evidence import BINARY, REAL, measure
from tidemill.selection.targets import Target

#: Columns of a block.
WIDTH = 64
#: One block of so many is long, so that p-values reach the end of float64.
LONG = 16
#: Relative differences above this one are an error.
EXACT = 1e-12
#: Below it float64 has fewer digits.
SMALLEST = np.finfo(float).tiny
#: How far columns stray from what the target is made of; the last ones have nothing to do with it.
NOISE = (0.0, 0.03, 0.3, 1.0, 3.0, 30.0)
#: Name of the test that both kinds of targets have.
GAPS = "Kolmogorov-Smirnov"
NOTHING = np.zeros(0, dtype=np.int64)


@dataclass
class Worst:
    """What was seen of one test and one kind of columns."""

    columns: int = 0
    difference: float = 0.0
    block: int = 0
    rows: int = 0
    smallest: float = 1.0  # p-value above zero
    zeros: int = 0


def spread(rng: np.random.Generator, base: np.ndarray) -> dict[str, np.ndarray]:
    """Columns [kinds][., n] of which each kind is made of the same normal ones."""
    shape = base.shape
    few = np.quantile(base, rng.random(3))
    rare = rng.random(shape) < 2 / shape[1]
    return {
        "continuous": base,
        "rounded": np.round(base, 1),
        "whole": np.round(base),
        "few values": np.searchsorted(np.sort(few), base).astype(float),
        "two values": (base > few[0]).astype(float),
        "nearly constant": np.where(rare, base, 7.0),
        "heavy tails": np.exp(20 * np.clip(base, -17, 17)),
        "huge": base * 1e300,
        "subnormal": np.round(base * 100) * 5e-324,
        "last bits": 1 + np.round(base * 3) * 2.0**-52,
        "infinite": np.where(base > 1, np.inf, np.where(base < -1.5, -np.inf, base)),
        "signed zeros": np.where(rng.random(shape) < 0.5, 0.0, -0.0)
        + np.maximum(np.round(base), 0),
    }


def block_of(number: int) -> tuple[Target, str, str, np.ndarray]:
    """The target of a block, a test for real features, a kind of columns, and columns."""
    rng = np.random.default_rng([SEED, number])
    low, high = (600, 2_500) if number % LONG == LONG - 1 else (3, 301)
    n = int(np.exp(rng.uniform(np.log(low), np.log(high))))
    hidden = rng.normal(size=n)
    noise = rng.choice(NOISE)
    base = (
        hidden + noise * rng.normal(size=(WIDTH, n)) if noise < 30 else rng.normal(size=(WIDTH, n))
    )
    kinds = spread(rng, base)
    kind = "two values" if rng.random() < 0.2 else str(rng.choice(list(kinds)))
    test = str(rng.choice(["mann", "smir"]))
    if rng.random() < 0.5:
        y = hidden if rng.random() < 0.5 else np.round(hidden, int(rng.integers(0, 2)))
        target = Target(
            "regression", multiclass=False, n_significant=1, numbers=y, codes=NOTHING, labels=()
        )
    else:
        own = rng.choice([1, max(1, n // 20), max(1, n // 3), max(1, n // 2)])
        codes = np.zeros(n, dtype=np.int64)
        codes[np.argsort(hidden)[-own:]] = 1
        target = Target("classification", False, 1, codes, codes, (0, 1))  # noqa: FBT003
    return target, test, kind, np.ascontiguousarray(kinds[kind])


def scipy_test(target: Target, kind: int, test: str) -> tuple[str, Callable[[np.ndarray], float]]:
    """The name of a test, and scipy's p-value of a column by it."""
    if target.ml_task == "regression" and kind == REAL:
        y = target.numbers
        return "Kendall", lambda x: stats.kendalltau(x, y, method="asymptotic").pvalue
    if target.ml_task == "regression":
        y = target.numbers
        return (
            "Kolmogorov-Smirnov",
            lambda x: stats.ks_2samp(y[x == x.max()], y[x < x.max()]).pvalue,
        )
    own = target.codes == 1
    if kind == BINARY:

        def fisher(x: np.ndarray) -> float:
            high = x == x.max()
            cells = [[(a & b).sum() for b in (high, ~high)] for a in (own, ~own)]
            return stats.fisher_exact(np.array(cells)).pvalue

        return "Fisher", fisher
    if test == "mann":
        return "Mann-Whitney", lambda x: stats.mannwhitneyu(x[own], x[~own]).pvalue
    return GAPS, lambda x: stats.ks_2samp(x[own], x[~own]).pvalue


def differences(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Relative ones; below the smallest normal number beside that one."""
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        gap = np.abs(found - expected) / np.maximum(np.maximum(found, expected), SMALLEST)
    return np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))


def look(number: int, seen: dict[tuple[str, str], Worst]) -> int:
    """Compare the columns of a block; how many there were that are not constant."""
    target, test, kind, values = block_of(number)
    found = measure([ColumnBatch(np.arange(WIDTH), values)], target, test=test)
    row = target.labels.index(1) if target.labels else 0
    compared = 0
    for type_ in (REAL, BINARY):
        places = np.flatnonzero(found.types == type_)
        if not len(places):
            continue
        name, by_scipy = scipy_test(target, type_, test)
        expected = np.array([by_scipy(values[place]) for place in places])
        gaps = differences(found.p_values[row, places], expected)
        worst = seen.setdefault((name, kind), Worst())
        worst.columns += len(places)
        worst.zeros += int((expected == 0).sum())
        worst.smallest = min(worst.smallest, *expected[expected > 0], 1.0)
        if gaps.max() > worst.difference:
            worst.difference, worst.block, worst.rows = gaps.max(), number, values.shape[1]
        compared += len(places)
    return compared


def main() -> None:
    """Print a row per test and kind of columns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=20_000, help="columns to compare")
    parser.add_argument("--seconds", type=float, default=900, help="after which no block begins")
    parser.add_argument("--first", type=int, default=0, help="number of the first block")
    options = parser.parse_args()
    seen: dict[tuple[str, str], Worst] = {}
    began, compared, number = time.process_time(), 0, options.first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while compared < options.columns and time.process_time() - began < options.seconds:
            compared += look(number, seen)
            number += 1
    lines = [
        [name, kind, f"{one.columns:,}", f"{one.difference:.0e}", one.block, one.rows,
         f"{one.smallest:.0e}", f"{one.zeros:,}"]
        for (name, kind), one in sorted(seen.items())
    ]  # fmt: skip
    print(machine())
    spent = time.process_time() - began
    print(
        f"{compared:,} columns in blocks {options.first} to {number - 1}, {spent:.0f} s of a core\n"
    )
    head = ["test", "columns of", "columns", "largest difference", "in block", "rows"]
    print(table([*head, "smallest p-value", "zeros"], lines))
    worst = max(one.difference for one in seen.values())
    print(f"\nlargest relative difference: {worst:.1e}")
    if worst > EXACT:
        raise SystemExit(f"p-values differ by more than {EXACT:.0e}")


if __name__ == "__main__":
    main()
