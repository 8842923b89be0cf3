"""Series whose sums, differences, squares or products overflow or vanish; found in a process apart.

``python -m tests.calculators.extremes FILE`` writes the comprehensive features of all of them: a
kernel that never came back from one would block only that process, which the tests stop.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from tidemill.calculators import Program
from tidemill.calculators.registry import preset
from tidemill.model.series import SeriesBlock

from .families import Generator, Values, blocks_of, make_times

MOST = sys.float_info.max
LENGTHS = (1, 3, 5, 14, 33)


def _with(places: slice, value: float) -> Callable[[Generator, int], Values]:
    """Noise with a value at some places, as if it stood for missing ones."""

    def make(rng: Generator, n: int) -> Values:
        values = rng.normal(size=n)
        values[places] = value
        return values

    return make


EXTREMES: dict[str, Callable[[Generator, int], Values]] = {
    "squares that overflow": lambda rng, n: 1e160 * rng.normal(size=n),
    "some squares that overflow": lambda rng, n: 1e154 * rng.normal(size=n),
    "squares that vanish": lambda rng, n: 1e-170 * rng.normal(size=n),
    "subnormal": lambda rng, n: 1e-310 * rng.normal(size=n),
    "one huge": _with(slice(1, 2), 1e200),
    "filled": _with(slice(0, None, 3), MOST),
    "filled below": _with(slice(2, None, 5), -MOST),
    "last": _with(slice(-1, None), MOST),
    "alternating": lambda _, n: np.where(np.arange(n) % 2, MOST, -MOST),
    "random signs": lambda rng, n: MOST * np.sign(rng.normal(size=n)),
    "constant": lambda _, n: np.full(n, MOST),
    "huge constant": lambda _, n: np.full(n, -1e200),
    "minute constant": lambda _, n: np.full(n, 5e-324),
    "ramp": lambda _, n: 1e300 * np.arange(n),
    "event": lambda _, n: np.where(np.arange(n) == n - 2, 1e200, 0.0),
}
SERIES = [
    (family, function(np.random.default_rng(n), n))
    for family, function in EXTREMES.items()
    for n in LENGTHS
]
FEATURES = [*preset("comprehensive"), ("linear_trend_timewise", {"attr": "slope"})]


def main(path: str) -> None:
    """Write float64[series, features] to a file."""
    program = Program(FEATURES)
    series = [values for _, values in SERIES]
    times = np.concatenate([make_times(len(values)) for values in series])
    found = np.empty((len(series), len(FEATURES)))
    program.calculate(SeriesBlock("x", *blocks_of(series), times=times), found)
    np.save(path, found)


if __name__ == "__main__":
    main(sys.argv[1])
