"""A table of four days of pumps, whose wear shows on some of the days."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .daily import run

PUMPS = 40
DAYS = ("2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20")
#: By how much the force of worn pumps varies more on each day; the last one has one pump alone.
WEAR = (2.0, 3.0, 0.0, 2.0)
SETTINGS = {
    **dict.fromkeys(("mean", "variance", "minimum", "maximum", "length", "kurtosis")),
    "quantile": [{"q": q / 10} for q in range(1, 10)],
    "fft_coefficient": [{"attr": "abs", "coeff": coeff} for coeff in (1, 2, 3, 99)],
    "large_standard_deviation": [{"r": r / 20} for r in range(1, 10)],
}


def write_table(folder: Path, **options: Any) -> str:
    """Publish the table below a folder, or at ``sink`` among the options; its place."""
    source, sink = folder / "in", options.pop("sink", str(folder / "table"))
    source.mkdir()
    rng = np.random.default_rng(11)
    for day, wear in zip(DAYS, WEAR, strict=True):
        pumps = range(PUMPS) if day != DAYS[3] else (2,)
        frame = pd.DataFrame({"id": np.repeat(pumps, 24)})
        frame["time"] = np.tile(pd.date_range(day, periods=24, freq="1h"), len(pumps))
        frame["x"] = rng.normal(size=len(frame)) * (1 + wear * (frame["id"] % 2))
        frame.loc[frame["id"] == 5, "x"] = 1.0  # its kurtosis is NaN
        frame.to_parquet(source / f"{day}.parquet", index=False)
    for day in DAYS:
        checks = dict.fromkeys(("rows_drop", "input_rows_drop", "coverage_drop", "nan_rise"), "off")
        run(source, sink, day, settings=SETTINGS, checks=checks, **options)
    return sink


def worn(kind: str) -> pd.Series[Any]:
    """A target by pump: classes, several ones, or numbers."""
    pumps = np.arange(PUMPS)
    rng = np.random.default_rng(6)
    values = {
        "two classes": pumps % 2 == 1,
        "four classes": pumps % 4,
        "texts": np.array(["new", "worn"])[pumps % 2],
        "numbers": pumps % 2 + 0.1 * rng.normal(size=PUMPS),
    }[kind]
    return pd.Series(values, index=pd.Index(pumps, name="id"), name="y")
