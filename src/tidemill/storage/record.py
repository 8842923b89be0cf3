"""The run record: a JSON file with everything that a run did."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from tidemill.model.logs import engine_log
from tidemill.model.series import Quarantined
from tidemill.storage.failures import FailedSeries, FailureCount
from tidemill.storage.layout import SinkLayout
from tidemill.storage.sealed import seal, unseal
from tidemill.storage.stores import Store

__all__ = [
    "CASES",
    "SHOWN_ALREADY",
    "RunRecord",
    "cpu_features",
    "damaged_records",
    "history",
    "quarantined_by",
    "read_record",
    "records_of_runs",
    "write_record",
]

log = engine_log(__name__)

#: Failed series, and quarantined ids, that a record lists; the others are only counted.
CASES = 1000

#: Note of a run that found its result published.
SHOWN_ALREADY = "the sink showed this result already"

_READERS = 16
_SUFFIX = ".json"
_SECOND = len("20300101T000000")
#: What reading a damaged record raises.
_DAMAGED = (ValueError, TypeError, KeyError, AttributeError)
#: Fields of a record that hold values of a class of their own.
_ENTRIES: Mapping[str, Callable[..., Any]] = {
    "quarantined": Quarantined.from_json,
    "errors": lambda values: FailureCount(**values),
    "error_cases": lambda values: FailedSeries(**values),
}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What one run did."""

    run_id: str
    started: str  # ISO 8601, UTC
    finished: str = ""  # ISO 8601, UTC; "" while it runs
    state: str = "running"  # running, finished, failed, cancelled
    message: str = ""  # why it failed
    sink: str = ""
    source: str = ""  # path or URL of the input: of its file, or of the folder of its files
    source_fingerprint: str = ""
    result_key: str = ""
    interval: str | None = None  # name of its partition
    interval_label: str = ""  # the same for people: its local start
    time_zone_of_input: str = ""  # of the sort column; says so if it has none and counts as UTC
    reason: str = ""  # why the interval was calculated
    settings: Mapping[str, Any] = field(default_factory=dict)  # canonical
    policies: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)  # package -> version
    cpu_features: tuple[str, ...] = ()
    cluster: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    # total, calculated, reused; quarantined ids
    task_runs: int = 0  # of Prefect
    seconds: Mapping[str, float] = field(default_factory=dict)  # step -> wall seconds
    seconds_by_calculator: Mapping[str, float] = field(default_factory=dict)  # one thread
    part_seconds: float = 0.0  # one thread, of the parts that this run calculated
    predicted_seconds: float = 0.0  # of the same parts, by the cost table
    rows: int = 0
    columns: int = 0
    quarantined: tuple[Quarantined, ...] = ()  # the first thousand, ids as text, oldest first
    quarantined_since: Mapping[str, int] = field(default_factory=dict)  # day or "new" -> ids, all
    errors: tuple[FailureCount, ...] = ()
    error_cases: tuple[FailedSeries, ...] = ()  # the first thousand
    bad_files: tuple[Mapping[str, str], ...] = ()  # left out of the input: path and reason
    part_checksums: Mapping[str, str] = field(default_factory=dict)  # file -> SHA-256
    digest: str = ""  # of the content
    version: str = ""  # of the sink, as published
    acceptance: Mapping[str, Any] = field(
        default_factory=dict
    )  # of an interval: the run whose rows
    # were replaced, figures, findings of checks, and ids added, removed or altered; if a check
    # failed: what was found until then
    notes: tuple[str, ...] = ()  # on what was published

    def to_json(self) -> dict[str, Any]:
        """The record in JSON values."""
        values = asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read back what :meth:`to_json` returned; fields of newer versions are ignored."""
        known: dict[str, Any] = {f.name: raw[f.name] for f in fields(cls) if f.name in raw}
        known |= {name: tuple(v) for name, v in known.items() if isinstance(v, list)}
        for name, type_ in _ENTRIES.items():
            known[name] = tuple(map(type_, known.get(name, ())))
        return cls(**known)

    @property
    def calculated(self) -> int:
        """Parts that this run calculated itself."""
        return self.parts.get("calculated", 0)

    @property
    def path(self) -> str:
        """Name of the record's file; names sort by start."""
        return f"{_plain(self.started)}-{_plain(self.run_id)}.json"


def write_record(layout: SinkLayout, record: RunRecord) -> None:
    """Write a record, over an earlier one of the same run.

    Examples
    --------
    >>> import tempfile
    >>> layout = SinkLayout.of(tempfile.mkdtemp() + "/matrix")
    >>> write_record(layout, RunRecord("a", "2030-01-01T00:00:00Z", rows=3))
    >>> write_record(layout, RunRecord("b", "2030-01-02T00:00:00Z", state="failed"))
    >>> [(record.run_id, record.state) for record in history(layout)]
    [('b', 'failed'), ('a', 'running')]
    """
    layout.records.write(record.path, seal(record.to_json()))
    layout.records.sync(record.path)


def read_record(layout: SinkLayout, path: str) -> RunRecord | None:
    """The record of a name; None if there is none, or it is damaged."""
    return _read(layout.records, path)


def history(
    layout: SinkLayout, n: int | None = None, since: str = "", before: str = ""
) -> list[RunRecord]:
    """The records of a sink's runs, newest first; damaged ones are left out.

    Parameters
    ----------
    layout
        The sink.
    n
        At most so many.
    since, before
        Only of runs that started between these: ISO 8601, UTC.
    """
    store = layout.records
    names = store.names(after=_plain(since), before=_plain(before))
    paths = [name for name in names if name.endswith(_SUFFIX)][::-1]
    found: list[RunRecord] = []
    with ThreadPoolExecutor(_READERS, "tidemill-records") as pool:
        for first in range(0, len(paths), _READERS):
            records = pool.map(lambda path: _read(store, path), paths[first : first + _READERS])
            found += [record for record in records if record is not None]
            if n is not None and len(found) >= n:
                break
    return found[:n]


def damaged_records(layout: SinkLayout) -> list[str]:
    """The names of the files that :func:`history` leaves out."""
    store = layout.records
    paths = [name for name in store.names() if name.endswith(_SUFFIX)]
    with ThreadPoolExecutor(_READERS, "tidemill-records") as pool:
        whole = list(pool.map(lambda path: _is_whole(store, path), paths))
    return [path for path, is_whole in zip(paths, whole, strict=True) if not is_whole]


def _is_whole(store: Store, path: str) -> bool:
    try:
        _parsed(store, path)
    except FileNotFoundError:
        return True  # deleted just now
    except _DAMAGED:
        return False
    return True


def records_of_runs(layout: SinkLayout, run_ids: Collection[str]) -> dict[str, RunRecord]:
    """The records of some runs by id; missing and damaged ones are left out."""
    store, ids = layout.records, {_plain(one): one for one in run_ids}
    named = _named(store, ids)
    if ids.keys() - named.keys():  # ids that do not begin with the second of the start
        named = _named(store, ids, everywhere=True)
    with ThreadPoolExecutor(_READERS, "tidemill-records") as pool:
        found = pool.map(lambda pair: (ids[pair[0]], _read(store, pair[1])), named.items())
        return {run_id: record for run_id, record in found if record is not None}


def _named(store: Store, ids: Collection[str], *, everywhere: bool = False) -> dict[str, str]:
    """The names of the records of runs, by plain id; looked for among runs of those seconds."""
    if not ids:
        return {}
    seconds = [one[:_SECOND] for one in ids]
    span = {} if everywhere else {"after": min(seconds), "before": f"{max(seconds)}~"}
    pairs = ((name.rpartition("-")[2].removesuffix(_SUFFIX), name) for name in store.names(**span))
    return {run: name for run, name in pairs if run in ids}


def quarantined_by(layout: SinkLayout, run_id: str) -> tuple[Quarantined, ...]:
    """The ids that a run quarantined; none if its record is gone."""
    record = records_of_runs(layout, [run_id]).get(run_id)
    return record.quarantined if record else ()


def _read(store: Store, path: str) -> RunRecord | None:
    """A record; None, with a warning that names the file, if it is damaged."""
    try:
        return _parsed(store, path)
    except FileNotFoundError:
        return None
    except _DAMAGED:
        log.warning(
            "the run record %s is damaged and left out; nothing depends on it, delete it",
            store.url_of(path),
        )
        return None


def _parsed(store: Store, path: str) -> RunRecord:
    return RunRecord.from_json(unseal(store.read(path)))


def cpu_features() -> tuple[str, ...]:
    """CPU features that numpy uses: where they are equal, results are equal bit for bit.

    Examples
    --------
    >>> isinstance(cpu_features(), tuple)
    True
    """
    numpy_core: Any = importlib.import_module("numpy._core._multiarray_umath")
    found: Mapping[str, bool] = numpy_core.__cpu_features__  # np.show_config() prints the same
    return tuple(sorted(name for name, is_there in found.items() if is_there))


def _plain(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z_.]+", "", text)
