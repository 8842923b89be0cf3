"""Measure what every calculator and intermediate costs, and write the package's cost table.

    python benchmarks/calibrate_costs.py [--output costs.json] [--seconds 0.02]

One thread, random walks of 10 to 10,000,000 values. For each length the time of a block of series
is taken several times and the least kept. No curve is fitted: beyond the core's cache a transform
or a sort of one long series takes up to ten times what a curve through the short ones says.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

import tidemill.calculators
from tidemill.calculators import Calculator, Program, preset
from tidemill.calculators.costs import measure_probe
from tidemill.calculators.table.build import ROWS
from tidemill.model.series import BLOCK_VALUES, SeriesBlock

LENGTHS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000, 1_000_000, 10_000_000)
#: Series longer than this are measured once if that takes longer than --seconds, and not at all for
#: calculators whose time grows with the square of the length: 1e7 values would take days.
LONG = 100_000
QUADRATIC = frozenset(row.name for row in ROWS if row.quadratic)
OUTPUT = Path(tidemill.calculators.__file__).with_name("costs.json")


def make_block(length: int) -> SeriesBlock:
    """Random walks of equal length, with times: four blocks, so that caches do not flatter."""
    count = max(1, 4 * BLOCK_VALUES // length)
    rng = np.random.default_rng(length)
    stops = length * np.arange(1, count + 1, dtype=np.int64)
    times = np.tile(np.arange(length, dtype=np.int64) * 10**9, count)
    walks = rng.normal(size=(count, length)).cumsum(axis=1).reshape(-1)
    return SeriesBlock("walk", walks, stops - length, stops, times)


def measure(program: Program, block: SeriesBlock, seconds: float) -> dict[str, float]:
    """Least seconds per series, by calculator and intermediate."""
    out = np.empty((block.n_series, len(program.columns)))
    program.calculate(block, out)
    program.take_seconds()
    best: dict[str, float] = {}
    end = time.perf_counter() + seconds
    for repeat in range(100):
        program.calculate(block, out)
        for name, spent in program.take_seconds().items():
            best[name] = min(best.get(name, np.inf), spent / block.n_series)
        if time.perf_counter() > end and (repeat or block.lengths[0] > LONG):
            break
    return best


def features_for(row: Calculator, kind: str, length: int) -> list[tuple[str, Any]]:
    """What is measured of a calculator: one combination, or its grid."""
    if length > LONG and row.name in QUADRATIC:
        return []
    # number_peaks and autocovariance depend on the largest n and lag: "one" takes the last.
    grid = row.grid[-1:] if kind == "one" else row.grid
    return [(row.name, params) for params in grid]


def extrapolated(seconds: list[float], lengths: tuple[int, ...]) -> list[float]:
    """Seconds at all lengths; those that were not measured by the square of the length."""
    last = lengths[len(seconds) - 1]
    return seconds + [seconds[-1] * (n / last) ** 2 for n in lengths[len(seconds) :]]


def rounded(seconds: list[float]) -> list[float]:
    """Three digits are more than a machine repeats."""
    return [float(f"{value:.3g}") for value in seconds]


def calibrate(seconds: float, lengths: tuple[int, ...] = LENGTHS) -> dict[str, Any]:
    """The table: for every name the seconds per series, for one combination and for the grid."""
    costs: dict[str, dict[str, list[float]]] = {}
    for kind in ("one", "grid"):
        spent: dict[str, list[float]] = {}
        for length in lengths:
            features = [one for row in ROWS for one in features_for(row, kind, length)]
            for name, value in measure(Program(features), make_block(length), seconds).items():
                spent.setdefault(name, []).append(value)
        for name, values in spent.items():
            costs.setdefault(name, {})[kind] = rounded(extrapolated(values, lengths))
    # Beside all others the median is read from the sorted values; alone it is selected.
    alone = Program(preset("minimal"))
    selected = [measure(alone, make_block(n), seconds)["need:median"] for n in lengths]
    costs["need:median"] = dict.fromkeys(("one", "grid"), rounded(selected))
    return {
        "machine": f"{platform.machine()}, one thread",
        "probe_seconds": float(f"{measure_probe(1.0):.4g}"),
        "lengths": list(lengths),
        "costs": dict(sorted(costs.items())),
    }


def as_text(table: dict[str, Any]) -> str:
    """JSON with one line per name, so that differences can be read."""
    rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in table["costs"].items())
    others = {name: value for name, value in table.items() if name != "costs"}
    head = "".join(f" {json.dumps(k)}: {json.dumps(v)},\n" for k, v in others.items())
    return f'{{\n{head} "costs": {{\n{rows}\n }}\n}}\n'


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--seconds", type=float, default=0.3, help="per length")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    arguments = parser.parse_args()
    table = calibrate(arguments.seconds, tuple(arguments.lengths))
    arguments.output.write_text(as_text(table), "utf-8")
    print(f"{len(table['costs'])} rows written to {arguments.output}")


if __name__ == "__main__":
    main()
