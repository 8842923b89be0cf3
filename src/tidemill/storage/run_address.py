"""The address of a run: all that tasks and workers need to find its plan, parts and lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tidemill.storage.layout import KeyLayout, SinkLayout
from tidemill.storage.lease_view import LeaseView

__all__ = ["Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to carry out a plan; JSON values only, because it is passed to tasks."""

    run_id: str
    started: str  # ISO 8601, UTC
    sink: str  # path or URL
    result_key: str
    generation: int  # of the lease; workers stop when it is no longer the highest
    work_dir: str  # for spill files of the partition step
    storage_options: Mapping[str, str] = field(default_factory=dict)
    interval: str | None = None  # name of the interval that is calculated
    interval_label: str = ""  # the same for people
    series_seconds: float | None = None  # without progress until a series hangs; None: predicted
    stall_seconds: float = 60.0  # without a sign of life from a worker until it is given up
    reason: str = ""  # why the interval is calculated, for the run record
    again: bool = False  # calculate even if a file sink shows this result

    @property
    def layout(self) -> SinkLayout:
        """The layout of the sink."""
        return SinkLayout.of(self.sink, self.storage_options)

    @property
    def key(self) -> KeyLayout:
        """The layout of this run's result."""
        return self.layout.key(self.result_key)

    def lease_view(self) -> LeaseView:
        """The lease as workers see it."""
        return LeaseView(self.layout.lease_of(self.interval), self.generation)
