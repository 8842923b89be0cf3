"""The demo: the main job on bundled real data, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidemill.data import demo_path

__all__ = ["demo_options", "draw_pictures"]


def demo_options(folder: Path) -> dict[str, Any]:
    """Arguments of ``extract`` for the bundled data: one series per day."""
    return {
        "source": str(demo_path()),
        "sink": str(folder / "feature_matrix"),
        "column_id": "day",
        "column_sort": "time",
        "column_value": "temperature",
        "settings": "comprehensive",
    }


def draw_pictures(summary: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw where the time went and the feature map; the pictures' paths."""
    from tidemill.pictures import feature_map, seconds_per_calculator
    from tidemill.storage.publish import read_matrix

    size = f"{summary['rows']:,} series, {summary['columns']:,} features"
    return [
        seconds_per_calculator(
            summary["seconds_by_calculator"],
            folder / "seconds_per_calculator.png",
            f"Where the time went: {size}",
        ),
        feature_map(
            read_matrix(summary["sink"]),
            folder / "feature_map.png",
            "day",
            "Sea surface temperature at a buoy in the Gulf of Maine: a column is a day",
        ),
    ]
