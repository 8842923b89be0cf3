"""Demo inputs by their URLs: the bundled file, and buoys whose data go on from day to day.

The buoys replay the bundled record. A calendar day has the same rows whenever they are written, so
an interval of the past never changes, and the last whole day is always yesterday.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tidemill.calculators.jit.cache import CACHE_VARIABLE, cache_roots
from tidemill.data import demo_path
from tidemill.errors import ArgumentError, SourceError

__all__ = ["BUOYS", "SEA_SURFACE", "buoys_folder", "demo_location"]

#: One file, one series per day, wherever the package is installed.
SEA_SURFACE = "demo://sea-surface-temperature"
#: A folder with a file per day, up to today.
BUOYS = "demo://buoys"

_SCHEME = "demo://"
_PER_DAY = 48  # half-hourly
_NAMES = ("B01", "B02", "B03", "B04", "B05", "B06")
_STEP = np.timedelta64(30, "m")


def demo_location(url: str) -> str:
    """The path behind the URL of a demo input; any other location as it is.

    Raises
    ------
    ArgumentError
        If there is no such demo input.

    Examples
    --------
    >>> demo_location("s3://bucket/readings")
    's3://bucket/readings'
    >>> demo_location("demo://boats")
    Traceback (most recent call last):
    tidemill.errors.ArgumentError: source='demo://boats' is not allowed; the demo inputs are
    demo://sea-surface-temperature and demo://buoys
    """
    if not url.startswith(_SCHEME):
        return url
    if url not in _PLACES:
        raise ArgumentError(
            f"source={url!r} is not allowed; the demo inputs are {' and '.join(_PLACES)}"
        )
    return str(_PLACES[url]())


def buoys_folder(today: date | None = None) -> Path:
    """The folder of the buoys' files, one for each day from 397 days ago to today (UTC).

    Those that are missing are written, those that are older are removed. The times name no zone.

    Raises
    ------
    SourceError
        If no folder can be written.
    """
    last = today or datetime.now(UTC).date()
    days = [last - timedelta(back) for back in range(len(_record()))]
    problems = []
    for root in cache_roots():
        folder = root / "demo" / "buoys"
        try:
            _fill(folder, days)
        except OSError as error:
            problems.append(f"{folder}: {error.strerror or error}")
        else:
            return folder
    raise SourceError(
        f"{BUOYS} cannot be written ({'; '.join(problems)}); name a folder that you can write in "
        f"{CACHE_VARIABLE}"
    )


_PLACES: Mapping[str, Callable[[], Path]] = {SEA_SURFACE: demo_path, BUOYS: buoys_folder}


def _fill(folder: Path, days: list[date]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{day}.parquet": day for day in days}
    there = {path.name for path in folder.glob("*.parquet")}
    for name in wanted.keys() - there:
        _write(folder / name, _rows_of(wanted[name]))
    for name in there - wanted.keys():
        (folder / name).unlink(missing_ok=True)


def _write(path: Path, rows: pa.Table) -> None:
    """Let the whole file appear at once; one that another process wrote meanwhile stays."""
    half = path.with_name(f".{path.name}.{uuid.uuid4().hex}")  # a name that inputs skip
    try:
        pq.write_table(rows, half)
        try:
            os.link(half, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _rows_of(day: date) -> pa.Table:
    """The rows of all buoys on a day, the same whenever they are made."""
    record = _record()
    apart = len(record) // len(_NAMES)  # each buoy is in another season
    numbers = [(day.toordinal() + place * apart) % len(record) for place in range(len(_NAMES))]
    times = np.datetime64(day, "us") + np.arange(_PER_DAY) * _STEP
    return pa.table(
        {
            "buoy": np.repeat(_NAMES, _PER_DAY),
            "time": np.tile(times, len(_NAMES)),
            "temperature": record[numbers].ravel(),
        }
    )


@cache
def _record() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The temperatures of the bundled file, float64[days, 48]."""
    column = pq.read_table(demo_path(), columns=["temperature"])["temperature"]
    return np.asarray(column, np.float64).reshape(-1, _PER_DAY)
