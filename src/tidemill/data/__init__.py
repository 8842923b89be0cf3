"""Real data that ship with the package: half-hourly sea surface temperatures.

See ``README.md`` in this folder for the source, the terms of use and how the data were made.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["demo_path"]


def demo_path() -> Path:
    """Path of the bundled Parquet file: one series per day, 398 days of 48 observations.

    Its columns are ``day`` (string, the id), ``time`` (timestamp in UTC, the sort column) and
    ``temperature`` (float64, degrees Celsius).

    Returns
    -------
    pathlib.Path
        The file inside the installed package.

    Examples
    --------
    >>> import pyarrow.parquet as pq
    >>> table = pq.read_table(demo_path())
    >>> table.column_names
    ['day', 'time', 'temperature']
    >>> table.num_rows
    19104
    """
    return Path(str(files(__name__) / "sea_surface_temperature.parquet"))
