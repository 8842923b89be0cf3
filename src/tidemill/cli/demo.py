"""The demo: the main job on bundled real data, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.model.counts import counted
from tidemill.sources.demo_data import SEA_SURFACE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["demo_options", "draw_pictures"]


def demo_options(folder: Path) -> dict[str, Any]:
    """Arguments of ``extract`` for the bundled data: one series per day."""
    return {
        "source": SEA_SURFACE,
        "sink": str(folder / "feature_matrix"),
        "column_id": "day",
        "column_sort": "time",
        "column_value": "temperature",
        "settings": "comprehensive",
    }


def draw_pictures(summary: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw the feature map and where the time went; the pictures' paths."""
    from tidemill.reports.charts import feature_map, seconds_per_calculator
    from tidemill.storage.read_matrix import read_matrix

    matrix = read_matrix(summary["sink"])
    pictures = [
        feature_map(
            matrix,
            folder / "feature_map.png",
            "day: one series of 48 half-hourly values",
            "Sea surface temperature at a buoy in the Gulf of Maine: "
            f"{counted(len(matrix), 'day')}, and their features",
            strip=_temperatures(matrix),
            id_ticks=_months(matrix.index),
        )
    ]
    if seconds := summary["seconds_by_calculator"]:  # none were run if nothing was missing
        size = f"{counted(summary['rows'], 'series')}, {counted(summary['columns'], 'feature')}"
        pictures.append(
            seconds_per_calculator(
                seconds, folder / "seconds_per_calculator.png", f"Time per calculator: {size}"
            )
        )
    return pictures


def _temperatures(matrix: pd.DataFrame) -> Any:
    from tidemill.reports.charts import Strip

    low, middle, high = (
        matrix[f"temperature__{name}"].tolist() for name in ("minimum", "mean", "maximum")
    )
    return Strip(low, middle, high, "°C\n(mean, range)")


def _months(index: pd.Index[Any]) -> dict[int, str]:
    r"""Position and name of the first day of each month; the first one and January name the year.

    Examples
    --------
    >>> import pandas as pd
    >>> _months(pd.Index(["2016-11-30", "2016-12-01", "2016-12-02", "2017-01-02"]))
    {1: 'Dec\n2016', 3: 'Jan\n2017'}
    """
    days = [date.fromisoformat(day) for day in index]
    firsts = [i for i in range(1, len(days)) if days[i].month != days[i - 1].month]
    return {
        i: f"{days[i]:%b\n%Y}" if i == firsts[0] or days[i].month == 1 else f"{days[i]:%b}"
        for i in firsts
    }
