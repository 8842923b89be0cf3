"""The frozen description of one run.

A plan holds id ranges and (file, group) spans, never lists of ids. It is made by
:mod:`tidemill.planning.prepare`, written and read by :mod:`tidemill.planning.plan_json`, and
carried out by :mod:`tidemill.execution.job`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.model.aliases import Features, IdKey
from tidemill.model.interval import Interval
from tidemill.model.policies import Limits, Policies
from tidemill.model.source import Source

__all__ = ["RESULTS_VERSION", "GroupSpan", "Kept", "KeptFile", "Part", "Plan"]

#: Incremented whenever a matrix value can change for the same input and settings, which a test with
#: a golden matrix enforces. Part of the result key.
RESULTS_VERSION = 3


@dataclass(frozen=True, slots=True)
class GroupSpan:
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
    spans: tuple[GroupSpan, ...]  # where its rows are in the input; empty in the spilled layout
    rows: int  # an estimate unless the input is read in full
    ids: int  # estimate
    bytes: int  # of input, uncompressed
    seconds: float  # predicted by the shipped cost table, one thread

    @property
    def files(self) -> tuple[int, ...]:
        """Ascending indexes of the input files to read; none in the spilled layout.

        Examples
        --------
        >>> Part(0, None, None, (GroupSpan(2, 0, 1), GroupSpan(1, 4, 5)), 10, 1, 240, 0.1).files
        (1, 2)
        """
        return tuple(sorted({span.file for span in self.spans}))


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A published file whose values stay, and its range of ids if known."""

    path: str  # below the sink
    lower: IdKey = None  # first id; None: unknown
    upper: IdKey = None  # last id


@dataclass(frozen=True, slots=True)
class Kept:
    """Published rows whose features stay, so that only new features are calculated."""

    run_id: str  # that published them
    result_key: str
    digest: str  # of the rows
    settings: Mapping[str, Any]  # canonical; those they were built with
    files: tuple[KeptFile, ...]  # ids ascend from file to file
    columns: tuple[str, ...]  # their feature columns, in the order of those settings
    failed_cells: int = 0  # among them


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a worker needs to know about a run."""

    result_key: str
    source: Source
    settings: Mapping[str, Any]  # canonical: {kind or "*": [[calculator, {parameter: value}], ...]}
    policies: Policies
    layout: str  # "clustered": parts are read from the input; "spilled": from work_dir
    parts: tuple[Part, ...]
    columns: tuple[str, ...]  # feature columns, kind__calculator__param_value, in order
    features: Mapping[str, Features]  # to calculate, by kind; without those of ``kept``
    modules: tuple[str, ...] = ()  # imported on every worker, for their custom calculators
    interval: Interval | None = None  # of the result
    checks: Limits = field(default_factory=dict)  # of an interval
    versions: Mapping[str, str] = field(default_factory=dict)
    kept: Kept | None = None  # published rows whose columns stay

    @property
    def seconds(self) -> float:
        """Predicted seconds of all parts on one thread."""
        return sum(part.seconds for part in self.parts)

    @property
    def kept_columns(self) -> tuple[str, ...]:
        """Feature columns that stay, in the order of their own settings."""
        return self.kept.columns if self.kept else ()
