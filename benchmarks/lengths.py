"""Time per series against its length, ragged against equal lengths, and one very long series.

python benchmarks/lengths.py
python benchmarks/lengths.py --settings comprehensive --lengths 100 1000 --long 0
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from itertools import pairwise
from statistics import median

import numpy as np
from common import SEED, machine, table

from tidemill.calculators import Program
from tidemill.calculators.registry import preset
from tidemill.model.series import SeriesBlock

#: Growth from one length to the next, divided by that of the length, above which a calculator is
#: named: 1 is linear, sorting and transforms are a little more.
STEEP = 2.5


def block_of(lengths: np.ndarray) -> SeriesBlock:
    """Random walks of these lengths, one after the other."""
    stops = np.cumsum(lengths)
    values = np.random.default_rng(SEED).standard_normal(int(stops[-1])).cumsum()
    return SeriesBlock("x", values, stops - lengths, stops)


def seconds_of(program: Program, block: SeriesBlock, repeats: int) -> float:
    """The least of some runs; the first, which loads kernels, is left out."""
    out = np.empty((block.n_series, len(program.columns)))
    found = []
    for _ in range(repeats + 1):
        before = time.perf_counter()
        program.calculate(block, out)
        found.append(time.perf_counter() - before)
    return min(found[1:])


def growth(settings: str, lengths: list[int]) -> None:
    """Print ms per series by length, and every calculator that grows faster than its input."""
    rows = []
    costs: dict[int, dict[str, float]] = {}
    for length in lengths:
        count = max(2, 100_000 // length)
        program = Program(preset(settings))
        block = block_of(np.full(count, length))
        program.calculate(block, np.empty((count, len(program.columns))))
        program.take_seconds()
        seconds = seconds_of(program, block, 1) / count
        costs[length] = {n: s / count / 2 for n, s in program.take_seconds().items()}
        rows.append([settings, length, f"{seconds * 1e3:.4g}", f"{seconds / length * 1e9:.4g}"])
    print(table(["preset", "length", "ms per series", "ns per value"], rows))
    for shorter, longer in pairwise(lengths):
        limit = STEEP * longer / shorter
        steep = {
            name: f"{costs[longer][name] / cost:.0f}x"
            for name, cost in costs[shorter].items()
            if costs[longer][name] > max(limit * cost, 1e-4)
        }
        print(f"faster than its input from {shorter:,} to {longer:,}: {steep or 'none'}")


def ragged(settings: str, pairs: int) -> None:
    """Print the cost of mixed lengths relative to equal ones of the same total size."""
    rows = []
    for mean in (100, 1_000, 10_000):
        count = max(20, 1_000_000 // mean)
        rng = np.random.default_rng(SEED)
        mixed = rng.integers(mean // 2, mean + mean // 2 + 1, size=count)
        equal = np.full(count, int(mixed.sum()) // count)
        program = Program(preset(settings))
        ratios = [
            seconds_of(program, block_of(mixed), 1) / seconds_of(program, block_of(equal), 1)
            for _ in range(pairs)
        ]
        rows.append([settings, f"{mean // 2} to {mean + mean // 2}", f"{median(ratios):.2f}"])
    print(table(["preset", "lengths", "ragged / equal"], rows))


def one_long(settings: str, length: int) -> None:
    """One series: seconds, and peak memory as a multiple of its values."""
    program = Program(preset(settings))
    program.warmup()
    before = _peak()
    block = block_of(np.array([length]))
    out = np.empty((1, len(program.columns)))
    started = time.perf_counter()
    program.calculate(block, out)
    seconds = time.perf_counter() - started
    times = (_peak() - before) / (8 * length)
    print(f"one series of {length:,} values, {settings}: {seconds:.1f} s, {times:.1f}x its size")
    slow = sorted(program.take_seconds().items(), key=lambda item: -item[1])[:8]
    print("  " + ", ".join(f"{name} {value:.2f} s" for name, value in slow))


def _peak() -> int:
    """Peak resident bytes of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", nargs="+", default=["efficient", "comprehensive", "minimal"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[100, 1_000, 10_000, 100_000])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--long", type=int, default=10_000_000, help="values; 0: none")
    parser.add_argument("--only-long", action="store_true")
    options = parser.parse_args()
    if options.only_long:  # in a process of its own, so that the peak is its own
        one_long(options.settings[0], options.long)
        return
    print(machine())
    for settings in options.settings:
        growth(settings, options.lengths)
    for settings in options.settings:
        if settings != "comprehensive":  # two of its calculators are quadratic
            ragged(settings, options.pairs)
    if options.long:
        command = [sys.executable, __file__, "--only-long", "--settings", "efficient"]
        subprocess.run([*command, "--long", str(options.long)], check=True)


if __name__ == "__main__":
    main()
