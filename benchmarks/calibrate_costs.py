"""Measure what every calculator and intermediate costs, and write the package's cost table.

    python benchmarks/calibrate_costs.py [--output costs.json] [--seconds 0.02]

One thread, random walks of 10 to 100,000 values. For each length the time of a block of series is
taken several times and the least kept; a + b n + c n log2(n) is fitted to seconds per series, with
no coefficient below zero and relative errors weighted equally.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

import tidemill.calculators
from tidemill.blocks import BLOCK_VALUES, SeriesBlock
from tidemill.calculators import Program, preset
from tidemill.calculators.costs import measure_probe
from tidemill.calculators.table import ROWS

LENGTHS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
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
        if repeat >= 2 and time.perf_counter() > end:
            break
    return best


def fit(lengths: list[int], seconds: list[float]) -> list[float]:
    """a, b and c, none below zero."""
    n, y = np.array(lengths, dtype=float), np.array(seconds)
    basis = np.stack([np.ones_like(n), n, n * np.log2(n)], axis=1)
    # Columns are scaled to one size: their entries span twelve orders of magnitude.
    weighted = basis / y[:, None]
    scale = weighted.max(axis=0)
    coefficients, _ = nnls(weighted / scale, np.ones_like(y))
    return [float(f"{value:.4g}") for value in coefficients / scale]


def calibrate(seconds: float, lengths: tuple[int, ...] = LENGTHS) -> dict[str, Any]:
    """The table: for every name the coefficients for one combination and for the grid."""
    # number_peaks and autocovariance depend on the largest n and lag: "one" takes the last.
    programs = {
        "one": Program([(row.name, row.grid[-1]) for row in ROWS]),
        "grid": Program([(row.name, params) for row in ROWS for params in row.grid]),
    }
    costs: dict[str, dict[str, list[float]]] = {}
    for kind, program in programs.items():
        measured = [measure(program, make_block(length), seconds) for length in lengths]
        for name in measured[0]:
            spent = [row[name] for row in measured]
            costs.setdefault(name, {})[kind] = fit(list(lengths), spent)
    # Beside all others the median is read from the sorted values; alone it is selected.
    alone = Program(preset("minimal"))
    selected = [measure(alone, make_block(n), seconds)["need:median"] for n in lengths]
    costs["need:median"] = dict.fromkeys(("one", "grid"), fit(list(lengths), selected))
    return {
        "machine": f"{platform.machine()}, one thread",
        "probe_seconds": float(f"{measure_probe(1.0):.4g}"),
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
    arguments = parser.parse_args()
    table = calibrate(arguments.seconds)
    arguments.output.write_text(as_text(table), "utf-8")
    print(f"{len(table['costs'])} rows written to {arguments.output}")


if __name__ == "__main__":
    main()
