"""The address of a run: all that a task or worker needs to find its plan, parts and lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.lease_view import LeaseView

__all__ = ["Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to carry out a plan. JSON values only: it travels as a task's parameter."""

    run_id: str
    started: str  # ISO 8601, UTC
    sink: str  # path or URL
    result_key: str
    generation: int  # of the lease; workers stop when it is no longer the highest
    work_dir: str  # for what the partition step spills
    storage_options: Mapping[str, str] = field(default_factory=dict)
    interval: str | None = None  # name of the interval that the run is about
    isolation_seconds: float = 300.0  # that a range of ids may take in an isolated process
    reason: str = ""  # why an interval is calculated, for the record

    @property
    def layout(self) -> SinkLayout:
        """Where the sink's files lie."""
        return SinkLayout.of(self.sink, self.storage_options)

    @property
    def key(self) -> KeyLayout:
        """Where the files of this run's result lie."""
        return self.layout.key(self.result_key)

    def lease_view(self) -> LeaseView:
        """A look at the lease, for workers."""
        return LeaseView(self.layout.lease_of(self.interval), self.generation)
