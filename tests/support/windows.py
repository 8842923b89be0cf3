"""Frames with times for tests of windows, and windows cut by loops."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .series import wide

SMALL = {"mean": None, "length": None, "maximum": None}
START = pd.Timestamp("2026-11-20")
HOUR = pd.Timedelta("1h")


def timed(frame: pd.DataFrame, every: str = "10min", zone: str | None = None) -> pd.DataFrame:
    """The same rows at times."""
    start = START.tz_localize(zone)
    return frame.assign(time=start + frame["time"] * pd.Timedelta(every))


def uneven(n_ids: int = 4, length: int = 60, seed: int = 3) -> pd.DataFrame:
    """Series at irregular times, with gaps, shuffled."""
    rng = np.random.default_rng(seed)
    frame = wide(n_ids, length, seed=seed)
    seconds = rng.choice(8 * 3600, size=(n_ids, length), replace=False)
    seconds[1] += 4 * 3600
    frame["time"] = START + pd.to_timedelta(np.sort(seconds, axis=1).ravel(), "s")
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


def cut(frame: pd.DataFrame, index, window, *, include: bool = False) -> pd.DataFrame:
    """The matrix by loops: every window becomes a series of its own."""
    pieces = []
    for number, (own, cutoff) in enumerate(index):
        rows = frame[frame["id"] == own].sort_values("time")
        rows = rows[rows["time"] <= cutoff if include else rows["time"] < cutoff]
        if isinstance(window, int):
            rows = rows.tail(window)
        elif window is not None:
            lower = cutoff - pd.Timedelta(window)
            rows = rows[rows["time"] > lower if include else rows["time"] >= lower]
        pieces.append(rows.assign(id=number))
    return pd.concat(pieces)


def same_values(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
    )
