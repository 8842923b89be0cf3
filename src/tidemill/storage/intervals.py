"""What is known of each published interval, below the sink's state.

One JSON file per interval, which every run reads; and the figures of its columns in a file of their
own, which is read only when the interval after it is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tidemill.model.interval import Interval
from tidemill.model.source import Source
from tidemill.storage.layout import SinkLayout

__all__ = [
    "IntervalRecord",
    "file_identities",
    "interval_names",
    "latest_interval",
    "read_figures",
    "read_intervals",
    "roles_of",
    "write_figures",
    "write_interval",
]

_READERS = 8


@dataclass(frozen=True, slots=True)
class IntervalRecord:
    """What an interval's published rows were made of."""

    name: str  # "20261120T000000Z"
    start: int  # UTC nanoseconds, as the next two
    end: int
    window_start: int
    run_id: str  # that published it
    published: str  # ISO 8601, UTC
    result_key: str
    digest: str  # of the rows published
    files: tuple[tuple[str, int, str], ...]  # that touch the window: path, bytes, digest
    fingerprint: str  # of the input's rows in the window
    settings: Mapping[str, Any]  # canonical
    policies: Mapping[str, str]
    columns: Mapping[str, Any]  # roles of the input's columns
    facts: Mapping[str, int] = field(default_factory=dict)  # see tidemill.execution.checks.Facts
    time_zone_of_input: str = ""  # of the sort column, or that it has none and counts as UTC

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what :func:`write_interval` wrote."""
        raw = json.loads(data)
        raw["files"] = tuple((path, size, digest) for path, size, digest in raw["files"])
        return cls(**raw)


def roles_of(source: Source) -> dict[str, Any]:
    """The roles of the input's columns, as a record holds them."""
    roles: dict[str, Any] = json.loads(json.dumps(asdict(source.columns)))
    return roles


def file_identities(source: Source) -> tuple[tuple[str, int, str], ...]:
    """What identifies the files of a window, without a look at their rows."""
    return tuple((file.path, file.size, file.digest) for file in source.files)


def write_interval(layout: SinkLayout, record: IntervalRecord) -> None:
    """Write a record, over an earlier one of the interval.

    Examples
    --------
    >>> import tempfile
    >>> layout = SinkLayout.of(tempfile.mkdtemp() + "/matrix")
    >>> hour = 3_600 * 10**9
    >>> made = "run", "1970-01-01T01:00:00Z", "key", "digest", (("a.parquet", 9, "x"),), "rows"
    >>> write_interval(
    ...     layout, IntervalRecord("19700101T000000Z", 0, hour, 0, *made, {}, {}, {})
    ... )
    >>> [record.files for record in read_intervals(layout, interval_names(layout)).values()]
    [(('a.parquet', 9, 'x'),)]
    """
    layout.intervals.write(f"{record.name}.json", json.dumps(asdict(record)).encode())


def interval_names(layout: SinkLayout) -> list[str]:
    """Names of the intervals that have a record, oldest first."""
    paths = (entry.path for entry in layout.intervals.folder()[0])
    return sorted(path.removesuffix(".json") for path in paths if path.endswith(".json"))


def read_intervals(layout: SinkLayout, names: Iterable[str]) -> dict[str, IntervalRecord]:
    """The records of some intervals by name; those without one, or a damaged one, are left out."""
    wanted = list(names)
    with ThreadPoolExecutor(_READERS, "tidemill-intervals") as pool:
        found = list(pool.map(lambda name: _read(layout, name), wanted))
    pairs = zip(wanted, found, strict=True)
    return {name: record for name, record in pairs if record is not None}


def latest_interval(layout: SinkLayout, before: Interval | None = None) -> IntervalRecord | None:
    """The record of the latest interval, or of the latest that ends as another starts or before.

    Names ascend as starts do, so records of later intervals are not read.
    """
    for name in reversed(interval_names(layout)):
        if before is not None and name >= before.name:
            continue
        record = _read(layout, name)
        if record is not None and (before is None or record.end <= before.start):
            return record
    return None


def write_figures(layout: SinkLayout, interval: str, figures: bytes) -> None:
    """Write the figures of an interval's columns, over earlier ones."""
    layout.figures.write(f"{interval}.npz", figures)


def read_figures(layout: SinkLayout, interval: str) -> bytes | None:
    """The figures of an interval's columns; None if there are none."""
    try:
        return layout.figures.read(f"{interval}.npz")
    except FileNotFoundError:
        return None


def _read(layout: SinkLayout, name: str) -> IntervalRecord | None:
    """None if there is no record or it is damaged: the interval is missing, and is made again."""
    try:
        return IntervalRecord.from_json(layout.intervals.read(f"{name}.json"))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
