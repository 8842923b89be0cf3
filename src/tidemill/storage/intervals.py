"""Records of published intervals, in the sink's state.

One JSON file per interval, which every run reads. The figures of its columns, and its values per id
and kind, lie in files of their own, which are read only when later intervals are calculated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tidemill.model.interval import Interval, interval_label, start_of_name
from tidemill.model.logs import engine_log
from tidemill.model.series import Quarantined
from tidemill.model.source import ColumnRoles, Source
from tidemill.storage.layout import SinkLayout
from tidemill.storage.markers import Marker
from tidemill.storage.sealed import seal, unseal
from tidemill.storage.stores import Store

__all__ = [
    "GONE",
    "IntervalRecord",
    "PartFile",
    "file_identities",
    "interval_names",
    "label_of_name",
    "labels_of_names",
    "latest_interval",
    "named_bad_files",
    "newest_names",
    "read_coverages",
    "read_figures",
    "read_intervals",
    "write_coverage",
    "write_figures",
    "write_interval",
]

log = engine_log(__name__)

#: Why an interval is due whose rows somebody deleted.
GONE = "its rows are gone from the table"

_READERS = 8
_SUFFIX = ".json"
#: Nanoseconds from interval to interval in most tables.
_STEPS = (3_600 * 10**9, 86_400 * 10**9)
#: Names among which the interval before another is looked for first.
_NEAR = 8


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file of an interval's published rows."""

    path: str  # below the table's folder
    bytes: int
    rows: int
    checksum: str  # SHA-256

    @classmethod
    def of(cls, marker: Marker) -> Self:
        """The file of a part that was published."""
        return cls(marker.path, marker.bytes, marker.rows, marker.checksum)


@dataclass(frozen=True, slots=True)
class IntervalRecord:
    """What an interval's published rows were made from."""

    name: str  # "20261120T000000Z"
    start: int  # UTC nanoseconds, as the next two
    end: int
    window_start: int
    run_id: str  # of the run that published it
    published: str  # ISO 8601, UTC
    result_key: str
    digest: str  # of the published rows
    files: tuple[tuple[str, int, str], ...]  # that touch the window: path, bytes, digest
    fingerprint: str  # of the input's rows in the window
    settings: Mapping[str, Any]  # canonical
    policies: Mapping[str, str]
    columns: ColumnRoles  # of the input
    kinds: tuple[str, ...] = ()  # of the result
    bad_files: tuple[tuple[str, str], ...] = ()  # left out of the input: path and reason
    facts: Mapping[str, int] = field(default_factory=dict)  # see execution.checks.ResultCounts
    time_zone_of_input: str = ""  # of the sort column; says so if it has none and counts as UTC
    timezone: str = "UTC"  # of the calendar
    every: str = ""  # of the calendar; "": recorded by an older version
    parts: tuple[PartFile, ...] = ()  # of its rows; empty: recorded by an older version
    checksums: Mapping[str, str] = field(default_factory=dict)  # of its "figures" and "coverage"
    quarantined: tuple[Quarantined, ...] = ()  # the first thousand, ids as text, oldest first
    made_with: Mapping[str, str] = field(default_factory=dict)  # see planning.quarantine
    settled: str = ""  # id of the last run that failed on it before its rows were found unchanged

    def fault(self, layout: SinkLayout, shown: Mapping[str, int]) -> str:
        """Why the table does not show what this record says; "" if it does.

        Parameters
        ----------
        layout
            The sink.
        shown
            Path to size of the files that the table shows of the interval.
        """
        if not shown:
            return GONE
        if self.parts:
            same = {one.path: one.bytes for one in self.parts} == dict(shown)
        else:
            same = all(layout.key(self.result_key).is_part(path) for path in shown)
        return "" if same else "the table shows other files than its record names"

    @property
    def label(self) -> str:
        """The interval for people: see :func:`tidemill.model.interval.interval_label`."""
        return interval_label(self.start, self.end, self.timezone)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Read back what :func:`write_interval` wrote."""
        raw = unseal(data)
        raw["files"] = tuple((path, size, digest) for path, size, digest in raw["files"])
        raw["kinds"] = tuple(raw.get("kinds", ()))
        raw["bad_files"] = tuple((path, reason) for path, reason in raw.get("bad_files", ()))
        raw["quarantined"] = tuple(map(Quarantined.from_json, raw.get("quarantined", ())))
        raw["parts"] = tuple(PartFile(**one) for one in raw.get("parts", ()))
        roles: dict[str, Any] = dict(raw["columns"])
        roles |= {name: tuple(v) for name, v in roles.items() if isinstance(v, list)}
        return cls(**{**raw, "columns": ColumnRoles(**roles)})


def file_identities(source: Source) -> tuple[tuple[str, int, str], ...]:
    """Path, size and digest of a window's files, without reading rows; bad ones count too.

    A database has none.
    """
    if source.origin:
        return ()
    good = [(file.path, file.size, file.digest) for file in source.files]
    return tuple(sorted([*good, *((one.path, one.size, one.identity) for one in source.bad_files)]))


def named_bad_files(source: Source) -> list[dict[str, str]]:
    """The files that were left out of an input, with the reason, as JSON values."""
    return [{"path": one.path, "reason": one.reason} for one in source.bad_files]


def write_interval(layout: SinkLayout, record: IntervalRecord) -> None:
    """Write the record of an interval, over an earlier one.

    Examples
    --------
    >>> import tempfile
    >>> layout = SinkLayout.of(tempfile.mkdtemp() + "/matrix")
    >>> hour = 3_600 * 10**9
    >>> made = "run", "1970-01-01T01:00:00Z", "key", "digest", (("a.parquet", 9, "x"),), "rows"
    >>> roles = ColumnRoles("id", "time", None, ("x",))
    >>> record = IntervalRecord("19700101T000000Z", 0, hour, 0, *made, {}, {}, roles)
    >>> write_interval(layout, record)
    >>> [record.files for record in read_intervals(layout, interval_names(layout)).values()]
    [(('a.parquet', 9, 'x'),)]
    """
    path = f"{record.name}.json"
    layout.intervals.write(path, seal(asdict(record)))
    layout.intervals.sync(path)


def interval_names(layout: SinkLayout, since: str = "", before: str = "") -> list[str]:
    """Names of the intervals that have a record, oldest first; of a half-open span, if given."""
    found = layout.intervals.names(after=since, before=before)
    return [name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)]


def newest_names(layout: SinkLayout, n: int, until: str) -> list[str]:
    """The last `n` names of intervals with a record up to one, itself included; oldest first.

    They are looked for in the last `n` hours and days first: no storage lists names backwards.

    Examples
    --------
    >>> newest_names(SinkLayout.of("nowhere"), 60, "20261120T000000Z")
    []
    """
    stop, end = start_of_name(until), f"{until}~"
    for step in _STEPS if stop is not None else ():
        first = (stop or 0) - n * step
        names = interval_names(layout, Interval(first, first, first).name, end)
        if len(names) >= n:
            return names[-n:]
    return interval_names(layout, before=end)[-n:]


def read_intervals(layout: SinkLayout, names: Iterable[str]) -> dict[str, IntervalRecord]:
    """The records of some intervals by name; missing and damaged records are left out."""
    wanted = list(names)
    with ThreadPoolExecutor(_READERS, "tidemill-intervals") as pool:
        found = list(pool.map(lambda name: _read(layout, name), wanted))
    pairs = zip(wanted, found, strict=True)
    return {name: record for name, record in pairs if record is not None}


def latest_interval(layout: SinkLayout, before: Interval | None = None) -> IntervalRecord | None:
    """The record of the latest interval, or of the latest that ends by the start of ``before``.

    Names ascend as starts do, so records of later intervals are not read.
    """
    if before is None:
        return _last_whole(layout, interval_names(layout), None)
    near = newest_names(layout, _NEAR, before.name)
    found = _last_whole(layout, near, before)
    if found is not None or len(near) < _NEAR:
        return found
    return _last_whole(layout, interval_names(layout, before=near[0]), before)


def _last_whole(
    layout: SinkLayout, names: Sequence[str], before: Interval | None
) -> IntervalRecord | None:
    """The last record that can be read, of an interval that ends by the start of another."""
    for name in reversed(names):
        if before is not None and name >= before.name:
            continue
        record = _read(layout, name)
        if record is not None and (before is None or record.end <= before.start):
            return record
    return None


def label_of_name(layout: SinkLayout, name: str) -> str:
    """An interval by its name, as people write it: in the time zone of the table.

    An interval that is not published yet counts as being as long as the latest.

    Examples
    --------
    >>> label_of_name(SinkLayout.of("nowhere"), "20261120T000000Z")
    '2026-11-20 00:00'
    """
    return labels_of_names(layout, [name])[name]


def labels_of_names(
    layout: SinkLayout, names: Iterable[str], known: Mapping[str, IntervalRecord] | None = None
) -> dict[str, str]:
    """Intervals by their names, as people write them.

    Parameters
    ----------
    layout
        The table.
    names
        Of intervals; anything else is its own label.
    known
        Records that were read, if any: others are not. Those that are missing count as being as
        long as the latest of them.
    """
    wanted = list(names)
    known = read_intervals(layout, wanted) if known is None else known
    like = known[max(known)] if known else latest_interval(layout)
    return {name: known[name].label if name in known else _label(name, like) for name in wanted}


def _label(name: str, like: IntervalRecord | None) -> str:
    """The label of an interval that is not published, as one of its table."""
    start = start_of_name(name)
    if start is None:
        return name
    if like is None:
        return interval_label(start, start, "UTC")
    text = interval_label(start, start + like.end - like.start, like.timezone)
    return text if " " in like.label else text[:10]  # days have 23 to 25 hours


def write_figures(layout: SinkLayout, interval: str, figures: bytes) -> dict[str, str]:
    """Write the figures of an interval's columns, over earlier ones; their checksum by name."""
    layout.figures.write(f"{interval}.npz", figures)
    return {"figures": hashlib.sha256(figures).hexdigest()}


def read_figures(layout: SinkLayout, record: IntervalRecord) -> bytes | None:
    """The figures of an interval's columns; None if there are none, or other ones."""
    return _beside(layout.figures, f"{record.name}.npz", record.checksums.get("figures"))


def write_coverage(layout: SinkLayout, interval: str, coverage: bytes | None) -> dict[str, str]:
    """Write an interval's values per id and kind, over earlier ones; their checksum by name.

    None: they are not known.
    """
    if coverage is None:
        layout.coverage.delete(f"{interval}.arrow")
        return {}
    layout.coverage.write(f"{interval}.arrow", coverage)
    return {"coverage": hashlib.sha256(coverage).hexdigest()}


def read_coverages(layout: SinkLayout, records: Iterable[IntervalRecord]) -> dict[str, bytes]:
    """The values per id and kind of those of some intervals that have them, by name."""
    wanted = list(records)

    def read(one: IntervalRecord) -> bytes | None:
        return _beside(layout.coverage, f"{one.name}.arrow", one.checksums.get("coverage"))

    with ThreadPoolExecutor(_READERS, "tidemill-intervals") as pool:
        found = list(pool.map(read, wanted))
    pairs = zip(wanted, found, strict=True)
    return {record.name: data for record, data in pairs if data is not None}


def _beside(store: Store, path: str, sha256: str | None) -> bytes | None:
    """A file that belongs to a record; None if it is missing, or not the one that was written."""
    try:
        data = store.read(path)
    except FileNotFoundError:
        return None
    if sha256 is None or hashlib.sha256(data).hexdigest() == sha256:
        return data
    log.warning(
        "%s was damaged: nothing is compared with it; recalculate its interval to make it again",
        store.url_of(path),
    )
    return None


def _read(layout: SinkLayout, name: str) -> IntervalRecord | None:
    """The record; None if it is missing or damaged, and the interval is to be calculated again."""
    try:
        return IntervalRecord.from_json(layout.intervals.read(f"{name}.json"))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
