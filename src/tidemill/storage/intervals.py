"""What is known of each published interval: one JSON file per interval, below the sink's state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tidemill.plan import Source
from tidemill.storage.layout import SinkLayout

__all__ = ["IntervalRecord", "facts_of", "read_intervals", "write_interval"]

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
    facts: Mapping[str, int] = field(default_factory=dict)  # see tidemill.checks.Facts

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what :func:`write_interval` wrote."""
        raw = json.loads(data)
        raw["files"] = tuple((path, size, digest) for path, size, digest in raw["files"])
        return cls(**raw)


def facts_of(source: Source) -> tuple[tuple[str, int, str], ...]:
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
    >>> [record.files for record in read_intervals(layout).values()]
    [(('a.parquet', 9, 'x'),)]
    """
    layout.intervals.write(f"{record.name}.json", json.dumps(asdict(record)).encode())


def read_intervals(layout: SinkLayout) -> dict[str, IntervalRecord]:
    """All records of a sink by the intervals' names, oldest first; damaged ones are left out."""
    store = layout.intervals
    paths = sorted(one.path for one in store.folder()[0] if one.path.endswith(".json"))
    with ThreadPoolExecutor(_READERS, "tidemill-intervals") as pool:
        found = [_parse(data) for data in pool.map(store.read, paths)]
    return {record.name: record for record in found if record is not None}


def _parse(data: bytes) -> IntervalRecord | None:
    """None if a record is damaged: its interval counts as missing and is made again."""
    try:
        return IntervalRecord.from_json(data)
    except (ValueError, TypeError, KeyError):
        return None
