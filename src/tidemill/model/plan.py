"""The frozen, JSON-serialisable description of one run.

A plan holds id ranges and (file, group) spans, never lists of ids. It is made by
:mod:`tidemill.planning.parts` and carried out by :mod:`tidemill.execution.chunk`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tidemill.calculators.settings import Settings
from tidemill.execution.checks import Level
from tidemill.model.feature_names import feature_name
from tidemill.model.policies import Policies
from tidemill.recurring.intervals import Interval

__all__ = [
    "RESULTS_VERSION",
    "Columns",
    "Kept",
    "KeptFile",
    "Part",
    "Plan",
    "Source",
    "SourceFile",
    "Span",
    "Window",
    "features_left",
]

#: Raised whenever a value of the matrix can change for the same input and settings; a test with a
#: golden matrix forces that. Part of the result key.
RESULTS_VERSION = 2

#: An id as JSON holds it: timestamps and dates by their integer in Arrow's unit.
IdKey = int | float | str | None
#: (calculator, parameters) of every kind, in the order of the columns.
Features = dict[str, list[tuple[str, dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Columns:
    """The roles of the input's columns."""

    id: str | tuple[str, ...]  # several columns may make up an id
    sort: str | None
    kind: str | None  # long format only
    values: tuple[str, ...]  # wide: one per kind, in column order; long: exactly one

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that make up an id."""
        return (self.id,) if isinstance(self.id, str) else self.id

    @property
    def key(self) -> str:
        """The one column of ids in memory: several are joined by :mod:`tidemill.model.ids`.

        Examples
        --------
        >>> Columns(("plant", "sensor"), None, None, ("x",)).key
        '(plant, sensor)'
        """
        return self.id if isinstance(self.id, str) else f"({', '.join(self.id)})"


@dataclass(frozen=True, slots=True)
class Window:
    """The rows that count: those whose sort value lies in ``[first, stop)``, in its own unit."""

    first: int
    stop: int
    unit: str  # "s", "ms", "us" or "ns", since 1970 in UTC


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One input file and the facts that identify its content."""

    path: str  # relative to Source.url
    size: int  # bytes
    version: str  # etag, or modification time in nanoseconds
    digest: str  # of the Parquet footer; of the whole file for CSV
    rows: int  # of the window, if there is one
    groups: int  # row groups (Parquet) or record batches (Arrow IPC)


@dataclass(frozen=True, slots=True)
class Source:
    """The input of a run: files of one schema."""

    url: str  # folder or object-store prefix that the paths are relative to
    format: str  # "parquet" or "csv"
    files: tuple[SourceFile, ...]
    columns: Columns
    id_type: str | tuple[str, ...]  # Arrow type of the id column or columns, as written to the sink
    kinds: tuple[str, ...]  # column order (wide) or sorted (long)
    storage_options: Mapping[str, str]  # option -> name of the environment variable that holds it
    fingerprint: str  # sha256 over files and columns
    schema: str = ""  # of the used columns as they are read: Arrow IPC, base64
    window: Window | None = None  # only its rows are read

    @property
    def id_types(self) -> tuple[str, ...]:
        """The types of the columns that make up an id."""
        return (self.id_type,) if isinstance(self.id_type, str) else self.id_type

    @property
    def rows(self) -> int:
        """Rows of all files: by the footers, or as counted (CSV)."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True)
class Span:
    """The groups ``first`` to ``last`` (exclusive) of one file."""

    file: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive whole ids: the unit of commit, resume and quarantine."""

    index: int
    lower: IdKey  # first id, inclusive; None: no bound
    upper: IdKey  # exclusive; None: no bound
    spans: tuple[Span, ...]  # where its rows lie in the input; empty in the spilled layout
    rows: int  # estimate where the input is not read in full
    ids: int  # estimate
    bytes: int  # of input, uncompressed
    seconds: float  # predicted by the shipped cost table, one thread

    @property
    def files(self) -> tuple[int, ...]:
        """Indexes of the input files that it is read from, ascending; none in the spilled layout.

        Examples
        --------
        >>> Part(0, None, None, (Span(2, 0, 1), Span(1, 4, 5)), 10, 1, 240, 0.1).files
        (1, 2)
        """
        return tuple(sorted({span.file for span in self.spans}))


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A published file whose values stay, and its ids if they are known."""

    path: str  # below the sink
    lower: IdKey = None  # first id; None: not known
    upper: IdKey = None  # last id


@dataclass(frozen=True, slots=True)
class Kept:
    """Published rows whose features stay: only the other ones are calculated."""

    run_id: str  # that published them
    result_key: str
    digest: str  # of the rows
    settings: Mapping[str, Any]  # canonical; what they were made with
    files: tuple[KeptFile, ...]  # ids ascend from file to file
    failed_cells: int = 0  # that are among them


def kept_columns(kept: Kept | None, kinds: Sequence[str]) -> tuple[str, ...]:
    """Feature columns that published rows have, in the order of their own settings."""
    return () if kept is None else Settings.from_any(kept.settings).columns(kinds)


def features_left(settings: Settings, kinds: Sequence[str], kept: Kept | None) -> Features:
    """The features of every kind that published rows do not have."""
    known = set(kept_columns(kept, kinds))
    return {
        kind: [one for one in settings.features_for(kind) if feature_name(kind, *one) not in known]
        for kind in kinds
    }


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a worker needs to know of one run."""

    result_key: str
    source: Source
    settings: Mapping[str, Any]  # canonical: {kind or "*": [[calculator, {parameter: value}], ...]}
    policies: Policies
    layout: str  # "clustered": parts are read from the input; "spilled": from work_dir
    parts: tuple[Part, ...]
    columns: tuple[str, ...]  # feature columns, kind__calculator__param_value, in order
    modules: tuple[str, ...] = ()  # imported on every worker, for their custom calculators
    interval: Interval | None = None  # that the result is about
    checks: Mapping[str, Mapping[Level, float]] = field(default_factory=dict)  # of an interval
    versions: Mapping[str, str] = field(default_factory=dict)
    kept: Kept | None = None  # columns that are taken over from published rows

    @property
    def seconds(self) -> float:
        """Predicted seconds of one thread for all parts."""
        return sum(part.seconds for part in self.parts)

    def features(self) -> Features:
        """(calculator, parameters) of every kind to calculate, in the order of the columns."""
        return features_left(Settings.from_any(self.settings), self.source.kinds, self.kept)

    @property
    def kept_columns(self) -> tuple[str, ...]:
        """Feature columns that are taken over, in the order of their own settings."""
        return kept_columns(self.kept, self.source.kinds)

    def to_json(self) -> str:
        """The plan as JSON text."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """Read back what :meth:`to_json` wrote."""
        raw = json.loads(text)
        raw["source"] = _source(raw["source"])
        raw["policies"] = Policies(**raw["policies"])
        raw["interval"] = Interval(**raw["interval"]) if raw.get("interval") else None
        raw["parts"] = tuple(_part(part) for part in raw["parts"])
        raw["kept"] = _kept(raw["kept"]) if raw.get("kept") else None
        for name in ("columns", "modules"):
            raw[name] = tuple(raw[name])
        return cls(**raw)


def _source(raw: dict[str, Any]) -> Source:
    raw["files"] = tuple(SourceFile(**file) for file in raw["files"])
    columns = raw["columns"]
    names = {"id": _one_or_several(columns["id"]), "values": tuple(columns["values"])}
    raw["columns"] = Columns(**{**columns, **names})
    raw["id_type"] = _one_or_several(raw["id_type"])
    raw["kinds"] = tuple(raw["kinds"])
    raw["window"] = Window(**raw["window"]) if raw.get("window") else None
    return Source(**raw)


def _one_or_several(value: str | list[str]) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(value)


def _kept(raw: dict[str, Any]) -> Kept:
    return Kept(**{**raw, "files": tuple(KeptFile(**file) for file in raw["files"])})


def _part(raw: dict[str, Any]) -> Part:
    return Part(**{**raw, "spans": tuple(Span(**span) for span in raw["spans"])})
