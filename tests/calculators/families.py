"""Series of many characters and lengths, the same in every run."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.data import demo_path

Values = npt.NDArray[np.float64]
Generator = np.random.Generator

LENGTHS = (1, 2, 3, 4, 5, 7, 10, 16, 31, 50, 99, 128, 257, 500, 2000)


def _seasonal(rng: Generator, n: int) -> Values:
    return np.sin(np.arange(n) * 2 * np.pi / 12) + 0.2 * rng.normal(size=n)


def _spikes(rng: Generator, n: int) -> Values:
    return np.where(rng.random(n) < 0.05, 100.0, 0.0) + 0.01 * rng.normal(size=n)


@cache
def _buoy() -> Values:
    """Half-hourly sea surface temperatures, degrees Celsius."""
    frame = pd.read_parquet(demo_path())
    return frame["temperature"].to_numpy(dtype=np.float64)


FAMILIES: dict[str, Callable[[Generator, int], Values]] = {
    "noise": lambda rng, n: rng.normal(size=n),
    "walk": lambda rng, n: rng.normal(size=n).cumsum(),
    "seasonal": _seasonal,
    "spikes": _spikes,
    "heavy": lambda rng, n: rng.standard_t(1.5, size=n),
    "ties": lambda rng, n: rng.integers(-3, 4, size=n).astype(float),
    "binary": lambda rng, n: rng.integers(0, 2, size=n).astype(float),
    "constant": lambda _, n: np.full(n, 3.3),
    "zero": lambda _, n: np.zeros(n),
    "ramp": lambda _, n: np.arange(n) * 0.25 - 3.0,
    "offset": lambda rng, n: 1e9 + rng.normal(size=n),
    "tiny": lambda rng, n: 1e-9 * rng.normal(size=n),
    "real": lambda _, n: _buoy()[:n].copy(),
}


def make(family: str, length: int) -> Values:
    """One series, float64[length]."""
    rng = np.random.default_rng([zlib.crc32(family.encode()), length])
    return FAMILIES[family](rng, length)


def make_times(length: int) -> npt.NDArray[np.int64]:
    """Ascending, uneven times in nanoseconds, int64[length]."""
    steps = np.random.default_rng(length).integers(1, 7_200, size=length)
    return np.int64(1_700_000_000_000_000_000) + np.cumsum(steps) * 1_000_000_000


def blocks_of(series: list[Values]) -> tuple[Values, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ragged values, starts and stops of some series."""
    stops = np.cumsum([len(values) for values in series], dtype=np.int64)
    starts = stops - np.array([len(values) for values in series], dtype=np.int64)
    return np.concatenate([*series, np.empty(0)]), starts, stops
