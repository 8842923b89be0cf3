"""Speed beside the peers, in one process and one thread: tsfx, tsfresh-rs, tsfresh, tsxtract-rs.

python benchmarks/peers.py                                  all rows, half an hour
python benchmarks/peers.py --presets efficient --lengths 1000 --peers tsfx --data walk

Every engine gets a pandas frame with an int64 id and a sort column and gives a pandas frame back.
Each gets as many series as keep it busy for a second; figures are medians of alternating pairs.
The last table is about lean settings: arrays in, arrays out, beside tsxtract-rs.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

#: One thread everywhere; the libraries read these when they are loaded.
SINGLE = dict.fromkeys(
    (
        "RAYON_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "ARROW_NUM_THREADS",
        "TSXTRACT_NUM_THREADS",
    ),
    "1",
)
if any(os.environ.get(name) != "1" for name in SINGLE):
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **SINGLE})

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import tsfresh_rs
import tsfx
import tsxtractor
from common import machine, table

import tidemill
from tidemill.data import demo_path

Frame = pd.DataFrame
Engine = Callable[[Frame, str], Frame]

#: (preset, length) to the least ratios that are aimed at, by peer.
GOALS: dict[tuple[str, int], dict[str, float]] = {
    ("efficient", 100): {"tsfx": 6, "tsfresh-rs": 12, "tsfresh": 800},
    ("efficient", 1000): {"tsfx": 10, "tsfresh-rs": 25, "tsfresh": 250},
    ("efficient", 10000): {"tsfx": 10, "tsfresh-rs": 80, "tsfresh": 250},
    ("comprehensive", 100): {"tsfx": 6, "tsfresh-rs": 12, "tsfresh": 800},
    ("comprehensive", 1000): {"tsfx": 8, "tsfresh-rs": 30, "tsfresh": 500},
    ("minimal", 100): {"tsfx": 2, "tsfresh-rs": 4, "tsfresh": 100},
    ("minimal", 1000): {"tsfx": 2.5, "tsfresh-rs": 8, "tsfresh": 30},
}
#: The features of tsxtract-rs that tsfresh defines: its name, and tsfresh's.
LEAN: dict[str, str] = {
    "mean": "mean",
    "std": "standard_deviation",
    "var": "variance",
    "skewness": "skewness",
    "kurtosis": "kurtosis",
    "min": "minimum",
    "max": "maximum",
    "median": "median",
    "quantile_10": "quantile__q_0.1",
    "quantile_25": "quantile__q_0.25",
    "quantile_75": "quantile__q_0.75",
    "quantile_90": "quantile__q_0.9",
    "abs_energy": "abs_energy",
    "mean_abs_change": "mean_abs_change",
    "mean_change": "mean_change",
    "zero_crossings": "number_crossing_m__m_0",
    "longest_strike_above_mean": "longest_strike_above_mean",
    "longest_strike_below_mean": "longest_strike_below_mean",
    "number_of_peaks": "number_peaks__n_3",
    "autocorr_lag_1": "autocorrelation__lag_1",
    "autocorr_lag_2": "autocorrelation__lag_2",
    "autocorr_lag_5": "autocorrelation__lag_5",
    "autocorr_lag_10": "autocorrelation__lag_10",
    "trend_slope": 'linear_trend__attr_"slope"',
    "permutation_entropy": "permutation_entropy__dimension_3__tau_1",
}


def by_tidemill(frame: Frame, preset: str) -> Frame:
    """One thread of ours."""
    return tidemill.extract_features(
        frame, preset, column_id="id", column_sort="time", n_jobs=1, disable_progressbar=True
    )


def by_tsfx(frame: Frame, preset: str) -> Frame:
    """Tsfx has no sort column."""
    settings = tsfx.ExtractionSettings(
        grouping_cols=["id"],
        value_cols=["value"],
        feature_setting=getattr(tsfx.FeatureSetting, preset.capitalize()),
    )
    columns = pl.from_pandas(frame[["id", "value"]]).lazy()
    return tsfx.extract_features(columns, settings).to_pandas()


def by_tsfresh_rs(frame: Frame, preset: str) -> Frame:
    """One thread of tsfresh-rs."""
    settings = getattr(tsfresh_rs, f"{preset.capitalize()}FCParameters")()
    return tsfresh_rs.extract_features(
        frame, settings, column_id="id", column_sort="time", n_jobs=1, disable_progressbar=True
    )


def by_tsfresh(frame: Frame, preset: str) -> Frame:
    """Tsfresh in this process, without the profile of its parallel mode."""
    from tsfresh.feature_extraction import extract_features, settings

    parameters = getattr(settings, f"{preset.capitalize()}FCParameters")()
    return extract_features(
        frame, parameters, column_id="id", column_sort="time", n_jobs=0, disable_progressbar=True
    )


PEERS: dict[str, Engine] = {
    "tsfx": by_tsfx,
    "tsfresh-rs": by_tsfresh_rs,
    "tsfresh": by_tsfresh,
}


def walk(rng: np.random.Generator, count: int, length: int) -> np.ndarray:
    """Random walks, float64[count, length]."""
    return rng.standard_normal((count, length)).cumsum(axis=1)


def ties(rng: np.random.Generator, count: int, length: int) -> np.ndarray:
    """Whole numbers from -3 to 3."""
    return rng.integers(-3, 4, size=(count, length)).astype(np.float64)


def real(rng: np.random.Generator, count: int, length: int) -> np.ndarray:
    """Windows of the bundled half-hourly sea surface temperatures."""
    values = pd.read_parquet(demo_path())["temperature"].to_numpy(np.float64)
    starts = rng.integers(0, len(values) - length, size=count)
    return values[starts[:, None] + np.arange(length)]


DATA = {"walk": walk, "ties": ties, "real": real}


def long_frame(values: np.ndarray) -> Frame:
    """Id, time and value, ordered by id and time."""
    count, length = values.shape
    return pd.DataFrame(
        {
            "id": np.repeat(np.arange(count), length),
            "time": np.tile(np.arange(length), count),
            "value": values.reshape(-1),
        }
    )


def seconds_of(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def fitted(engine: Engine, preset: str, data: str, length: int, seconds: float) -> Frame:
    """A frame with as many series as keep the engine busy for ``seconds``; warms it up."""
    count = 2
    while True:
        frame = long_frame(DATA[data](np.random.default_rng(20261120), count, length))
        engine(frame, preset)
        took = seconds_of(lambda f=frame: engine(f, preset))
        if took >= 0.7 * seconds or count * length >= 5e7:
            return frame
        growth = min(max(seconds / max(took, 1e-4), 1.5), 20)
        count = int(count * growth) + 1


def compare(preset: str, length: int, data: str, peers: Sequence[str], options: Any) -> list[Any]:
    """One row: ms per series of ours and of each peer, and the median ratio of the pairs."""
    ours = fitted(by_tidemill, preset, data, length, options.seconds)
    row: list[Any] = [preset, length, data, ""]
    mine: list[float] = []
    for name in peers:
        theirs = fitted(PEERS[name], preset, data, length, options.seconds)
        ratios, own, other = [], [], []
        for _ in range(options.pairs):
            own.append(seconds_of(lambda: by_tidemill(ours, preset)) / ours["id"].nunique())
            engine = PEERS[name]
            other.append(
                seconds_of(lambda e=engine, f=theirs: e(f, preset)) / theirs["id"].nunique()
            )
            ratios.append(other[-1] / own[-1])
        mine += own
        goal = GOALS.get((preset, length), {}).get(name)
        mark = (
            ""
            if goal is None
            else f" ({'reached' if median(ratios) >= goal else 'MISSED'} {goal:g})"
        )
        row += [f"{median(other) * 1e3:.4g}", f"{median(ratios):.3g}x{mark}"]
    row[3] = f"{median(mine) * 1e3:.4g}"
    if any("MISSED" in str(cell) for cell in row):
        print_profile(ours, preset)
    return row


def print_profile(frame: Frame, preset: str) -> None:
    """Where our time goes, for a row that misses."""
    costs = tidemill.feature_costs(frame, preset, column_id="id", column_sort="time")
    print(costs.head(15).to_string(), file=sys.stderr)


def lean_settings() -> tidemill.Settings:
    """The features of :data:`LEAN` as settings."""
    return tidemill.Settings.from_columns([f"x__{name}" for name in LEAN.values()])


def compare_lean(length: int, data: str, options: Any) -> list[Any]:
    """Arrays in, arrays out: microseconds per series, and the median ratio."""
    count = max(10, int(options.seconds * 3e7 / length))
    values = DATA[data](np.random.default_rng(20261120), min(count, 200_000), length)
    settings = lean_settings()
    names = list(LEAN)
    own, other = [], []

    def ours() -> object:
        return tidemill.extract_arrays(values, settings, n_jobs=1)

    def theirs() -> object:
        return tsxtractor.extract_features(values, features=names, n_jobs=1)

    for work in (ours, theirs):
        work()
    for _ in range(options.pairs):
        own.append(seconds_of(ours) / len(values))
        other.append(seconds_of(theirs) / len(values))
    ratio = median(b / a for a, b in zip(own, other, strict=True))
    mark = "reached" if ratio >= 1 else "MISSED"
    micro = (f"{median(one) * 1e6:.4g}" for one in (own, other))
    return [length, data, *micro, f"{ratio:.3g}x ({mark} 1)"]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="+", default=["efficient", "comprehensive", "minimal"])
    parser.add_argument("--lengths", nargs="+", type=int, default=[100, 1_000, 10_000])
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a run")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    pa.set_cpu_count(1)
    print(machine())
    head = ["preset", "length", "data", "tidemill ms"]
    head += [text for name in options.peers for text in (f"{name} ms", "ratio")]
    rows = []
    for preset, length in GOALS:
        if preset in options.presets and length in options.lengths:
            for data in options.data:
                rows.append(compare(preset, length, data, options.peers, options))
                print(" ".join(map(str, rows[-1])), file=sys.stderr)
    print(table(head, rows))
    head = ["length", "data", "tidemill us", "tsxtract-rs us", "ratio"]
    lean = [compare_lean(n, data, options) for n in options.lengths for data in options.data]
    print("\nLean settings\n" + table(head, lean))


if __name__ == "__main__":
    main()
